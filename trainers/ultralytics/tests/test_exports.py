"""Every format once, each opened in its own runtime and compared with the checkpoint; options; what is refused."""

from __future__ import annotations

import json
import os
import shutil
import unittest
from typing import Any

from parts import PACKAGE, SMALL, Parts


class Exports(Parts):
    def test_every_format(self) -> None:
        code, events = self.run_here("train", config={**SMALL, "epochs": 1})
        self.assertEqual(code, 0, events[-1])
        checkpoint = self.keep(events[-1]["best"]["checkpoint"])
        for format_ in ("onnx", "torchscript", "openvino", "ncnn", "tflite", "coreml"):
            with self.subTest(format_):
                meta = self.export(format_, checkpoint)
                self.assertEqual(meta["outputs"][0]["semantics"], "yolo-raw")
                self.assertEqual(meta["outputs"][0]["shape"], [1, 7, 84])
                if format_ == "coreml":
                    self.assertIsNone(meta["verification"])
                    self.assertTrue(meta["verificationReason"])
                else:
                    self.assertGreaterEqual(meta["verification"]["inputs"], 16)
                    self.evaluate(format_, events[-1]["metrics"])
        with self.subTest("nms inside"):
            meta = self.export("onnx", checkpoint, options={"nms": True})
            self.assertEqual((meta["outputs"][0]["semantics"], meta["outputs"][0]["shape"]), ("yolo-end2end", [1, 300, 6]))
        with self.subTest("refused"):
            request = {"format": "tensorrt", "precision": "fp32", "dynamic": [], "options": {}}
            code, events = self.run_here("export", checkpoint=checkpoint, dataset=None, export=request)
            self.assertEqual(code, 69, events[-1])
            code, events = self.run_here("export", checkpoint=checkpoint, dataset=None, export={**request, "format": "onnx", "options": {"opset": 3}})
            self.assertEqual((code, events[-1]["code"]), (78, "config.invalid"))

    def export(self, format_: str, checkpoint: dict[str, str], **more: Any) -> dict[str, Any]:
        request = {"format": format_, "precision": "fp32", "dynamic": [], "options": {}, **more}
        code, events = self.run_here("export", checkpoint=checkpoint, dataset=None, export=request)
        self.assertEqual(code, 0, events[-1])
        out = self.root / "output/export"
        meta = dict(json.loads((out / "metadata.json").read_text()))
        for entry in meta["artifact"]["files"]:
            raw = (out / entry["path"]).read_bytes()
            for word in (str(self.root), str(PACKAGE), "site-packages", os.path.expanduser("~") + "/"):
                self.assertNotIn(word.encode(), raw, f"{entry['path']} names {word}")
        return meta

    def evaluate(self, format_: str, wanted: dict[str, float]) -> None:
        shutil.rmtree(self.root / "input/model", ignore_errors=True)
        shutil.copytree(self.root / "output/export", self.root / "input/model")
        code, events = self.run_here("evaluate", modelArtifact={"path": "input/model", "format": format_})
        self.assertEqual(code, 0, events[-1])
        self.assertAlmostEqual(events[-1]["metrics"]["map50"], wanted["map50"], delta=0.05)

    def test_the_yolo26_head_for_ncnn(self) -> None:
        """A runtime without top-k gets the other head: raw boxes, NMS in the op list."""
        code, events = self.run_here("train", model="yolo26-pico", config={**SMALL, "epochs": 1})
        checkpoint = self.keep(events[-1]["best"]["checkpoint"])
        request = {"format": "ncnn", "precision": "fp32", "dynamic": [], "options": {}}
        code, events = self.run_here("export", model="yolo26-pico", checkpoint=checkpoint, dataset=None, export=request)
        self.assertEqual(code, 0, events[-1])
        meta = json.loads((self.root / "output/export/metadata.json").read_text())
        self.assertEqual(meta["outputs"][0]["semantics"], "yolo-raw")
        self.assertIn("nms", [step["op"] for step in meta["postprocess"]])


if __name__ == "__main__":
    unittest.main()
