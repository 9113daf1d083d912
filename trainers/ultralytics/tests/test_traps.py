"""Rows of contract.md 13.1 that the other files do not close: network, links, damaged data, NaN, weights."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import unittest

from parts import SMALL, SOURCE, Parts


class Traps(Parts):
    def test_no_network(self) -> None:
        """train, evaluate and export in a network namespace without a route: nothing is asked for, nothing waits for a name."""
        if os.name != "posix" or shutil.which("unshare") is None or subprocess.run(["unshare", "-n", "true"], check=False).returncode != 0:
            self.skipTest("not run: unshare -n needs Linux and the right to make namespaces")
        self.finish(self.spawn("train", wrap=("unshare", "-n"), config={**SMALL, "epochs": 1}))
        checkpoint = self.keep(self.events()[-1]["best"]["checkpoint"])
        self.finish(self.spawn("evaluate", wrap=("unshare", "-n"), checkpoint=checkpoint))
        request = {"format": "onnx", "precision": "fp32", "dynamic": [], "options": {}}
        self.finish(self.spawn("export", wrap=("unshare", "-n"), checkpoint=checkpoint, dataset=None, export=request))

    def finish(self, process: subprocess.Popen[str]) -> None:
        _, err = process.communicate(timeout=240)
        self.assertEqual(process.returncode, 0, err[-2000:])

    def test_describe_imports_no_framework(self) -> None:
        code = "import sys, ultralytics_trainer.app; print([name for name in ('torch', 'ultralytics', 'numpy', 'cv2') if name in sys.modules])"
        env = {**os.environ, "PYTHONPATH": str(SOURCE)}
        out = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
        self.assertEqual(out.stdout.strip(), "[]")

    def test_a_read_only_dataset_stays_as_it_is(self) -> None:
        """Label cache in the view; a JPEG without its end mark is mended in the view, not in the dataset."""
        import cv2

        for file in sorted((self.dataset / "images").rglob("*.png"))[:1]:
            jpeg = file.with_suffix(".jpg")
            cv2.imwrite(str(jpeg), cv2.imread(str(file)))
            jpeg.write_bytes(jpeg.read_bytes()[:-2])
            file.unlink()
            text = (self.dataset / "train.txt").read_text()
            (self.dataset / "train.txt").write_text(text.replace(file.name, jpeg.name, 1))
        before = {file: file.read_bytes() for file in self.dataset.rglob("*") if file.is_file()}
        code, events = self.run_here("train", config={**SMALL, "epochs": 1})
        self.assertEqual(code, 0, events[-1])
        self.assertEqual({file: file.read_bytes() for file in self.dataset.rglob("*") if file.is_file()}, before)

    def test_a_broken_image_is_counted(self) -> None:
        broken = sorted((self.dataset / "images/train").iterdir())[0]
        broken.write_bytes(b"\x89PNG nothing")
        code, events = self.run_here("train", config={**SMALL, "epochs": 1})
        self.assertEqual(code, 0, events[-1])
        self.assertIn("images_skipped", self.warnings(events))

    def test_nan_goes_back_three_times(self) -> None:
        """The loss is broken from outside after the first epoch: back to the last checkpoint, three times, then 76."""
        import torch
        from ultralytics.nn.tasks import DetectionModel

        whole, calls = DetectionModel.loss, [0]

        def broken(net: object, batch: object, preds: object = None) -> object:
            loss, items = whole(net, batch, preds)
            calls[0] += torch.is_grad_enabled()
            return (loss * float("nan") if calls[0] > 2 and torch.is_grad_enabled() else loss), items

        DetectionModel.loss = broken
        try:
            code, events = self.run_here("train", config=SMALL)
        finally:
            DetectionModel.loss = whole
        self.assertEqual((code, events[-1]["code"]), (76, "diverged.nan"), events[-1])
        self.assertEqual(self.warnings(events).count("nan_recovered"), 3)

    def test_weights_of_an_earlier_run_and_of_a_pt_file(self) -> None:
        code, events = self.run_here("train", config={**SMALL, "epochs": 1})
        entry = next(entry for entry in self.index()["history"] if entry["id"] == self.index()["last"])
        shutil.copytree(self.root / entry["path"], self.root / "input/weights/mine")
        shutil.rmtree(self.root / "checkpoints")
        weights = {"id": f"checkpoint:{entry['sha256']}", "path": "input/weights/mine", "sha256": entry["sha256"]}
        code, events = self.run_here("train", config={**SMALL, "epochs": 1}, weights=weights)
        self.assertEqual(code, 0, events[-1])
        self.assertNotIn("pretrained_head_replaced", self.warnings(events))

        import torch
        from ultralytics_trainer.network import build

        file = self.root / "input/weights/theirs.pt"
        torch.save({"model": build("yolov8-pico", "detect", 80).half(), "train_args": {}}, file)
        shutil.rmtree(self.root / "checkpoints")
        code, events = self.run_here("train", config={**SMALL, "epochs": 1}, weights={"id": "coco", "path": "input/weights/theirs.pt", "sha256": ""})
        self.assertEqual(code, 0, events[-1])
        self.assertIn("pretrained_head_replaced", self.warnings(events))
        code, events = self.run_here("train", weights={"id": "x", "path": "input/weights/none", "sha256": ""})
        self.assertEqual((code, events[-1]["code"]), (66, "input.weights_missing"))

    def test_a_checkpoint_of_another_network(self) -> None:
        code, events = self.run_here("train", config={**SMALL, "epochs": 1})
        checkpoint = self.keep(events[-1]["best"]["checkpoint"])
        code, events = self.run_here("evaluate", model="yolov8n", checkpoint=checkpoint)
        self.assertEqual((code, events[-1]["code"]), (66, "input.checkpoint_incompatible"), events[-1])

    def test_refused(self) -> None:
        code, events = self.run_here("train", model="yolov9000")
        self.assertEqual((code, events[-1]["code"]), (69, "unsupported.model"))
        code, events = self.run_here("train", config={**SMALL, "angle": 2})
        self.assertEqual((code, events[-1]["code"]), (78, "config.unknown_key"))


if __name__ == "__main__":
    unittest.main()
