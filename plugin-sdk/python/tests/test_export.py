"""Runs export_cases.py in a Python that has NumPy and ONNX Runtime: this one, or an environment of the locked wrapper tests."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

from scene import SDK

HERE = Path(__file__).resolve().parent
LOCK = SDK.parent / "runtime-tests" / "requirements.lock"


def interpreter() -> str:
    """Raises SkipTest with the reason when there is none and none can be built."""
    if importlib.util.find_spec("onnxruntime") is not None:
        return sys.executable
    # The same place and name as plugin-sdk/runtime-tests/environments.ts: built once for both.
    cache = os.environ.get("TRAINYARD_TEST_ENVS") or SDK.parents[1] / ".trainyard" / "cache" / "test-environments"
    home = Path(cache) / f"runtime-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    python = home / "bin" / "python"
    if python.exists():
        return str(python)
    if shutil.which("uv") is None:
        raise unittest.SkipTest("uv is not installed: `pip install uv`")
    half = home.with_name(f"{home.name}.{os.getpid()}")
    half.parent.mkdir(parents=True, exist_ok=True)
    steps = (
        ["uv", "venv", "--quiet", "--relocatable", "--clear", "--python", ">=3.10", str(half)],
        ["uv", "pip", "sync", "--quiet", "--require-hashes", "--python", str(half / "bin" / "python"), str(LOCK)],
    )
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True)
        if done.returncode != 0:
            shutil.rmtree(half, ignore_errors=True)
            raise unittest.SkipTest(f"its environment could not be built: {done.stderr.strip()[-300:]}")
    half.rename(home)
    return str(python)


class Exports(unittest.TestCase):
    def test_cases(self) -> None:
        env = {**os.environ, "PYTHONPATH": f"{SDK}{os.pathsep}{HERE}", "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
        done = subprocess.run([interpreter(), "-m", "unittest", "-v", "export_cases"], cwd=HERE, env=env, capture_output=True, text=True)
        count = re.search(r"Ran (\d+) tests", done.stderr)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreater(int(count.group(1)) if count else 0, 15)


if __name__ == "__main__":
    unittest.main()
