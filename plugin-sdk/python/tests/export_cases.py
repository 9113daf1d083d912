"""Exports through the process, with NumPy and ONNX Runtime: what a bundle holds, what is refused and in which words. Run by test_export.py."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path
from typing import Any

import numpy
from datasets import Datasets
from scene import DIGEST, Scene
from trainer_sdk import VerificationError, clean_onnx, clean_torchscript, write_png
from trainer_sdk._clean import find_paths
from trainer_sdk._export import metadata_digest
from trainer_sdk._files import digest_of, list_files
from trainer_sdk._onnx import fields, message, text_field
from trainer_sdk._parity import agreement_of, check_agreement, compare_outputs

MAPS = Path(__file__).resolve().parent / "maps" / "train.py"
EXPORT = {"format": "onnx", "precision": "fp32", "dynamic": [], "options": {}}


class Bundles(Scene):
    def setUp(self) -> None:
        super().setUp()
        self.out = self.root / "output" / "export"

    def export(self, task: str = "classify", fault: str = "", format_: str = "onnx", **fields: Any) -> tuple[int, dict[str, Any]]:
        dataset = {"path": "dataset", "format": "imagefolder@1", "digest": DIGEST}
        base: dict[str, Any] = {"trainer": "@test/maps@1.0.0", "task": task, "model": "maps", "config": {"fault": fault}}
        if not (self.root / "input/checkpoint").exists():
            if task == "semantic":
                self.semantic()
                dataset["format"] = "mask-png@1"
            code, events, _ = self.run_verb("train", MAPS, **base, dataset=dataset)
            self.assertEqual(code, 0, self.stderr)
            shutil.copytree(self.root / "checkpoints" / events[-1]["best"]["checkpoint"], self.root / "input/checkpoint")
        self.checkpoint = {"path": "input/checkpoint", "sha256": digest_of(self.root / "input/checkpoint")}
        export = {**EXPORT, "format": format_, **fields}
        code, events, _ = self.run_verb("export", MAPS, **base, dataset=None, checkpoint=self.checkpoint, export=export)
        return code, events[-1]

    def semantic(self) -> None:
        shutil.rmtree(self.dataset)
        maker = Datasets()
        maker.root = self.dataset
        maker.make("mask-png@1")
        raw = json.loads((self.dataset / "dataset.json").read_text())
        raw["classes"].append({"index": 2, "name": "gear"})
        self.write_json(self.dataset / "dataset.json", raw)
        for split in ("train", "val"):
            write_png(self.dataset / f"masks/{split}/2.png", 20, 10, bytes([1] * 100 + [2] * 100))

    def meta(self) -> dict[str, Any]:
        return dict(json.loads((self.out / "metadata.json").read_text()))

    def refused(self, fault: str, code: str, words: str, exit_: int = 77, **more: Any) -> None:
        got, event = self.export(fault=fault, **more)
        self.assertEqual((got, event.get("code")), (exit_, code), self.stderr)
        self.assertIn(words, f"{event['message']} {event.get('hint')}")
        self.assertFalse(self.out.exists(), "half an export must not stay")

    def test_a_bundle_is_whole_and_says_what_the_file_says(self) -> None:
        code, _ = self.export()
        self.assertEqual(code, 0, self.stderr)
        meta = self.meta()
        self.assertEqual(meta["inputs"], [{"name": "images", "dtype": "float32", "shape": [1, 3, 12, 16], "layout": "NCHW"}])
        self.assertEqual(meta["outputs"], [{"name": "logits", "dtype": "float32", "shape": [1, 3], "semantics": "logits"}])
        check = meta["verification"]
        self.assertEqual((check["inputs"], check["taskAgreement"], check["passed"], check["by"]), (16, 1.0, True, "trainer"))
        self.assertTrue(check["runtime"].startswith("onnxruntime "))
        self.assertEqual((check["outputs"][0]["name"], check["outputs"][0]["tolerance"]), ("logits", 1e-3))
        self.assertEqual(meta["artifact"]["files"], [entry for entry in list_files(self.out) if entry["path"] == "model.onnx"])
        names = {entry["path"] for entry in list_files(self.out)}
        wanted = {"labels.txt", "README.md", "selftest/input.png", "selftest/input.npy", "selftest/output-0.npy", "selftest/expected.json"}
        self.assertLessEqual({*wanted, "runtime/python/predict.py", "runtime/python/test_selftest.py"}, names)
        self.assertEqual((self.out / "labels.txt").read_text(), "WIDE\nTALL\nCROSS\n")
        done = subprocess.run([sys.executable, "-c", SELFTEST, str(self.out)], capture_output=True, text=True)
        self.assertEqual(done.stdout.strip(), "[]", done.stderr)

    def test_the_file_carries_the_digest_of_its_description(self) -> None:
        self.export()
        found: dict[str, str] = {}
        for number, value, _ in fields(memoryview((self.out / "model.onnx").read_bytes())):
            if number == 14:
                key, text = (bytes(inner).decode() for _, inner, _ in fields(value))
                found[key] = text
        self.assertEqual(found, {"trainyard": metadata_digest(self.meta()), "labels": '["WIDE", "TALL", "CROSS"]', "task": "classify"})

    def test_maps(self) -> None:
        code, _ = self.export("semantic")
        self.assertEqual(code, 0, self.stderr)
        expected = json.loads((self.out / "selftest/expected.json").read_text())
        self.assertEqual(expected, {"image": "selftest/input.png", "width": 31, "height": 20, "mask": "selftest/mask.png"})
        self.assertEqual((self.meta()["verification"]["taskAgreement"], self.meta()["verification"]["outputs"][0]["tolerance"]), (1.0, 0.01))

    def test_evaluate_and_predict_with_the_export(self) -> None:
        self.export("semantic")
        shutil.copytree(self.out, self.root / "input/model")
        base: dict[str, Any] = {"trainer": "@test/maps@1.0.0", "task": "semantic", "model": "maps"}
        base |= {"dataset": {"path": "dataset", "format": "mask-png@1", "digest": DIGEST}}
        masks: list[dict[str, str]] = []
        for source in ({"checkpoint": self.checkpoint}, {"modelArtifact": {"path": "input/model", "format": "onnx"}}):
            shutil.rmtree(self.root / "output/masks", ignore_errors=True)
            code, events, _ = self.run_verb("evaluate", MAPS, **base, **source)
            self.assertEqual(code, 0, self.stderr)
            masks.append({path.name: digest_of(path) for path in (self.root / "output/masks").iterdir()})
        self.assertEqual(masks[0], masks[1])
        self.assertEqual((len(masks[0]), events[-1]["metrics"]), (2, {"miou": 2.0}))
        (self.root / "input/model/model.onnx").write_bytes(b"no model")
        code, events, _ = self.run_verb("evaluate", MAPS, **base, modelArtifact={"path": "input/model", "format": "onnx"})
        self.assertEqual((code, events[-1]["code"]), (66, "input.checkpoint_incompatible"), self.stderr)
        self.assertIn("the exported onnx file does not load", events[-1]["message"])

    def test_formats_that_nothing_here_runs(self) -> None:
        for format_, reason in (("coreml", "predicts on macOS only"), ("x-raw", "only its maker runs it")):
            code, _ = self.export(format_=format_)
            self.assertEqual(code, 0, self.stderr)
            self.assertEqual((self.meta()["verification"], self.meta()["verificationReason"]), (None, reason))
            self.assertIn(f"Not checked against the checkpoint: {reason}.", (self.out / "README.md").read_text())
            self.assertFalse((self.out / "runtime/ts").exists(), "the wrapper in TypeScript runs ONNX alone")

    def test_a_model_that_computes_something_else(self) -> None:
        self.refused("parity", "verification.parity", "output logits differs by 0.1, allowed is 0.001")

    def test_int8_is_judged_by_agreement(self) -> None:
        code, _ = self.export(fault="parity", precision="int8")
        self.assertEqual(code, 0, self.stderr)
        self.assertEqual(self.meta()["verification"]["outputs"][0]["tolerance"], None)

    def test_steps_that_differ_from_the_trainers(self) -> None:
        self.refused("steps", "verification.selftest", "the self-test fails: input tensor: differs by")
        self.refused("expected", "verification.selftest", "the self-test fails: class 0: score")

    def test_files_that_are_none(self) -> None:
        self.refused("nofile", "verification.unloadable", "the export wrote no model file; onnx needs output/export/model.onnx")
        self.refused("garbage", "verification.unloadable", "the exported file")
        self.refused("outputs", "verification.unloadable", "the file has 1 outputs, the trainer described 2")

    def test_what_a_trainer_must_bring(self) -> None:
        self.refused("few", "internal.protocol", "the export is compared on 4 images, at least 16 are needed", 70)
        self.refused("square", "internal.protocol", "the self-test image input.png is 20 x 20", 70)

    def test_paths_of_the_machine(self) -> None:
        self.refused("job", "verification.parity", f"notes.txt names the job folder of this machine: {self.root}")
        self.refused("home", "verification.parity", "notes.txt names the home folder of this machine")
        self.refused("temporary", "verification.parity", "notes.txt names a temporary file of this machine: /tmp/convert_1")


class Files(unittest.TestCase):
    def setUp(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="trainer-sdk-files-"))
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)

    def test_onnx_loses_what_it_says_of_its_maker(self) -> None:
        node = text_field(4, "Relu") + text_field(6, "/home/me/net.py:3") + message(9, text_field(1, "trace") + text_field(2, "/home/me"))
        graph = message(1, node) + text_field(2, "g") + text_field(10, "/home/me/doc")
        model = message(7, graph) + text_field(6, "/home/me/model") + message(14, text_field(1, "path") + text_field(2, "/home/me"))
        file = self.root / "m.onnx"
        file.write_bytes(model)
        clean_onnx(file, {"task": "detect"})
        self.assertNotIn(b"/home/me", file.read_bytes())
        self.assertIn(b"Relu", file.read_bytes())
        self.assertIn(b"task\x12\x06detect", file.read_bytes())

    def test_torchscript_loses_its_debug_records(self) -> None:
        file = self.root / "model.torchscript"
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("m/code/net.py", "x")
            archive.writestr("m/code/net.py.debug_pkl", "/home/me/net.py")
            archive.writestr("m/data/0", bytes(1000))
        clean_torchscript(file)
        with zipfile.ZipFile(file) as archive:
            self.assertEqual(archive.namelist(), ["m/code/net.py", "m/data/0"])
            self.assertEqual(archive.read("m/data/0"), bytes(1000))
            entry = archive.getinfo("m/data/0")
        self.assertEqual((entry.header_offset + 30 + len(entry.filename) + len(entry.extra)) % 64, 0)

    def test_wrappers_and_licences_may_name_what_they_like(self) -> None:
        (self.root / "runtime").mkdir()
        (self.root / "runtime/predict.py").write_text("/tmp/example_1")
        find_paths(self.root, {"/job": "the job folder"})
        (self.root / "model.bin").write_bytes(b"\0/job/dataset\0")
        with self.assertRaisesRegex(VerificationError, "model.bin names the job folder of this machine: /job/"):
            find_paths(self.root, {"/job": "the job folder"})


def meta(kind: str, shape: list[int], task: str = "detect", classes: int = 2, **decode: Any) -> dict[str, Any]:
    return {
        "model": {"task": task}, "labels": [f"c{index}" for index in range(classes)],
        "outputs": [{"name": "output0", "semantics": kind, "shape": shape}],
        "postprocess": [{"op": "decode", "scheme": kind, **decode}, {"op": "threshold", "score": 0.25}],
    }  # fmt: skip


class Tolerances(unittest.TestCase):
    """Every number is judged by what it means (contract.md 8.6)."""

    def limits(self, described: dict[str, Any], shape: tuple[int, ...]) -> dict[str, float]:
        array = numpy.zeros(shape, "float32")
        return {entry["name"]: entry["tolerance"] for entry in compare_outputs(described, [([array], [array])], "fp32")}

    def test_by_meaning(self) -> None:
        boxes = {"output0:boxes": 1e-2, "output0:scores": 1e-4}
        points = {"output0:keypoints x": 1e-2, "output0:keypoints y": 1e-2, "output0:visibility": 1e-4}
        self.assertEqual(self.limits(meta("logits", [1, 2]), (1, 2)), {"output0": 1e-3})
        self.assertEqual(self.limits(meta("probs", [1, 2]), (1, 2)), {"output0": 1e-4})
        self.assertEqual(self.limits(meta("yolo-raw", [1, 6, 9]), (1, 6, 9)), boxes)
        self.assertEqual(self.limits(meta("yolo-seg-raw", [1, 38, 9]), (1, 38, 9)), {**boxes, "output0:coefficients": 1e-2})
        self.assertEqual(self.limits(meta("yolo-seg-raw", [1, 32, 8, 8]), (1, 32, 8, 8)), {"output0": 1e-2})
        self.assertEqual(self.limits(meta("yolo-obb-raw", [1, 7, 9]), (1, 7, 9)), {**boxes, "output0:angle": 1e-3})
        self.assertEqual(self.limits(meta("yolo-pose-raw", [1, 12, 9], "pose", keypoints=[2, 3]), (1, 12, 9)), {**boxes, **points})
        flat = self.limits(meta("yolo-pose-raw", [1, 10, 9], "pose", keypoints=[2, 2]), (1, 10, 9))
        self.assertEqual(flat, {**boxes, "output0:keypoints x": 1e-2, "output0:keypoints y": 1e-2})
        self.assertEqual(self.limits(meta("yolo-end2end", [1, 5, 6]), (1, 5, 6)), {**boxes, "output0:classes": 1e-4})
        self.assertEqual(self.limits(meta("yolo-end2end", [1, 5, 7], "obb"), (1, 5, 7))["output0:angle"], 1e-3)
        self.assertEqual(self.limits(meta("semantic-logits", [1, 2, 4, 4]), (1, 2, 4, 4)), {"output0": 1e-2})
        self.assertEqual(self.limits(meta("detr-concat", [1, 5, 6]), (1, 5, 6)), {"output0": 1e-4})
        two = meta("detr", [1, 5, 2])
        two["outputs"] = [{"name": "logits", "semantics": "detr"}, {"name": "pred_boxes", "semantics": "detr"}]
        arrays = [numpy.zeros((1, 5, 2), "float32"), numpy.zeros((1, 5, 4), "float32")]
        found = {entry["name"]: entry["tolerance"] for entry in compare_outputs(two, [(arrays, arrays)], "fp16")}
        self.assertEqual(found, {"logits": 5e-2, "pred_boxes": 5e-3})

    def test_a_difference_is_named_where_it_is(self) -> None:
        for row, size, name in ((2, 0.02, "output0:boxes"), (4, 0.001, "output0:scores"), (6, 0.01, "output0:angle")):
            a = numpy.zeros((1, 7, 9), "float32")
            b = a.copy()
            b[0, row, 3] = size
            with self.assertRaisesRegex(VerificationError, f"output {name} differs by {size:g}, allowed is"):
                compare_outputs(meta("yolo-obb-raw", [1, 7, 9]), [([a], [b])], "fp32")
        b[0, 6, 3] = math.nan
        with self.assertRaisesRegex(VerificationError, "holds values that are no numbers"):
            compare_outputs(meta("yolo-obb-raw", [1, 7, 9]), [([a], [b])], "fp32")
        with self.assertRaisesRegex(VerificationError, r"has the shape \[1, 7, 8\], the checkpoint's \[1, 7, 9\]"):
            compare_outputs(meta("yolo-obb-raw", [1, 7, 9]), [([a], [b[:, :, :8]])], "fp32")

    def test_candidates_are_a_set(self) -> None:
        rng = numpy.random.default_rng(1)
        logits, boxes = rng.normal(size=(1, 6, 2)).astype("float32"), rng.random((1, 6, 4)).astype("float32")
        order = rng.permutation(6)
        two = meta("detr", [1, 6, 2])
        two["outputs"] = [{"name": "logits", "semantics": "detr"}, {"name": "pred_boxes", "semantics": "detr"}]
        compare_outputs(two, [([logits, boxes], [logits[:, order], boxes[:, order]])], "fp32")
        with self.assertRaises(VerificationError):
            compare_outputs(two, [([logits, boxes], [logits[:, order], boxes])], "fp32")
        rows = rng.random((1, 4, 6)).astype("float32") * 50
        rows[0, :, 4] = (0.9, 0.5, 0.001, 0.0005)
        other = rows.copy()
        other[0, 2:, :4] += 30
        compare_outputs(meta("yolo-end2end", [1, 4, 6]), [([rows], [other])], "fp32")

    def test_agreement_of_instances_and_pixels(self) -> None:
        described = meta("yolo-raw", [1, 6, 9])
        one = {"instances": [{"class": 0, "score": 0.9, "box": [0, 0, 10, 10]}, {"class": 1, "score": 0.26, "box": [0, 0, 5, 5]}]}
        cases = (
            ({"instances": [{"class": 0, "score": 0.9, "box": [0, 0, 10, 10.1]}]}, 1.0),
            ({"instances": [{"class": 1, "score": 0.9, "box": [0, 0, 10, 10]}]}, 0.0),
            ({"instances": [{"class": 0, "score": 0.9, "box": [0, 0, 10, 9]}]}, 0.0),
            ({"instances": []}, 0.0),
        )
        for other, share in cases:
            found = agreement_of(lambda outputs: outputs[0], described, [([one], [other])])
            self.assertEqual(found, (share, "instances"))
            if share == 0:
                with self.assertRaisesRegex(VerificationError, "agrees on 0.0% of the instances only, 99% are needed"):
                    check_agreement(found, "fp32")
        maps = [{"mask": numpy.array([[0, 1], [1, value]])} for value in (1, 0)]
        self.assertEqual(agreement_of(lambda outputs: outputs[0], described, [([maps[0]], [maps[1]])]), (0.75, "mask"))
        self.assertEqual(check_agreement((0.985, "mask"), "fp16"), 0.985)


SELFTEST = """
import json, sys
from pathlib import Path
bundle = Path(sys.argv[1])
sys.path.insert(0, str(bundle / "runtime/python"))
import numpy, test_selftest
from predict import Predictor
from PIL import Image
print(test_selftest.check(bundle))
"""

if __name__ == "__main__":
    unittest.main()
