"""Train, evaluate, predict, export of each task, and the exported model as input."""

from __future__ import annotations

import json
import os
import shutil
import unittest
from typing import Any

import numpy
from PIL import Image
from vision_scene import PACKAGE, SMALL, VisionScene, app


class Flow(VisionScene):
    def go_through(self, task: str, config: dict[str, Any], formats: tuple[str, ...], train: int, primary: tuple[str, float]) -> None:
        self.write_scenes(task, train=train, val=6)
        code, events = self.run_here("train", config={**SMALL[task], **config})
        self.assertEqual(code, 0, events[-1])
        name, floor = primary
        self.assertGreaterEqual(events[-1]["metrics"][name], floor)
        declared = {name for event in events if event["type"] == "metric" for name in event["values"]}
        self.assertEqual(declared, set(app.manifest.task(task)["metrics"]["declared"]))
        best = events[-1]["best"]
        # evaluate reproduces the best value of training: the trained network and the saved one are the same.
        self.assertAlmostEqual(events[-1]["metrics"][best["metric"]["name"]], best["metric"]["value"], delta=1e-3)
        checkpoint = self.keep(best["checkpoint"])
        code, evaluated = self.run_here("evaluate", checkpoint=checkpoint)
        self.assertEqual((code, evaluated[-1]["metrics"]), (0, events[-1]["metrics"]))
        self.check_metrics(task)
        by_checkpoint = self.predict(checkpoint=checkpoint)
        for format_ in formats:
            with self.subTest(format=format_):
                self.export(format_, checkpoint)
                self.compare(by_checkpoint, self.predict(modelArtifact={"path": "input/model", "format": format_}))

    def check_metrics(self, task: str) -> None:
        raw = json.loads((self.root / "output/metrics.json").read_text())
        self.assertEqual([entry["name"] for entry in raw["perClass"]], ["WIDE", "TALL", "CROSS"] if task == "classify" else ["wide", "tall", "cross"])
        labels = raw["confusion"]["labels"]
        self.assertEqual(len(raw["confusion"]["matrix"]), len(labels))
        self.assertEqual(labels[-1] == "background", task == "detect")
        lines = self.predictions()
        listed = (self.dataset / "val.txt").read_text().split()
        self.assertEqual([line["image"] for line in lines], listed)
        if task == "detect":
            # Nothing is cut off at a score that is only meant for showing.
            self.assertEqual({len(line["instances"]) for line in lines}, {30})
            self.assertIn("pr", raw["curves"])
        if task == "semantic":
            with Image.open(self.root / "output" / lines[0]["mask"]) as mask:
                self.assertEqual((mask.size, mask.mode), ((80, 64), "L"))

    def predict(self, **fields: Any) -> list[dict[str, Any]]:
        images = self.root / "input/images"
        if not images.exists():
            shutil.copytree(self.dataset / ("val" if self.task == "classify" else "images/val"), images)
            Image.new("L", (50, 30), 90).save(images / "zz-grey.png")
            (images / "zz-broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing")
        code, events = self.run_here("predict", dataset=None, predict={"source": "input/images", "threshold": 0.05}, **fields)
        self.assertEqual(code, 0, events[-1])
        self.assertIn("images_skipped", [event.get("code") for event in events])
        lines = self.predictions()
        for line in lines:
            if "mask" in line:
                line["pixels"] = numpy.asarray(Image.open(self.root / "output" / line["mask"]))
        return lines

    def export(self, format_: str, checkpoint: dict[str, str]) -> None:
        request = {"format": format_, "precision": "fp32", "dynamic": ["batch"] if format_ == "onnx" else [], "options": {}}
        code, events = self.run_here("export", checkpoint=checkpoint, export=request)
        self.assertEqual(code, 0, events[-1])
        out = self.root / "output/export"
        meta = json.loads((out / "metadata.json").read_text())
        self.assertTrue(meta["verification"]["passed"])
        self.assertGreaterEqual(meta["verification"]["inputs"], 16)
        self.assertEqual([entry["name"] for entry in meta["outputs"]], ["logits", "pred_boxes"] if self.task == "detect" else ["logits"])
        with Image.open(out / "selftest/input.png") as image:
            self.assertNotEqual(image.width, image.height)
        words = [str(self.root), str(PACKAGE), "site-packages", os.path.expanduser("~")]
        for entry in meta["artifact"]["files"]:
            raw = (out / entry["path"]).read_bytes()
            self.assertEqual([word for word in words if word.encode() in raw], [])
        if format_ == "onnx":
            self.assertEqual((meta["inputs"][0]["shape"][0], meta["artifact"]["opset"]), ("batch", 17))
            self.more_than_one(out)
        shutil.rmtree(self.root / "input/model", ignore_errors=True)
        shutil.copytree(out, self.root / "input/model")

    def more_than_one(self, out: Any) -> None:
        """A batch of three gives three times what one gives."""
        import onnxruntime

        session = onnxruntime.InferenceSession(str(out / "model.onnx"))
        array = numpy.load(out / "selftest/input.npy")
        found = session.run(None, {"images": numpy.concatenate([array] * 3)})[0]
        self.assertEqual(len(found), 3)
        self.assertLess(float(numpy.abs(found[2] - numpy.load(out / "selftest/output-0.npy")[0]).max()), 1e-3)

    def compare(self, ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
        for a, b in zip(ours, theirs, strict=True):
            if "classes" in a:
                self.assertEqual(a["classes"][0]["class"], b["classes"][0]["class"])
                self.assertAlmostEqual(a["classes"][0]["score"], b["classes"][0]["score"], delta=1e-2)
            elif "mask" in a:
                self.assertGreater(float((a["pixels"] == b["pixels"]).mean()), 0.98)
            else:
                self.assertEqual(len(a["instances"]), len(b["instances"]))
                for x, y in zip(a["instances"][:3], b["instances"][:3], strict=True):
                    self.assertAlmostEqual(x["score"], y["score"], delta=1e-2)

    def test_classify(self) -> None:
        self.go_through("classify", {"epochs": 8}, ("onnx", "torchscript", "openvino"), 16, ("top1", 0.8))

    def test_detect(self) -> None:
        # After two steps all scores are alike: which thirty places go on must not be a matter of rounding.
        self.go_through("detect", {}, ("onnx", "openvino"), 8, ("map50", 0.0))

    def test_semantic(self) -> None:
        self.go_through("semantic", {"epochs": 4}, ("onnx", "torchscript", "openvino"), 8, ("miou", 0.25))

    def test_yolo_labels_and_an_export_that_is_not_offered(self) -> None:
        self.write_scenes("detect", train=4, val=3)
        for split in ("train", "val"):
            coco = json.loads((self.dataset / f"annotations/{split}.json").read_text())
            for image, entry in zip(coco["images"], coco["annotations"], strict=True):
                x, y, w, h = entry["bbox"]
                line = f"{(30 - entry['category_id']) // 7} {(x + w / 2) / 80} {(y + h / 2) / 64} {w / 80} {h / 64}\n"
                file = self.dataset / f"labels/{split}" / image["file_name"].replace(".png", ".txt")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(line)
        self.edit_dataset(_as_yolo)
        dataset = {"path": "dataset", "format": "yolo-detect@1"}
        code, events = self.run_here("train", dataset=dataset)
        self.assertEqual(code, 0, events[-1])
        request = {"format": "torchscript", "precision": "fp32", "dynamic": [], "options": {}}
        code, events = self.run_here("export", checkpoint=self.keep(events[-1]["best"]["checkpoint"]), export=request, dataset=None)
        self.assertEqual((code, events[-1]["code"]), (69, "unsupported.combination"))


def _as_yolo(raw: dict[str, Any]) -> None:
    raw["format"] = "yolo-detect@1"
    for name, split in raw["splits"].items():
        split["annotations"] = f"labels/{name}"


if __name__ == "__main__":
    unittest.main()
