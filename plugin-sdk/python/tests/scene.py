"""Folders, images and processes for the tests: everything real, made in a temporary folder."""

from __future__ import annotations

import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

SDK = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SDK))
CENTROID = Path(__file__).resolve().parent / "centroid"
NAMES = ("wide", "tall", "cross")
DIGEST = "sha256:" + "1" * 64


def png(width: int, height: int, rows: bytes, colour: int = 0, depth: int = 8, palette: bytes = b"") -> bytes:
    """A PNG of unfiltered rows (without filter bytes)."""
    stride = len(rows) // height
    raw = b"".join(b"\0" + rows[at : at + stride] for at in range(0, len(rows), stride))
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [(b"IHDR", head), *([(b"PLTE", palette)] if palette else []), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    chunks = (struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def picture(label: int, rng: random.Random, side: int = 12) -> bytes:
    """A grey bar, pole or cross with noise: learnable, never twice the same."""
    rows = bytearray()
    for y in range(side):
        for x in range(side):
            on = (label != 1 and abs(y - side // 2) < 2) or (label != 0 and abs(x - side // 2) < 2)
            rows.append(max(0, min(255, (200 if on else 30) + rng.randint(-25, 25))))
    return png(side, side, bytes(rows))


class Scene(unittest.TestCase):
    """A fresh job folder per test, with a dataset whose class order is not alphabetical."""

    def setUp(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="trainer-sdk-"))
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        for name in ("output", "checkpoints", "input"):
            (self.root / name).mkdir()
        self.dataset = self.root / "dataset"
        self.write_dataset()

    def write_dataset(self, train: int = 8, val: int = 4) -> None:
        rng = random.Random(7)
        splits: dict[str, Any] = {}
        for split, count in (("train", train), ("val", val)):
            images = []
            for label, name in enumerate(NAMES):
                for number in range(count):
                    image = f"{split}/{name}/{number:03d}.png"
                    (self.dataset / image).parent.mkdir(parents=True, exist_ok=True)
                    (self.dataset / image).write_bytes(picture(label, rng))
                    images.append(image)
            (self.dataset / f"{split}.txt").write_text("\n".join(images) + "\n")
            splits[split] = {"images": split, "list": f"{split}.txt", "count": len(images)}
        classes = [{"index": index, "name": name.upper(), "dir": name} for index, name in enumerate(NAMES)]
        self.write_json(
            self.dataset / "dataset.json",
            {
                "schema": "dataset@1",
                "name": "t",
                "task": "classify",
                "format": "imagefolder@1",
                "digest": DIGEST,
                "classes": classes,
                "splits": splits,
            },
        )

    def write_json(self, path: Path, value: Any) -> None:
        path.write_text(json.dumps(value))

    def edit_dataset(self, change: Callable[[dict[str, Any]], None]) -> None:
        raw = json.loads((self.dataset / "dataset.json").read_text())
        change(raw)
        self.write_json(self.dataset / "dataset.json", raw)

    def job(self, command: str, **fields: Any) -> None:
        base = {
            "contract": "1.0", "jobId": "job_1", "attempt": 1, "command": command, "trainer": "@test/centroid@1.0.0",
            "task": "classify", "model": "centroid", "weights": None, "config": {}, "configDigest": "sha256:c", "seed": 1,
            "dataset": {"path": "dataset", "format": "imagefolder@1", "digest": DIGEST}, "device": {"kind": "cpu", "count": 1},
            "resume": None, "limits": {"cpus": 1, "memoryBytes": 1 << 30, "shmBytes": 0, "maxSeconds": 600}, "grace": 10,
        }  # fmt: skip
        self.write_json(self.root / "job.json", {**base, **fields})

    def start(self, command: str, script: Path = CENTROID / "train.py") -> subprocess.Popen[str]:
        env = {**os.environ, "PYTHONPATH": str(SDK), "PYTHONDONTWRITEBYTECODE": "1"}
        argv = [sys.executable, str(script), command, "--job", str(self.root)]
        return subprocess.Popen(argv, cwd="/tmp", env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run_verb(self, command: str, script: Path = CENTROID / "train.py", **fields: Any) -> tuple[int, list[dict[str, Any]], str]:
        """Exit code, events, stdout; the events' grammar is checked every time."""
        (self.root / "output" / "events.jsonl").unlink(missing_ok=True)
        self.job(command, **fields)
        process = self.start(command, script)
        stdout, self.stderr = process.communicate(timeout=60)
        events = self.events()
        self.check_grammar(events, process.returncode)
        return process.returncode, events, stdout

    def events(self) -> list[dict[str, Any]]:
        file = self.root / "output" / "events.jsonl"
        if not file.exists():
            return []
        return [json.loads(line) for line in file.read_text().split("\n")[:-1]]

    def wait_for(self, condition: Callable[[list[dict[str, Any]]], bool], seconds: float = 20) -> list[dict[str, Any]]:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            events = self.events()
            if condition(events):
                return events
            time.sleep(0.02)
        self.fail("the expected events did not come in time")

    def check_grammar(self, events: list[dict[str, Any]], code: int) -> None:
        self.assertEqual([event["seq"] for event in events], list(range(1, len(events) + 1)))
        terminal = [event["type"] for event in events if event["type"] in ("finished", "stopped", "failed")]
        wanted = "finished" if code == 0 else "stopped" if code == 75 else "failed"
        self.assertEqual(terminal, [wanted], self.stderr)
        self.assertEqual(events[-1]["type"], wanted)
        open_phases: list[str] = []
        step = 0
        for event in events:
            if event["type"] == "phase" and event["state"] == "begin":
                open_phases.append(event["name"])
            elif event["type"] == "phase":
                self.assertEqual(open_phases.pop(), event["name"])
            elif event["type"] == "metric":
                self.assertGreaterEqual(event["step"], step)
                step = event["step"]
        self.assertEqual(open_phases, [])

    def index(self) -> dict[str, Any]:
        return dict(json.loads((self.root / "checkpoints" / "index.json").read_text()))
