"""Scenes of three parts in every format, made in the test; and the framework run in this process, imported once for all tests."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TRAINYARD_STRICT"] = "1"
PACKAGE = Path(__file__).resolve().parents[1]
SOURCE = PACKAGE / "src"
sys.path[:0] = [str(SOURCE), str(PACKAGE.parents[1] / "plugin-sdk/python/tests"), str(PACKAGE.parent / "testing")]

import cv2  # noqa: E402
import numpy  # noqa: E402
from scene import DIGEST, Scene  # noqa: E402
from ultralytics_trainer.app import app  # noqa: E402

#: Not in alphabetical order.
NAMES = ("washer", "bolt", "nut")
FORMATS = {
    "detect": "yolo-detect@1", "segment": "yolo-segment@1", "pose": "yolo-pose@1", "obb": "yolo-obb@1", "classify": "imagefolder@1",
    "semantic": "mask-png@1",
}  # fmt: skip
PROBES = {
    "detect": "yolov8-pico", "segment": "yolov8-pico-seg", "pose": "yolov8-pico-pose", "obb": "yolov8-pico-obb",
    "classify": "yolov8-pico-cls", "semantic": "yolo26-pico-sem",
}  # fmt: skip
#: Two short epochs, one batch per step, no warm-up to speak of.
SMALL: dict[str, Any] = {"epochs": 2, "batch": 4, "image_size": 64, "optimizer": "AdamW", "learning_rate": 0.004, "nbs": 4, "warmup_epochs": 0}
SIDE = 72


def part(kind: int, centre: tuple[int, int], radius: int, angle: float) -> Any:
    """Corner points of one object: a square, a bar, a triangle."""
    corners = {0: 4, 1: 4, 2: 3}[kind]
    turn = [angle + index * 2 * math.pi / corners + (math.pi / 4 if corners == 4 else 0) for index in range(corners)]
    points = numpy.array([[radius * math.cos(at), radius * math.sin(at)] for at in turn])
    if kind == 1:
        along = numpy.array([math.cos(angle), math.sin(angle)])
        points -= 0.6 * (points @ numpy.array([-along[1], along[0]]))[:, None] * numpy.array([-along[1], along[0]])
    return points + numpy.array(centre)


class Parts(Scene):
    """A job folder with a small dataset of the task."""

    task = "detect"

    def setUp(self) -> None:
        super().setUp()
        self.make(self.task)

    def make(self, task: str, train: int = 8, val: int = 4, classes_of_val: tuple[int, ...] = (0, 1, 2)) -> None:
        self.task = task
        shutil.rmtree(self.dataset)
        random = numpy.random.default_rng(3)
        splits: dict[str, Any] = {}
        for split, count in (("train", train), ("val", val)):
            images = [self._scene(task, split, number, random, classes_of_val if split == "val" else (0, 1, 2)) for number in range(count)]
            (self.dataset / f"{split}.txt").write_text("".join(f"{image}\n" for image in images))
            entry = {"images": split if task == "classify" else f"images/{split}", "list": f"{split}.txt", "count": count}
            if task != "classify":
                entry["annotations"] = f"{'masks' if task == 'semantic' else 'labels'}/{split}"
            splits[split] = entry
        raw: dict[str, Any] = {
            "schema": "dataset@1", "name": "parts", "task": task, "format": FORMATS[task], "digest": DIGEST, "splits": splits,
            "classes": [{"index": index, "name": name, **({"dir": name} if task == "classify" else {})} for index, name in enumerate(NAMES)],
        }  # fmt: skip
        if task == "pose":
            raw["keypoints"] = {"names": ["first", "second"], "skeleton": [[0, 1]], "flipIndex": [0, 1], "sigmas": [0.1, 0.1]}
        if task == "semantic":
            raw["classes"].insert(0, {"index": 0, "name": "belt"})
            raw["classes"] = [{**entry, "index": index} for index, entry in enumerate(raw["classes"])]
        self.write_json(self.dataset / "dataset.json", raw)

    def _scene(self, task: str, split: str, number: int, random: Any, kinds: tuple[int, ...]) -> str:
        height, width = SIDE, SIDE + 24 * (number % 2)
        image = numpy.full((height, width, 3), random.integers(60, 120), dtype="uint8")
        mask = numpy.zeros((height, width), dtype="uint8")
        lines: list[str] = []
        chosen = [kinds[number % len(kinds)]] if task == "classify" else [kinds[(number + extra) % len(kinds)] for extra in range(2)]
        for place, kind in enumerate(chosen):
            centre = (int(width * (0.5 if task == "classify" else 0.28 + 0.44 * place)), int(height * random.uniform(0.4, 0.6)))
            points = part(kind, centre, int(SIDE * 0.2), float(random.uniform(0, math.pi / 2)))
            cv2.fillPoly(image, [points.astype("int32")], tuple(int(value) for value in random.integers(160, 250, 3)))
            cv2.fillPoly(mask, [points.astype("int32")], kind + 1)
            lines.append(self._label(task, kind, points, width, height))
        image = numpy.clip(image + random.normal(0, 4, image.shape), 0, 255).astype("uint8")
        name = f"{number:03d}.png"
        path = f"{split}/{NAMES[chosen[0]]}/{name}" if task == "classify" else f"images/{split}/{name}"
        self._write(path, cv2.imencode(".png", image)[1].tobytes())
        if task == "semantic":
            self._write(f"masks/{split}/{name}", cv2.imencode(".png", mask)[1].tobytes())
        elif task != "classify":
            self._write(f"labels/{split}/{number:03d}.txt", "".join(f"{line}\n" for line in lines).encode())
        return path

    def _label(self, task: str, kind: int, points: Any, width: int, height: int) -> str:
        size = numpy.array([width, height])
        low, high = points.min(0) / size, points.max(0) / size
        box = [*((low + high) / 2), *(high - low)]
        numbers: list[float] = list(box)
        if task == "segment":
            numbers = list((points / size).reshape(-1))
        elif task == "obb":
            numbers = list((cv2.boxPoints(cv2.minAreaRect(points.astype("float32"))) / size).reshape(-1))
        elif task == "pose":
            numbers += [value for point in (points[0], points[-1]) for value in (*(point / size), 2)]
        return " ".join([str(kind), *(f"{min(max(float(value), 0), 1) if value != 2 else 2:.6f}" for value in numbers)])

    def _write(self, path: str, data: bytes) -> None:
        (self.dataset / path).parent.mkdir(parents=True, exist_ok=True)
        (self.dataset / path).write_bytes(data)

    def fields(self, **more: Any) -> dict[str, Any]:
        base: dict[str, Any] = {
            "trainer": "@trainyard/ultralytics@1.0.0", "task": self.task, "model": PROBES[self.task], "config": SMALL,
            "dataset": {"path": "dataset", "format": FORMATS[self.task], "digest": DIGEST},
        }  # fmt: skip
        return {**base, **more}

    def run_here(self, command: str, **fields: Any) -> tuple[int, list[dict[str, Any]]]:
        (self.root / "output" / "events.jsonl").unlink(missing_ok=True)
        self.job(command, **self.fields(**fields))
        self.stderr = ""
        code = app.run([command, "--job", str(self.root)])
        events = self.events()
        self.check_grammar(events, code)
        return code, events

    def spawn(self, command: str, wrap: tuple[str, ...] = (), **fields: Any) -> subprocess.Popen[str]:
        (self.root / "output" / "events.jsonl").unlink(missing_ok=True)
        self.job(command, **self.fields(**fields))
        env = {**os.environ, "PYTHONPATH": str(SOURCE)}
        argv = [*wrap, sys.executable, "-m", "ultralytics_trainer", command, "--job", str(self.root)]
        return subprocess.Popen(argv, env=env, cwd="/tmp", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def keep(self, checkpoint: str) -> dict[str, str]:
        """Puts a checkpoint where the runner would for evaluate, predict and export."""
        entry = next(entry for entry in self.index()["history"] if entry["id"] == checkpoint)
        target = self.root / "input/checkpoint"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.root / entry["path"], target)
        return {"path": "input/checkpoint", "sha256": entry["sha256"]}

    def effective(self) -> dict[str, dict[str, Any]]:
        return dict(json.loads((self.root / "output/config.effective.json").read_text())["values"])

    def predictions(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.root / "output/predictions.jsonl").read_text().splitlines()]

    def warnings(self, events: list[dict[str, Any]]) -> list[str]:
        return [event["code"] for event in events if event["type"] == "warning"]
