"""All tasks through the process: what lands in predictions.jsonl, masks/ and metrics.json, and what a user reads when it fails."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any

from datasets import TASK, Datasets
from scene import DIGEST, SDK, Scene
from trainer_sdk import read_mask
from trainer_sdk._files import digest_of, folder_digest, list_files

ECHO = Path(__file__).resolve().parent / "echo" / "train.py"


class Echo(Scene, Datasets):
    def setUp(self) -> None:
        Scene.setUp(self)
        shutil.rmtree(self.dataset)
        self.job_root, self.root = self.root, self.dataset

    def verb(self, command: str, format_: str = "yolo-detect@1", **fields: Any) -> tuple[int, list[dict[str, Any]]]:
        data, self.root = self.root, self.job_root
        try:
            base = {"trainer": "@test/echo@2.1.0", "task": TASK.get(format_, "detect"), "model": "echo"}
            base |= {"dataset": {"path": "dataset", "format": format_, "digest": DIGEST}}
            code, events, self.stdout = self.run_verb(command, ECHO, **{**base, **fields})
            return code, events
        finally:
            self.root = data

    def refused(self, exit_: int, code: str, words: str, command: str = "train", format_: str = "yolo-detect@1", **fields: Any) -> dict[str, Any]:
        got, events = self.verb(command, format_, **fields)
        self.assertEqual((got, events[-1].get("code")), (exit_, code), self.stderr)
        self.assertIn(words, f"{events[-1]['message']} {events[-1].get('hint')}")
        return events[-1]

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.job_root / "output/predictions.jsonl").read_text().splitlines()]

    def metrics(self) -> dict[str, Any]:
        return dict(json.loads((self.job_root / "output/metrics.json").read_text()))

    def trained(self, format_: str, **fields: Any) -> dict[str, Any]:
        """A checkpoint in input/, as job.json names it."""
        code, events = self.verb("train", format_, **fields)
        self.assertEqual(code, 0, self.stderr)
        folder = self.job_root / "checkpoints" / events[-1]["best"]["checkpoint"]
        target = self.job_root / "input/checkpoint"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder, target)
        return {"path": "input/checkpoint", "sha256": digest_of(folder)}


class Predictions(Echo):
    def test_train_ends_with_predictions_of_every_task(self) -> None:
        for format_, key in (("yolo-detect@1", "box"), ("yolo-segment@1", "mask"), ("yolo-pose@1", "keypoints"), ("yolo-obb@1", "obb")):
            self.make(format_)
            code, events = self.verb("train", format_)
            self.assertEqual(code, 0, self.stderr)
            first, second = self.lines()
            self.assertEqual((first["image"], first["width"], first["height"]), ("images/val/1.png", 20, 10))
            self.assertEqual([entry["score"] for entry in second["instances"]], [0.9, 0.3, 0.002], "sorted, low ones kept for AP")
            self.assertTrue(all(key in entry and entry["class"] == 1 for entry in second["instances"]), format_)
            primary = "map50_95" if key in ("box", "obb") else f"{key.replace('keypoints', 'pose')}_map50_95"
            self.assertEqual(self.metrics()["primary"], {"name": primary, "value": 0.5, "direction": "max"})
            self.assertEqual((self.metrics()["images"], self.metrics()["split"], self.metrics()["threshold"]), (2, "val", 0.001))
            self.assertNotIn("undeclared", events[-1]["metrics"])
            self.assertEqual(events[-1]["metrics"][primary], 0.5)
            (self.job_root / "checkpoints/index.json").unlink()
            shutil.rmtree(self.job_root / "checkpoints")
        curve = self.metrics()["curves"]["pr"][0]
        self.assertEqual((len(curve["x"]), len(curve["y"]), curve["x"][0], curve["x"][-1]), (201, 201, 0, 1))
        self.assertEqual(self.metrics()["confusion"]["labels"], ["nut", "bolt", "background"])

    def test_forms_of_an_instance(self) -> None:
        self.make("yolo-segment@1")
        self.verb("train", "yolo-segment@1")
        self.assertEqual(self.lines()[0]["instances"][0]["mask"], {"polygon": [[2, 1, 18, 1, 10, 8]]})
        self.make("coco@1", task="segment")
        runs = {"image_id": 11, "category_id": 7, "segmentation": {"size": [10, 20], "counts": [20, 30, 150]}}
        for split in ("train", "val"):
            self.put_coco(split, [runs, {**runs, "category_id": 3}])
        code, _ = self.verb("train", "coco@1", task="segment")
        self.assertEqual(code, 0, self.stderr)
        self.assertEqual(self.lines()[0]["instances"][0]["mask"], {"rle": runs["segmentation"]})

    def test_masks_are_pngs_of_class_indices(self) -> None:
        self.make("mask-png@1")
        code, _ = self.verb("train", "mask-png@1")
        self.assertEqual(code, 0, self.stderr)
        self.assertEqual([line["mask"] for line in self.lines()], ["masks/0001.png", "masks/0002.png"])
        self.assertEqual(self.lines()[0]["ms"], {"pre": 0.1, "infer": 1.235, "post": 0.2})
        pixels = read_mask(self.job_root / "output" / self.lines()[1]["mask"])
        self.assertEqual((pixels.width, pixels.height, set(pixels.data)), (20, 10, {1}))

    def test_thresholds_come_from_the_job(self) -> None:
        self.make("yolo-detect@1")
        checkpoint = self.trained("yolo-detect@1")
        self.verb("evaluate", checkpoint=checkpoint, evaluate={"split": "train", "threshold": 0.2})
        self.assertEqual([entry["score"] for entry in self.lines()[0]["instances"]], [0.9, 0.3])
        self.assertEqual((self.metrics()["split"], self.lines()[0]["image"], self.metrics()["threshold"]), ("train", "images/train/1.png", 0.2))
        shutil.copytree(self.root / "images/val", self.job_root / "input/images")
        for predict, scores in (({}, [0.9, 0.3]), ({"threshold": 0.0001, "maxDetections": 3}, [0.9, 0.3, 0.002])):
            code, _ = self.verb("predict", checkpoint=checkpoint, dataset=None, predict={"source": "input/images", **predict})
            self.assertEqual(code, 0, self.stderr)
            self.assertEqual([entry["score"] for entry in self.lines()[0]["instances"]], scores)

    def test_evaluate_needs_its_own_split_only(self) -> None:
        self.make("yolo-detect@1")
        checkpoint = self.trained("yolo-detect@1")
        shutil.rmtree(self.root / "images/train")
        self.assertEqual(self.verb("evaluate", checkpoint=checkpoint)[0], 0, self.stderr)
        self.refused(65, "dataset.empty_split", "split test is missing", "evaluate", checkpoint=checkpoint, evaluate={"split": "test"})

    def test_an_unreadable_image_is_warned_about_once(self) -> None:
        self.make("yolo-detect@1")
        self.put("images/train/1.png", b"no picture")
        self.put("labels/train/2.txt", "0 0.5 0.5 0.2 0.2\n1 0.5 0.5 0.2 0.2\n")
        code, events = self.verb("train", config={"epochs": 3})
        self.assertEqual(code, 0, self.stderr)
        told = [event["message"] for event in events if event.get("code") == "images_skipped"]
        self.assertEqual(len(told), 1)
        self.assertIn("images/train/1.png was skipped", told[0])


class Refusals(Echo):
    def test_no_metrics_but_of_classes(self) -> None:
        self.make("yolo-detect@1")
        self.refused(69, "unsupported.combination", "the trainer reported no metrics of detect", config={"silent": True})
        self.refused(69, "unsupported.combination", "run.report(metrics)", config={"silent": True})

    def test_predictions_of_a_wrong_form(self) -> None:
        self.make("yolo-detect@1")
        self.refused(70, "internal.protocol", "an instance has the field bbox", config={"wrong": "bbox"})
        self.refused(70, "internal.protocol", "Fields: class, score, box", config={"wrong": "bbox"})
        self.refused(70, "internal.protocol", "a box has 2 numbers", config={"wrong": "box"})
        self.refused(70, "internal.protocol", "the mask is 1 x 1, the image 20 x 10", config={"wrong": "mask"})

    def test_a_wrong_row_names_file_and_line(self) -> None:
        self.make("yolo-detect@1")
        self.put("labels/train/2.txt", "0 0.5 0.5 0.2 0.2\n2 0.5 0.5 0.2 0.2\n1 0.5 0.5 0.2 0.2\n")
        self.refused(65, "dataset.label_range", "labels/train/2.txt:2: class 2 is not in dataset.json")
        code, events = self.verb("validate")
        self.assertEqual((code, events[-1]["code"]), (65, "dataset.label_range"))
        self.assertIn("labels/train/2.txt:2", events[-1]["message"])
        (problem,) = json.loads(self.stdout)["problems"]
        self.assertEqual((problem["path"], problem["severity"]), ("labels/train/2.txt:2", "error"))
        self.assertEqual(json.loads(self.stdout), json.loads((self.job_root / "output/validation.json").read_text()))

    def test_a_class_missing_in_val_is_a_warning_in_training(self) -> None:
        self.make("yolo-detect@1")
        self.put("labels/val/2.txt", "0 0.5 0.5 0.2 0.2\n")
        code, events = self.verb("train")
        self.assertEqual(code, 0, self.stderr)
        self.assertEqual([event["message"] for event in events if event.get("code") == "class_missing_in_val"], ["class bolt has no image in val"])

    def test_a_loss_that_is_no_number(self) -> None:
        self.make("yolo-detect@1")
        for word in ("nan", "inf"):
            event = self.refused(76, "diverged.nan", f"the loss is {word} after step 0", config={"loss": word})
            self.assertIn("learning_rate", event["hint"])
            bad = [entry for entry in self.events_of() if entry.get("nonFinite")]
            self.assertEqual((bad[-1]["values"], bad[-1]["nonFinite"]), ({"loss": None}, ["loss"]))

    def events_of(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.job_root / "output/events.jsonl").read_text().splitlines()]

    def test_a_key_of_another_task(self) -> None:
        self.make("yolo-detect@1")
        self.refused(78, "config.unknown_key", "unknown key mask_ratio", config={"mask_ratio": 2})
        self.make("yolo-segment@1")
        self.assertEqual(self.verb("train", "yolo-segment@1", config={"mask_ratio": 2})[0], 0, self.stderr)

    def test_weights_are_checked_before_anything_else(self) -> None:
        self.make("yolo-detect@1")
        weights = {"id": "coco", "path": "input/weights/coco", "sha256": "0" * 64}
        self.refused(66, "input.weights_missing", "the weights coco are missing", weights=weights)
        (self.job_root / "input/weights/coco").mkdir(parents=True)
        (self.job_root / "input/weights/coco/model.pt").write_bytes(b"x")
        self.refused(66, "input.digest_mismatch", "the weights coco are not what was asked for", weights=weights)
        weights["sha256"] = digest_of(self.job_root / "input/weights/coco/model.pt")
        code, events = self.verb("train", weights=weights)
        self.assertEqual(code, 0, self.stderr)
        self.assertNotIn("x-weights-unused", [event.get("code") for event in events], "echo asks for them")

    def test_checkpoints_of_others(self) -> None:
        self.make("yolo-detect@1")
        self.trained("yolo-detect@1")
        file = self.job_root / "input/checkpoint/trainyard.json"
        origin = json.loads(file.read_text())
        cases = (
            ({"trainer": "@acme/boxes@2.1.0"}, "the checkpoint was made by @acme/boxes 2.1.0, this is @test/echo 2.1.0"),
            ({"trainer": "@test/echo@1.9.9"}, "the checkpoint was made by @test/echo 1.9.9, this is @test/echo 2.1.0"),
            ({"task": "pose"}, "the checkpoint was made for the task pose, the job says detect"),
            ({"model": "other"}, "the checkpoint was made for the model other, the job says echo"),
        )
        checkpoint = {"path": "input/checkpoint", "sha256": ""}
        for change, words in cases:
            file.write_text(json.dumps({**origin, **change}))
            for command in ("evaluate", "export"):
                more = {"export": {"format": "onnx", "precision": "fp32", "dynamic": []}} if command == "export" else {}
                self.refused(66, "input.checkpoint_incompatible", words, command, checkpoint=checkpoint, **more)
        file.write_text(json.dumps({**origin, "trainer": "@test/echo@2.9.0"}))
        self.assertEqual(self.verb("evaluate", checkpoint=checkpoint)[0], 0, "a minor version is no other trainer")

    def test_resuming_from_another_trainer(self) -> None:
        self.make("yolo-detect@1")
        self.verb("train", config={"epochs": 1})
        folder = self.job_root / "checkpoints/c-000001"
        origin = json.loads((folder / "trainyard.json").read_text())
        (folder / "trainyard.json").write_text(json.dumps({**origin, "trainer": "@acme/boxes@2.1.0"}))
        index = json.loads((self.job_root / "checkpoints/index.json").read_text())
        index["history"][0]["files"] = list_files(folder)
        (self.job_root / "checkpoints/index.json").write_text(json.dumps(index))
        resume = {"checkpoint": "checkpoints/c-000001", "step": 2}
        self.refused(66, "input.checkpoint_incompatible", "made by @acme/boxes 2.1.0", config={"epochs": 2}, attempt=2, resume=resume)

    def test_an_export_that_fails_leaves_nothing(self) -> None:
        self.make("yolo-detect@1")
        checkpoint = self.trained("yolo-detect@1")
        export = {"format": "onnx", "precision": "fp32", "dynamic": []}
        self.refused(70, "internal.exception", "the converter broke", "export", checkpoint=checkpoint, export=export)
        self.assertFalse((self.job_root / "output/export").exists())

    def test_exported_models_that_are_none(self) -> None:
        self.make("yolo-detect@1")
        artifact = {"path": "input/model", "format": "onnx"}
        self.refused(66, "input.checkpoint_missing", "the exported model is missing", "evaluate", modelArtifact=artifact)
        (self.job_root / "input/model").mkdir()
        self.refused(66, "input.checkpoint_incompatible", "the exported model has no metadata.json", "evaluate", modelArtifact=artifact)
        meta = {"model": {"task": "detect", "id": "echo", "trainer": "@test/echo@2.0.0"}, "labels": ["a"], "artifact": {"format": "ncnn"}}
        self.write_json(self.job_root / "input/model/metadata.json", meta)
        words = "the exported model is ncnn, the job says onnx"
        self.refused(66, "input.checkpoint_incompatible", words, "evaluate", modelArtifact=artifact)

    def test_a_full_disk_keeps_the_checkpoint_before(self) -> None:
        self.make("yolo-detect@1")
        self.verb("train", config={"blob": 1000})
        before = json.loads((self.job_root / "checkpoints/index.json").read_text())
        resume = {"checkpoint": before["history"][0]["path"], "step": before["history"][0]["step"]}
        base = {"trainer": "@test/echo@2.1.0", "task": "detect", "model": "echo", "config": {"epochs": 2, "blob": 5_000_000}, "attempt": 2}
        data, self.root = self.root, self.job_root
        self.job("train", **base, resume=resume, dataset={"path": "dataset", "format": "yolo-detect@1", "digest": DIGEST})
        (self.root / "output/events.jsonl").unlink()
        process = subprocess.run(
            [sys.executable, str(ECHO), "train", "--job", str(self.root)],
            env={"PYTHONPATH": str(SDK), "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"}, capture_output=True, text=True, timeout=60,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)),
        )  # fmt: skip
        self.stderr = process.stderr
        events = self.events()
        self.check_grammar(events, process.returncode)
        self.assertEqual((process.returncode, events[-1]["code"]), (74, "io.disk_full"), process.stderr)
        self.assertIn("Free disk space", events[-1]["hint"])
        self.assertEqual(self.index(), before)
        self.assertEqual([path.name for path in (self.root / "checkpoints").iterdir() if path.name.startswith(".tmp")], [])
        last = next(entry for entry in before["history"] if entry["id"] == before["last"])
        self.assertEqual(folder_digest(list_files(self.root / last["path"])), last["sha256"])
        self.root = data


if __name__ == "__main__":
    unittest.main()
