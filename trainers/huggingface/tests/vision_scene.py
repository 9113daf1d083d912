"""Job folders with small generated data for the three tasks, and the trainer run in this process: the library is imported once."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
PACKAGE = Path(__file__).resolve().parents[1]
SOURCE = PACKAGE / "src"
sys.path[:0] = [str(SOURCE), str(PACKAGE.parents[1] / "plugin-sdk/python/tests"), str(PACKAGE.parent / "testing")]

import numpy  # noqa: E402
import torch  # noqa: E402
from huggingface_trainer.app import app  # noqa: E402
from PIL import Image  # noqa: E402
from scene import DIGEST, NAMES, Scene  # noqa: E402
from trainer_sdk._state import load_state  # noqa: E402

torch.set_num_threads(1)
MODELS = {"classify": "resnet-nano", "detect": "rtdetr-nano", "semantic": "segformer-nano"}
FORMATS = {"classify": "imagefolder@1", "detect": "coco@1", "semantic": "mask-png@1"}
#: A short run of each task.
SMALL: dict[str, dict[str, Any]] = {
    "classify": {"epochs": 2, "batch": 8, "image_size": 32, "learning_rate": 0.004, "rrc_scale": [0.8, 1], "hflip": 0, "workers": 0},
    "detect": {"epochs": 1, "batch": 4, "image_size": 64, "learning_rate": 0.001, "backbone_lr_factor": 1, "workers": 0},
    "semantic": {"epochs": 2, "batch": 4, "image_size": 64, "learning_rate": 0.002, "random_crop": False, "workers": 0},
}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """`validate` prints its document on the process's own stdout."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


class VisionScene(Scene):
    task = "classify"

    def run_here(self, command: str, **fields: Any) -> tuple[int, list[dict[str, Any]]]:
        """Exit code and events. TRAINYARD_STRICT makes keys that were not reported fail."""
        os.environ["TRAINYARD_STRICT"] = "1"
        (self.root / "output" / "events.jsonl").unlink(missing_ok=True)
        self.vision_job(command, **fields)
        self.stderr = ""
        with _quiet():
            code = app.run([command, "--job", str(self.root)])
        events = self.events()
        self.check_grammar(events, code)
        return code, events

    def vision_job(self, command: str, **fields: Any) -> None:
        dataset = {"path": "dataset", "format": FORMATS[self.task], "digest": DIGEST}
        base = {"task": self.task, "model": MODELS[self.task], "config": SMALL[self.task], "dataset": dataset}
        self.job(command, **{**base, **fields})

    def write_scenes(self, task: str, train: int = 8, val: int = 4, size: tuple[int, int] = (80, 64)) -> None:
        """Grey pictures with one bright bar or block each; class order is not alphabetical."""
        self.task = task
        if task == "classify":
            self.write_dataset(train, val)
            return
        shutil.rmtree(self.dataset)
        random = numpy.random.default_rng(5)
        splits: dict[str, Any] = {}
        for split, count in (("train", train), ("val", val)):
            rows = [self._scene(split, number, size, random) for number in range(count)]
            images = [row[0] for row in rows]
            (self.dataset / f"{split}.txt").write_text("\n".join(images) + "\n")
            folder = "annotations" if task == "detect" else "masks"
            entry: dict[str, Any] = {"images": f"images/{split}", "list": f"{split}.txt", "count": count}
            entry["annotations"] = f"annotations/{split}.json" if task == "detect" else f"masks/{split}"
            splits[split] = entry
            if task == "detect":
                self._write_coco(self.dataset / folder / f"{split}.json", split, rows, size)
        classes = [{"index": index, "name": name} for index, name in enumerate(NAMES)]
        raw = {"schema": "dataset@1", "name": "t", "task": task, "format": FORMATS[task], "digest": DIGEST, "classes": classes, "splits": splits}
        self.write_json(self.dataset / "dataset.json", raw)

    def _scene(self, split: str, number: int, size: tuple[int, int], random: Any) -> tuple[str, int, list[int]]:
        width, height = size
        label = int(number % len(NAMES))
        w, h = ((28, 10), (10, 28), (20, 20))[label]
        x, y = int(random.integers(0, width - w)), int(random.integers(0, height - h))
        pixels = random.integers(20, 70, (height, width), dtype="uint8")
        pixels[y : y + h, x : x + w] = random.integers(170, 230, (h, w), dtype="uint8")
        image = f"images/{split}/{number:03d}.png"
        (self.dataset / image).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).convert("RGB").save(self.dataset / image)
        if self.task == "semantic":
            mask = numpy.zeros((height, width), dtype="uint8")
            mask[y : y + h, x : x + w] = label
            mask[:2] = 255
            file = self.dataset / f"masks/{split}/{number:03d}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(file)
        return image, label, [x, y, w, h]

    def _write_coco(self, file: Path, split: str, rows: list[tuple[str, int, list[int]]], size: tuple[int, int]) -> None:
        """Category ids with gaps, in another order than the classes."""
        file.parent.mkdir(parents=True, exist_ok=True)
        images, annotations = [], []
        for number, (image, label, box) in enumerate(rows):
            images.append({"id": number, "file_name": image.removeprefix(f"images/{split}/"), "width": size[0], "height": size[1]})
            annotations.append({
                "id": number, "image_id": number, "category_id": 30 - 7 * label, "bbox": box, "area": box[2] * box[3], "iscrowd": 0,
            })  # fmt: skip
        categories = [{"id": 30 - 7 * index, "name": name} for index, name in enumerate(NAMES)]
        self.write_json(file, {"images": images, "annotations": annotations, "categories": categories})

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

    def weights(self) -> torch.Tensor:
        """All numbers of the newest checkpoint's network in one row."""
        net = load_state(self.root / "checkpoints" / str(self.index()["last"]))["net"]
        return torch.cat([value.double().flatten() for value in net.values()])
