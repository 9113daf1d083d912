"""Every task once, with the real framework: train, evaluate, predict, export. Run with the environment of requirements.lock:

python -m unittest discover -s trainers/ultralytics/tests
"""

from __future__ import annotations

import json
import os
import shutil
import unittest
from typing import Any

from parts import NAMES, PACKAGE, PROBES, SMALL, Parts, app


class Tasks(Parts):
    def through(self, task: str, model: str | None = None, **export: Any) -> list[dict[str, Any]]:
        """train → evaluate → predict → export → predict with the export."""
        self.make(task)
        model = model or PROBES[task]
        code, events = self.run_here("train", model=model)
        self.assertEqual(code, 0, events[-1])
        self.check_training(task, model, events)
        checkpoint = self.keep(events[-1]["best"]["checkpoint"])
        code, evaluated = self.run_here("evaluate", model=model, checkpoint=checkpoint)
        self.assertEqual(code, 0, evaluated[-1])
        best = events[-1]["best"]["metric"]
        self.assertAlmostEqual(evaluated[-1]["metrics"][best["name"]], best["value"], delta=1e-3)
        self.assertEqual([line["image"] for line in self.predictions()], (self.dataset / "val.txt").read_text().split())
        by_checkpoint = self.predict(model, checkpoint=checkpoint)
        request = {"format": "onnx", "precision": "fp32", "dynamic": ["batch"], "options": {}, **export}
        code, exported = self.run_here("export", model=model, checkpoint=checkpoint, dataset=None, export=request)
        self.assertEqual(code, 0, exported[-1])
        self.check_export(task)
        shutil.rmtree(self.root / "input/model", ignore_errors=True)
        shutil.copytree(self.root / "output/export", self.root / "input/model")
        by_export = self.predict(model, modelArtifact={"path": "input/model", "format": "onnx"})
        self.check_alike(by_checkpoint, by_export)
        return events

    def predict(self, model: str, **fields: Any) -> list[dict[str, Any]]:
        images = self.root / "input/images"
        shutil.rmtree(images, ignore_errors=True)
        shutil.copytree(self.dataset / ("val" if self.task == "classify" else "images/val"), images)
        wanted = {"source": "input/images", "threshold": 0.002}
        code, events = self.run_here("predict", model=model, dataset=None, predict=wanted, **fields)
        self.assertEqual(code, 0, events[-1])
        return self.predictions()

    def check_training(self, task: str, model: str, events: list[dict[str, Any]]) -> None:
        metrics = [event for event in events if event["type"] == "metric"]
        declared = {name for name in app.manifest.task(task)["metrics"]["declared"]}
        seen = {name for event in metrics for name in event["values"]}
        if model == PROBES[task]:
            self.assertLessEqual(declared, seen)
        self.assertTrue(all(name in declared or name.startswith("x/") for name in seen), seen - declared)
        # The framework's final evaluation would have been a third epoch of two.
        self.assertEqual([event["epoch"] for event in metrics if event["split"] == "val"], [1, 2])
        for event in (event for event in events if event["type"] == "checkpoint"):
            self.assertEqual((event["resumable"], event["format"]), (True, "safetensors"))
        names = {file.name for file in (self.root / "checkpoints").rglob("*") if file.is_file()}
        self.assertFalse([name for name in names if name.endswith((".pt", ".pkl"))], "a pickle in a checkpoint")

    def check_alike(self, ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
        for a, b in zip(ours, theirs, strict=True):
            self.assertEqual(a["image"], b["image"])
            if "classes" in a:
                self.assertEqual(a["classes"][0]["class"], b["classes"][0]["class"])
            elif "instances" in a:
                first = [(item["class"], round(item["score"], 2)) for item in a["instances"][:3]]
                self.assertEqual(first, [(item["class"], round(item["score"], 2)) for item in b["instances"][:3]])

    def check_export(self, task: str) -> None:
        out = self.root / "output/export"
        meta = json.loads((out / "metadata.json").read_text())
        self.assertTrue(meta["verification"]["passed"])
        self.assertGreaterEqual(meta["verification"]["inputs"], 16)
        self.assertEqual(meta["labels"], list(self.classes()))
        self.assertEqual(meta["license"], "AGPL-3.0-only")
        self.assertEqual(meta["inputs"][0]["shape"][0], "batch")
        for file in (entry["path"] for entry in meta["artifact"]["files"]):
            raw = (out / file).read_bytes()
            for word in (str(self.root), str(PACKAGE), "site-packages", os.path.expanduser("~") + "/"):
                self.assertNotIn(word.encode(), raw, f"{file} names {word}")

    def classes(self) -> tuple[str, ...]:
        return ("belt", *NAMES) if self.task == "semantic" else NAMES

    def test_detect(self) -> None:
        events = self.through("detect")
        self.assertNotIn("class_missing_in_val", self.warnings(events))
        report = json.loads((self.root / "output/metrics.json").read_text()) if (self.root / "output/metrics.json").exists() else {}
        self.assertEqual([entry["name"] for entry in report["perClass"]], list(NAMES))
        self.assertEqual(report["confusion"]["labels"], [*NAMES, "background"])
        self.assertFalse(list(self.dataset.rglob("*.cache")), "the label cache belongs into the view")

    def test_segment(self) -> None:
        self.through("segment")

    def test_pose(self) -> None:
        self.through("pose")

    def test_obb(self) -> None:
        self.through("obb")

    def test_classify(self) -> None:
        self.through("classify")

    def test_semantic(self) -> None:
        self.through("semantic")

    def test_a_head_without_nms(self) -> None:
        self.through("detect", "yolo26-pico")
        meta = json.loads((self.root / "output/export/metadata.json").read_text()) if (self.root / "output/export").exists() else {}
        self.assertEqual(meta["outputs"][0]["semantics"], "yolo-end2end")
        self.assertNotIn("nms", [step["op"] for step in meta["postprocess"]])


class ClassOrder(Parts):
    def test_a_class_missing_in_val_shifts_nothing(self) -> None:
        """Folder names are sorted by the framework, and each split's by itself: the view's numbered folders keep dataset.json's order."""
        self.make("classify", train=12, val=4, classes_of_val=(0, 2))
        code, events = self.run_here("train", config={**SMALL, "epochs": 12, "auto_augment": "none", "scale": 0.1, "erasing": 0})
        self.assertEqual(code, 0, events[-1])
        self.assertIn("class_missing_in_val", self.warnings(events))
        self.assertGreaterEqual(events[-1]["metrics"]["top1"], 0.5)
        report = json.loads((self.root / "output/metrics.json").read_text())
        self.assertEqual([(entry["name"], entry["support"]) for entry in report["perClass"]], [("washer", 2), ("bolt", 0), ("nut", 2)])


if __name__ == "__main__":
    unittest.main()
