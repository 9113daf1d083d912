"""Our figures by hand-made scenes whose values are known."""

from __future__ import annotations

import unittest
from pathlib import Path

from trainer_sdk import Sample
from trainer_sdk._objects import Object
from vision_scene import NAMES

from huggingface_trainer.outputs import Found
from huggingface_trainer.scoring import BoxScorer


class Boxes(unittest.TestCase):
    def score(self, truth: list[Object], found: list[dict[str, object]]) -> dict[str, object]:
        scorer = BoxScorer(NAMES)
        scorer.add(Sample("a.png", Path("a.png"), objects=tuple(truth)), (100, 100), Found(instances=found))
        return scorer.result()

    def test_all_found(self) -> None:
        truth = [Object(0, (10, 10, 50, 50)), Object(2, (60, 60, 90, 90))]
        found = [{"class": 0, "score": 0.9, "box": [10, 10, 50, 50]}, {"class": 2, "score": 0.8, "box": [60, 60, 90, 90]}]
        result = self.score(truth, found)
        self.assertEqual({name: round(value, 4) for name, value in result["metrics"].items()},
                         {"map50_95": 1.0, "map50": 1.0, "precision": 1.0, "recall": 1.0, "f1": 1.0})  # fmt: skip
        self.assertEqual(result["confusion"]["matrix"], [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]])

    def test_a_wrong_class_a_miss_and_a_crowd(self) -> None:
        truth = [Object(0, (10, 10, 50, 50)), Object(1, (60, 60, 90, 90)), Object(2, (0, 0, 100, 8), crowd=True)]
        found = [{"class": 1, "score": 0.9, "box": [10, 10, 50, 50]}, {"class": 2, "score": 0.7, "box": [5, 0, 40, 8]}]
        result = self.score(truth, found)
        self.assertEqual(result["metrics"]["map50"], 0.0)
        self.assertEqual([entry["support"] for entry in result["perClass"]], [1, 1, 0])
        self.assertEqual(result["confusion"]["matrix"][0][1], 1)
        self.assertEqual(result["confusion"]["matrix"][1][3], 1)

    def test_nothing_found(self) -> None:
        result = self.score([Object(0, (10, 10, 50, 50))], [])
        self.assertEqual((result["metrics"]["map50"], result["metrics"]["f1"]), (0.0, 0.0))


if __name__ == "__main__":
    unittest.main()
