from __future__ import annotations

import json
import shutil
import signal
import unittest
from typing import Any

from scene import CENTROID, SDK, Scene
from trainer_sdk._files import folder_digest, list_files


class Training(Scene):
    def test_trains_writes_everything_and_agrees_with_itself(self) -> None:
        code, events, _ = self.run_verb("train")
        self.assertEqual(code, 0, self.stderr)
        self.assertEqual(events[0]["type"], "started")
        self.assertGreaterEqual(events[-1]["metrics"]["top1"], 0.9)
        index = self.index()
        self.assertEqual({"last", "best"} & {kind for entry in index["history"] for kind in entry["kinds"]}, {"last", "best"})
        for entry in index["history"]:
            files = list_files(self.root / entry["path"])
            self.assertEqual(folder_digest(files), entry["sha256"])
            self.assertEqual(files, entry["files"])
        self.assertEqual([path.name for path in (self.root / "checkpoints").glob(".tmp-*")], [])
        names = {path.name for path in (self.root / "checkpoints").iterdir()} - {"index.json"}
        self.assertEqual(names, {entry["id"] for entry in index["history"]})
        lines = [json.loads(line) for line in (self.root / "output/predictions.jsonl").read_text().splitlines()]
        self.assertEqual([line["image"] for line in lines], (self.dataset / "val.txt").read_text().split())
        metrics = json.loads((self.root / "output/metrics.json").read_text())
        self.assertEqual(metrics["confusion"]["labels"], ["WIDE", "TALL", "CROSS"])
        effective = json.loads((self.root / "output/config.effective.json").read_text())["values"]
        self.assertEqual(set(effective), {"epochs", "pause", "flood", "mode", "shade"})
        self.assertEqual(effective["shade"]["source"], "ignored")

    def test_stop_saves_and_resume_goes_on_to_the_same_end(self) -> None:
        config = {"epochs": 6, "pause": 0.3}
        self.job("train", config=config)
        process = self.start("train")
        self.wait_for(lambda events: any(event["type"] == "checkpoint" for event in events))
        process.send_signal(signal.SIGTERM)
        _, self.stderr = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 75, self.stderr)
        events = self.events()
        self.check_grammar(events, 75)
        self.assertEqual(events[-1]["reason"], "signal")
        entry = next(entry for entry in self.index()["history"] if entry["id"] == events[-1]["checkpoint"])
        self.assertTrue(entry["resumable"])
        resume = {"checkpoint": entry["path"], "step": entry["step"]}
        code, events, _ = self.run_verb("train", config=config, attempt=2, resume=resume)
        self.assertEqual(code, 0, self.stderr)
        self.assertEqual(events[0]["resumedFrom"]["checkpoint"], entry["id"])
        steps = [event["step"] for event in events if event["type"] == "metric"]
        self.assertGreater(steps[0], entry["step"])
        self.assertEqual(sum(event["type"] == "metric" and event["split"] == "val" for event in events), 6 - entry["epoch"])

    def test_evaluate_and_predict_use_the_checkpoint(self) -> None:
        _, trained, _ = self.run_verb("train")
        best = next(entry for entry in self.index()["history"] if entry["id"] == trained[-1]["best"]["checkpoint"])
        shutil.copytree(self.root / best["path"], self.root / "input/checkpoint")
        shutil.copytree(self.dataset / "val/tall", self.root / "input/images")
        checkpoint = {"path": "input/checkpoint", "sha256": best["sha256"]}
        code, events, _ = self.run_verb("evaluate", checkpoint=checkpoint, config=None)
        self.assertEqual((code, events[-1]["metrics"]), (0, trained[-1]["metrics"]))
        more: dict[str, Any] = {"dataset": None, "predict": {"source": "input/images", "topK": 2}}
        code, events, _ = self.run_verb("predict", checkpoint=checkpoint, **more)
        self.assertEqual(code, 0, self.stderr)
        lines = [json.loads(line) for line in (self.root / "output/predictions.jsonl").read_text().splitlines()]
        self.assertEqual(len(lines), 4)
        self.assertEqual({(line["classes"][0]["class"], len(line["classes"])) for line in lines}, {(1, 2)})
        self.assertEqual(max(event["current"] for event in events if event["type"] == "progress"), 4)
        (self.root / "input/checkpoint/state.json").write_text('{"centro')
        code, events, _ = self.run_verb("evaluate", checkpoint=checkpoint)
        self.assertEqual((code, events[-1]["code"]), (66, "input.digest_mismatch"))
        code, events, _ = self.run_verb("evaluate", checkpoint={"path": "input/checkpoint", "sha256": ""})
        self.assertEqual((code, events[-1]["code"]), (66, "input.checkpoint_incompatible"))

    def test_weights_that_nobody_loads_are_told_once(self) -> None:
        folder = self.root / "input/weights/mine"
        folder.mkdir(parents=True)
        (folder / "model.bin").write_bytes(b"weights")
        weights = {"id": "mine", "path": "input/weights/mine", "sha256": folder_digest(list_files(folder))}
        code, events, _ = self.run_verb("train", weights=weights)
        self.assertEqual(code, 0, self.stderr)
        told = [event for event in events if event.get("code") == "x-weights-unused"]
        self.assertEqual(len(told), 1)
        self.assertIn("The weights mine were given, but the trainer did not load them", told[0]["message"])
        val = next(event["seq"] for event in events if event["type"] == "metric" and event["split"] == "val")
        self.assertLess(told[0]["seq"], val, "told at the first step")
        last = self.index()["history"][-1]
        resume = {"checkpoint": last["path"], "step": last["step"]}
        code, events, _ = self.run_verb("train", weights=weights, config={"epochs": 9}, attempt=2, resume=resume)
        self.assertEqual(code, 0, self.stderr)
        self.assertNotIn("x-weights-unused", [event.get("code") for event in events])

    def test_stop_before_anything_is_saved(self) -> None:
        self.job("train", config={"pause": 5})
        process = self.start("train")
        self.wait_for(lambda events: len(events) > 0)
        process.send_signal(signal.SIGTERM)
        _, self.stderr = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 75, self.stderr)
        self.check_grammar(self.events(), 75)

    def test_second_signal_ends_at_once(self) -> None:
        self.job("train", config={"pause": 5})
        process = self.start("train")
        self.wait_for(lambda events: any(event["type"] == "metric" for event in events))
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        self.assertIn(process.returncode, (75, 143))

    def test_wall_limit_stops_by_itself(self) -> None:
        limits = {"cpus": 1, "memoryBytes": 1, "shmBytes": 0, "maxSeconds": 1}
        code, events, _ = self.run_verb("train", config={"epochs": 50, "pause": 0.4}, limits=limits)
        self.assertEqual((code, events[-1]["reason"]), (75, "limit"))

    def test_kill_leaves_a_usable_index(self) -> None:
        self.job("train", config={"epochs": 400})
        process = self.start("train")
        self.wait_for(lambda events: sum(event["type"] == "checkpoint" for event in events) >= 3)
        process.kill()
        process.communicate(timeout=20)
        last = next(entry for entry in self.index()["history"] if entry["id"] == self.index()["last"])
        self.assertEqual(folder_digest(list_files(self.root / last["path"])), last["sha256"])
        config = {"epochs": last["epoch"] + 1}
        code, _, _ = self.run_verb("train", config=config, attempt=2, resume={"checkpoint": last["path"], "step": last["step"]})
        self.assertEqual(code, 0, self.stderr)

    def test_flood_is_coalesced_and_the_last_value_arrives(self) -> None:
        code, events, _ = self.run_verb("train", config={"epochs": 1, "flood": 50000})
        self.assertEqual(code, 0)
        train = [event for event in events if event["type"] == "metric" and event["split"] == "train"]
        self.assertLess(len(train), 10 * events[-1]["seconds"] + 5)
        self.assertEqual(train[-1]["step"], 24 + 50000)
        self.assertEqual(train[-1]["values"]["loss"], 24 + 50000 - 1)

    def test_nan_is_null_and_named(self) -> None:
        code, events, _ = self.run_verb("train", config={"epochs": 1, "mode": "nan"})
        self.assertEqual(code, 0)
        bad = [event for event in events if event["type"] == "metric" and event.get("nonFinite")]
        self.assertEqual((bad[-1]["values"]["loss"], bad[-1]["nonFinite"]), (None, ["loss"]))


class Refusals(Scene):
    def refused(self, code: int, failure: str, hint: str = "", **fields: Any) -> dict[str, Any]:
        got, events, _ = self.run_verb(fields.pop("command", "train"), **fields)
        self.assertEqual((got, events[-1]["code"]), (code, failure), self.stderr)
        self.assertIn(hint, f"{events[-1]['message']} {events[-1].get('hint')}")
        return events[-1]

    def test_bad_config_names_the_key(self) -> None:
        self.refused(78, "config.invalid", "epochs", config={"epochs": 0})
        self.refused(78, "config.invalid", "epochs", config={"epochs": "4"})
        self.refused(78, "config.invalid", "mode", config={"mode": "other"})
        self.refused(78, "config.unknown_key", "epoch", config={"epoch": 4})
        self.refused(78, "config.unknown_key", "mask_ratio", config={"mask_ratio": 4})

    def test_what_is_not_there(self) -> None:
        self.refused(69, "unsupported.model", "centroid", model="centroidd")
        self.refused(69, "unsupported.model", "open_one", model="open_onee")
        self.refused(69, "unsupported.task", "classify", task="clasify")
        self.refused(69, "unsupported.format", "imagefolder@1", dataset={"path": "dataset", "format": "coco@1", "digest": ""})
        self.refused(69, "unsupported.device", device={"kind": "tpu", "count": 1})
        self.refused(69, "unsupported.combination", command="export", export={"format": "onnx"}, checkpoint={"path": "input"})
        self.refused(66, "input.checkpoint_missing", command="evaluate", checkpoint={"path": "input/none", "sha256": "0"})
        self.refused(66, "input.checkpoint_missing", resume={"checkpoint": "checkpoints/c-000009", "step": 1})
        self.refused(64, "usage.contract", contract="2.0")
        self.refused(64, "usage.arguments", weights="x")

    def test_open_family_is_accepted(self) -> None:
        code, _, _ = self.run_verb("train", model="open_two", config={"epochs": 1})
        self.assertEqual(code, 0, self.stderr)

    def test_failures_of_the_machine_and_bugs(self) -> None:
        self.refused(71, "resource.ram_oom", "batch", config={"mode": "memory"})
        self.refused(74, "io.disk_full", config={"mode": "disk"})
        event = self.refused(70, "internal.exception", config={"mode": "bug"})
        self.assertIn("train.py", event["detail"])

    def test_bad_dataset(self) -> None:
        (self.dataset / "train/wide/000.png").unlink()
        self.refused(65, "dataset.missing", "train/wide/000.png")
        self.edit_dataset(lambda raw: raw["classes"].append({"index": 3, "name": "more", "dir": "more"}))
        self.refused(65, "dataset.missing")
        (self.dataset / "dataset.json").write_text("{")
        self.refused(65, "dataset.format")

    def test_corrupt_image_is_a_warning_in_training(self) -> None:
        file = self.dataset / "train/wide/000.png"
        file.write_bytes(file.read_bytes()[:40])
        code, events, _ = self.run_verb("train", config={"epochs": 1})
        self.assertEqual(code, 0, self.stderr)
        self.assertIn("images_skipped", [event.get("code") for event in events])


class Documents(Scene):
    def test_describe_is_one_document(self) -> None:
        process = self.start("describe", CENTROID / "train.py")
        out, _ = process.communicate(timeout=20)
        document = json.loads(out)
        self.assertEqual(process.returncode, 0)
        self.assertEqual([model["id"] for model in document["models"] if "id" in model], ["centroid", "open_one", "open_two"])
        self.assertEqual(document["versions"]["trainer_sdk"], document["manifest"]["framework"]["version"])
        self.assertNotIn("image", document["manifest"])

    def test_validate_prints_and_writes_the_same(self) -> None:
        code, events, out = self.run_verb("validate")
        self.assertEqual((code, json.loads(out)), (0, {"problems": []}))
        (self.dataset / "val/tall/001.png").write_bytes(b"not an image")
        code, events, out = self.run_verb("validate")
        self.assertEqual((code, events[-1]["code"]), (65, "dataset.corrupt_image"))
        self.assertEqual(json.loads(out), json.loads((self.root / "output/validation.json").read_text()))
        self.assertEqual(json.loads(out)["problems"][0]["path"], "val/tall/001.png")
        self.assertEqual(
            set(json.loads((self.root / "output/config.effective.json").read_text())["values"]),
            {"epochs", "pause", "flood", "mode", "shade"},
        )

    def test_usage(self) -> None:
        process = self.start("dance")
        _, err = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 64)
        self.assertIn("dance", err)


class Template(Scene):
    def test_the_template_learns(self) -> None:
        package = self.root / "package"
        shutil.copytree(SDK.parent / "templates" / "python", package)
        for file in package.rglob("*"):
            if file.is_file():
                text = file.read_text().replace("{{name}}", "@me/first").replace("{{title}}", "My first trainer")
                file.write_text(text.replace("{{owner}}", "Me"))
        code, events, _ = self.run_verb("train", package / "src/train.py", model="edges", config={"epochs": 8, "image_size": 12})
        self.assertEqual(code, 0, self.stderr)
        self.assertGreaterEqual(events[-1]["metrics"]["top1"], 0.9)
        self.assertLessEqual(len((package / "src/train.py").read_text().splitlines()), 40)


if __name__ == "__main__":
    unittest.main()
