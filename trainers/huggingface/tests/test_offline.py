"""Train, evaluate and export in a network namespace without any route: nothing is fetched, nothing hangs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import unittest
from typing import Any

from vision_scene import SMALL, SOURCE, VisionScene

_WALL = ["unshare", "--net", "--map-root-user"]


def _walls_here() -> bool:
    try:
        return subprocess.run([*_WALL, "true"], capture_output=True, timeout=20, check=False).returncode == 0
    except OSError:
        return False


@unittest.skipUnless(_walls_here(), "unshare --net is not allowed here")
class Offline(VisionScene):
    def alone(self, command: str, **fields: Any) -> list[dict[str, Any]]:
        (self.root / "output/events.jsonl").unlink(missing_ok=True)
        self.vision_job(command, **fields)
        home = self.root / "home"
        # Started beside a folder called `datasets`, which must not be taken for the library of that name.
        (home / "datasets").mkdir(parents=True, exist_ok=True)
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE), "HOME": str(home), "TMPDIR": str(home), "OMP_NUM_THREADS": "1"}
        argv = [*_WALL, sys.executable, "-m", "huggingface_trainer", command, "--job", str(self.root)]
        done = subprocess.run(argv, env=env, cwd=home, capture_output=True, text=True, timeout=600, check=False)
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])
        return self.events()

    def test_a_detector_is_made_without_a_network(self) -> None:
        self.write_scenes("detect", train=4, val=2)
        events = self.alone("train", config=SMALL["detect"])
        checkpoint = self.keep(events[-1]["best"]["checkpoint"])
        self.alone("evaluate", checkpoint=checkpoint)
        self.alone("export", checkpoint=checkpoint, export={"format": "openvino", "precision": "fp32", "dynamic": [], "options": {}})
        shutil.rmtree(self.root / "home")


if __name__ == "__main__":
    unittest.main()
