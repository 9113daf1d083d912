"""Small datasets of every format, made in a temporary folder: two images of 20 x 10 pixels in each split, every class in both."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
import unittest
from pathlib import Path
from typing import Any

from scene import png
from trainer_sdk import Problem, Sample
from trainer_sdk._dataset import Dataset, open_dataset
from trainer_sdk._validate import find_problems

WIDTH, HEIGHT = 20, 10
NAMES = ("nut", "bolt")
POINTS = {"names": ["head", "tip"], "skeleton": [[0, 1]], "flipIndex": [1, 0], "sigmas": [0.05, 0.1]}
TASK = {"yolo-detect@1": "detect", "yolo-segment@1": "segment", "yolo-pose@1": "pose", "yolo-obb@1": "obb", "mask-png@1": "semantic"}
ROWS = {
    "yolo-detect@1": "{c} 0.5 0.5 0.5 0.4\n",
    "yolo-segment@1": "{c} 0.1 0.1 0.9 0.1 0.5 0.8\n",
    "yolo-pose@1": "{c} 0.5 0.5 0.5 0.4 0.25 0.5 2 0.75 0.5 1\n",
    "yolo-obb@1": "{c} 0.5 0.1 0.9 0.5 0.5 0.9 0.1 0.5\n",
}


class Datasets(unittest.TestCase):
    def setUp(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="trainer-sdk-data-"))
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)

    def make(self, format_: str, **more: Any) -> None:
        """All of one format; `more` goes into dataset.json."""
        rng = random.Random(3)
        splits: dict[str, Any] = {}
        for split in ("train", "val"):
            images = [f"images/{split}/{number}.png" for number in (1, 2)]
            for image in images:
                self.put(image, png(WIDTH, HEIGHT, rng.randbytes(WIDTH * HEIGHT)))
            self.put(f"{split}.txt", "".join(f"{image}\n" for image in images))
            splits[split] = {"images": f"images/{split}", "list": f"{split}.txt", "count": 2}
            if format_ == "coco@1":
                splits[split]["annotations"] = f"annotations/{split}.json"
                self.put_coco(split)
                continue
            folder = "masks" if format_ == "mask-png@1" else "labels"
            splits[split]["annotations"] = f"{folder}/{split}"
            for label, image in enumerate(images):
                if format_ == "mask-png@1":
                    self.put(image.replace("images", "masks"), png(WIDTH, HEIGHT, bytes([label]) * WIDTH * HEIGHT))
                else:
                    self.put(image.replace("images", "labels").replace("png", "txt"), ROWS[format_].format(c=label))
        raw: dict[str, Any] = {"schema": "dataset@1", "name": "t", "task": TASK.get(format_, "detect"), "format": format_, "digest": "sha256:1"}
        raw |= {"snapshot": "s", "classes": [{"index": at, "name": name} for at, name in enumerate(NAMES)], "splits": splits}
        raw |= {"keypoints": POINTS} if format_ == "yolo-pose@1" else {}
        self.put("dataset.json", json.dumps({**raw, **more}))

    def put(self, path: str, content: str | bytes) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)

    def put_coco(self, split: str, annotations: list[dict[str, Any]] | None = None, **more: Any) -> None:
        """Category ids have gaps and another order than the classes; one entry a line."""
        entries = annotations
        if entries is None:
            box = {"bbox": [5, 3, 10, 4], "iscrowd": 0, "area": 40}
            entries = [{"image_id": 11, "category_id": 7, **box}, {"image_id": 12, "category_id": 3, **box}]
        entries = [{"id": at + 1, **entry} for at, entry in enumerate(entries)]
        images = [{"id": 10 + number, "file_name": f"{number}.png", "width": WIDTH, "height": HEIGHT} for number in (1, 2)]
        raw = {"images": images, "categories": [{"id": 3, "name": "bolt"}, {"id": 7, "name": "nut"}], "annotations": entries, **more}
        lists = ",\n".join(f'"{key}": [\n' + ",\n".join(map(json.dumps, value)) + "\n]" for key, value in raw.items())
        self.put(f"annotations/{split}.json", "{\n" + lists + "\n}\n")

    def dataset(self) -> Dataset:
        return open_dataset(self.root)

    def samples(self, split: str = "train") -> list[Sample]:
        return list(self.dataset().split(split).samples())

    def problems(self, decode: bool = True) -> list[Problem]:
        return find_problems(self.root, None, decode, lambda: None)

    def told(self, code: str, words: str, path: str, hint: str = "") -> Problem:
        """There is exactly one error, and this is it."""
        found = [problem for problem in self.problems() if problem.severity == "error"]
        self.assertEqual([(problem.code, problem.path) for problem in found], [(code, path)], [problem.as_dict() for problem in found])
        self.assertIn(words, found[0].message)
        self.assertTrue(found[0].hint)
        self.assertIn(hint, found[0].hint or "")
        return found[0]
