"""The trainer with the real framework. Run with the environment of requirements.lock:

python -m unittest discover -s trainers/timm/tests
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
PACKAGE = Path(__file__).resolve().parents[1]
SOURCE = PACKAGE / "src"
sys.path[:0] = [str(SOURCE), str(PACKAGE.parents[1] / "plugin-sdk/python/tests")]

import numpy  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402
from scene import Scene  # noqa: E402
from timm_trainer.app import app  # noqa: E402

SMALL: dict[str, Any] = {
    "epochs": 2, "batch": 8, "image_size": 32, "learning_rate": 0.004, "warmup_epochs": 0, "scale": [0.8, 1], "hflip": 0,
    "workers": 0, "seed": 1,
}  # fmt: skip


class Timm(Scene):
    def run_here(self, command: str, **fields: Any) -> tuple[int, list[dict[str, Any]]]:
        """In this process: the framework is imported once for all tests. Environment variable makes unreported keys fail."""
        os.environ["TRAINYARD_STRICT"] = "1"
        (self.root / "output" / "events.jsonl").unlink(missing_ok=True)
        self.job(command, **{"model": "test_resnet", "config": SMALL, **fields})
        self.stderr = ""
        code = app.run([command, "--job", str(self.root)])
        events = self.events()
        self.check_grammar(events, code)
        return code, events

    def keep(self, checkpoint: str) -> dict[str, str]:
        """Puts a checkpoint where the runner would for evaluate, predict and export."""
        entry = next(entry for entry in self.index()["history"] if entry["id"] == checkpoint)
        target = self.root / "input/checkpoint"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.root / entry["path"], target)
        return {"path": "input/checkpoint", "sha256": entry["sha256"]}

    def effective(self) -> dict[str, dict[str, Any]]:
        return dict(json.loads((self.root / "output/config.effective.json").read_text())["values"])


class Flow(Timm):
    def test_train_evaluate_predict_export(self) -> None:
        self.write_dataset(train=16, val=6)
        code, events = self.run_here("train", config={**SMALL, "epochs": 8})
        self.assertEqual(code, 0, events[-1])
        self.assertGreaterEqual(events[-1]["metrics"]["top1"], 0.8)
        declared = {name for event in events if event["type"] == "metric" for name in event["values"]}
        self.assertEqual(declared, set(app.manifest.task("classify")["metrics"]["declared"]))
        checkpoint = self.keep(events[-1]["best"]["checkpoint"])

        code, evaluated = self.run_here("evaluate", checkpoint=checkpoint)
        self.assertEqual(evaluated[-1]["metrics"], events[-1]["metrics"])
        images = self.root / "input/images"
        shutil.copytree(self.dataset / "val", images)
        Image.new("L", (3, 2), 90).save(images / "tiny.png")
        Image.fromarray((numpy.arange(400).reshape(20, 20) * 160).astype("uint16")).save(images / "deep.png")
        (images / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing")
        code, predicted = self.run_here("predict", checkpoint=checkpoint, dataset=None, predict={"source": "input/images"})
        self.assertEqual(code, 0, predicted[-1])
        self.assertIn("images_skipped", [event.get("code") for event in predicted])
        by_checkpoint = self.predictions()
        self.assertEqual(len(by_checkpoint), 20)

        self.check_exports(checkpoint, evaluated[-1]["metrics"], by_checkpoint)

    def check_exports(self, checkpoint: dict[str, str], metrics: dict[str, float], by_checkpoint: list[dict[str, Any]]) -> None:
        """Every declared format: written, compared, run by its own runtime for evaluate and predict."""
        request: dict[str, Any] = {"precision": "fp32", "options": {}}
        for format_ in ("onnx", "torchscript", "openvino"):
            with self.subTest(format=format_):
                shutil.rmtree(self.root / "output/export", ignore_errors=True)
                asked = {**request, "format": format_, "dynamic": ["batch"] if format_ == "onnx" else []}
                code, exported = self.run_here("export", checkpoint=checkpoint, export=asked)
                self.assertEqual(code, 0, exported[-1])
                (self.check_export if format_ == "onnx" else self.check_other)(format_)
                shutil.rmtree(self.root / "input/model", ignore_errors=True)
                shutil.copytree(self.root / "output/export", self.root / "input/model")
                model = {"path": "input/model", "format": format_}
                code, again = self.run_here("predict", dataset=None, modelArtifact=model, predict={"source": "input/images"})
                self.assertEqual(code, 0, again[-1])
                for ours, theirs in zip(by_checkpoint, self.predictions(), strict=True):
                    self.assertEqual(ours["classes"][0]["class"], theirs["classes"][0]["class"])
                    self.assertAlmostEqual(ours["classes"][0]["score"], theirs["classes"][0]["score"], places=2)
                code, evaluated = self.run_here("evaluate", modelArtifact=model)
                self.assertEqual((code, evaluated[-1]["metrics"]), (0, metrics), evaluated[-1])
                told = json.loads((self.root / "output/metrics.json").read_text())
                self.assertEqual([entry["name"] for entry in told["perClass"]], ["WIDE", "TALL", "CROSS"])
                self.assertEqual(sum(map(sum, told["confusion"]["matrix"])), 18)
        code, refused = self.run_here("export", checkpoint=checkpoint, export={**request, "format": "onnx", "options": {"opset": 3}})
        self.assertEqual((code, refused[-1]["code"]), (78, "config.invalid"))
        code, refused = self.run_here("export", checkpoint=checkpoint, export={**request, "format": "onnx", "precision": "fp16"})
        self.assertEqual((code, refused[-1]["code"]), (69, "unsupported.precision"))

    def check_other(self, format_: str) -> None:
        out = self.root / "output/export"
        meta = json.loads((out / "metadata.json").read_text())
        self.assertTrue((out / {"torchscript": "model.torchscript", "openvino": "model_openvino/model.xml"}[format_]).is_file())
        self.assertIn(format_.removesuffix("script"), meta["verification"]["runtime"].lower())
        self.assertTrue(meta["verification"]["passed"])
        self.assertGreaterEqual(meta["verification"]["inputs"], 16)
        self.assertLess(meta["verification"]["outputs"][0]["maxAbs"], 1e-3)

    def predictions(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.root / "output/predictions.jsonl").read_text().splitlines()]

    def check_export(self, _format: str) -> None:
        import onnx
        import onnxruntime

        out = self.root / "output/export"
        meta = json.loads((out / "metadata.json").read_text())
        graph = onnx.load(str(out / "model.onnx")).graph
        shape = [dim.dim_param or dim.dim_value for dim in graph.input[0].type.tensor_type.shape.dim]
        self.assertEqual((meta["inputs"][0]["name"], meta["inputs"][0]["shape"]), (graph.input[0].name, shape))
        self.assertEqual(meta["outputs"][0]["shape"], ["batch", 3])
        self.assertEqual(meta["artifact"]["opset"], 17)
        self.assertEqual((out / "labels.txt").read_text(), "WIDE\nTALL\nCROSS\n")
        self.assertTrue(meta["verification"]["passed"])
        self.assertGreaterEqual(meta["verification"]["inputs"], 16)
        raw = (out / "model.onnx").read_bytes()
        for word in (str(self.root), str(PACKAGE), "site-packages", os.path.expanduser("~")):
            self.assertNotIn(word.encode(), raw)
        session = onnxruntime.InferenceSession(str(out / "model.onnx"))
        array = numpy.load(out / "selftest/input.npy")
        got = session.run(None, {"images": array})[0]
        self.assertLess(numpy.abs(got - numpy.load(out / "selftest/output-0.npy")).max(), 1e-3)
        self.assertEqual(len(session.run(None, {"images": numpy.concatenate([array] * 3)})[0]), 3)
        with Image.open(out / "selftest/input.png") as image:
            self.assertNotEqual(image.width, image.height)
        expected = json.loads((out / "selftest/expected.json").read_text())
        self.assertEqual(expected["classes"][0]["class"], int(got[0].argmax()))
        self.check_ops(meta["preprocess"], out / "selftest/input.png", array)

    def check_ops(self, ops: list[dict[str, Any]], file: Path, array: Any) -> None:
        """The op list, carried out by hand, gives the same tensor."""
        image = Image.open(file).convert("RGB")
        by_name = {op["op"]: op for op in ops}
        edge, size = by_name["resize"]["size"], by_name["crop"]["size"][0]
        factor = edge / min(image.size)
        image = image.resize((int(image.width * factor), int(image.height * factor)), Image.Resampling.BILINEAR)
        left, top = round((image.width - size) / 2), round((image.height - size) / 2)
        image = image.crop((left, top, left + size, top + size))
        pixels = numpy.asarray(image).astype("float32") * by_name["rescale"]["factor"]
        pixels = (pixels - numpy.array(by_name["normalize"]["mean"])) / numpy.array(by_name["normalize"]["std"])
        self.assertLess(numpy.abs(pixels.transpose(2, 0, 1)[None] - array).max(), 2 / 255 / 0.2)


class Resume(Timm):
    def test_a_stop_inside_an_epoch_changes_nothing(self) -> None:
        config = {**SMALL, "epochs": 3}
        self.write_dataset(train=16, val=4)
        code, whole = self.run_here("train", config=config)
        self.assertEqual(code, 0, whole[-1])
        wanted = torch.cat([value.flatten() for value in self.weights().values()])
        shutil.rmtree(self.root / "checkpoints")
        self.stop_at(config, step=8)
        events = self.events()
        entry = next(entry for entry in self.index()["history"] if entry["id"] == events[-1]["checkpoint"])
        self.assertGreaterEqual(entry["step"], 8)
        resume = {"checkpoint": entry["path"], "step": entry["step"]}
        code, events = self.run_here("train", config=config, attempt=2, resume=resume)
        self.assertEqual(code, 0, events[-1])
        steps = [event["step"] for event in events if event["type"] == "metric" and event["split"] == "train"]
        self.assertTrue(all(step > entry["step"] for step in steps))
        self.assertEqual(events[-1]["metrics"], whole[-1]["metrics"])
        got = torch.cat([value.flatten() for value in self.weights().values()])
        self.assertLess(float((wanted - got).abs().max()), 1e-5)

    def weights(self) -> dict[str, Any]:
        from trainer_sdk._state import load_state

        return dict(load_state(self.root / "checkpoints" / str(self.index()["last"]))["net"])

    def stop_at(self, config: dict[str, Any], step: int) -> None:
        (self.root / "output/events.jsonl").unlink()
        self.job("train", model="test_resnet", config=config)
        env = {**os.environ, "PYTHONPATH": str(SOURCE)}
        process = subprocess.Popen(
            [sys.executable, "-m", "timm_trainer", "train", "--job", str(self.root)], env=env, cwd="/tmp", stderr=subprocess.PIPE
        )
        self.wait_for(lambda events: any(event["type"] == "metric" and event["step"] >= step for event in events), 90)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 75, err)
        self.assertLess(time.monotonic() - began, 10)


class Settings(Timm):
    def test_every_key_is_reported_in_validate_and_train(self) -> None:
        keys = set(app.manifest.schema["properties"])
        code, _ = self.run_here("validate")
        planned = self.effective()
        self.assertEqual((code, set(planned)), (0, keys))
        code, events = self.run_here("train", config={**SMALL, "epochs": 1})
        self.assertEqual((code, set(self.effective())), (0, keys), events[-1])

    def test_everything_switched_on(self) -> None:
        config = {
            "epochs": 2, "batch": 6, "image_size": 48, "learning_rate": None, "lr_base": 0.002, "lr_base_size": 32, "opt": "sgd",
            "momentum": 0.8,
            "weight_decay": 0.001, "clip_grad": 1.0, "clip_mode": "agc", "layer_decay": 0.9, "grad_accum_steps": 2, "sched": "poly",
            "warmup_epochs": 1, "warmup_lr": 0.0001, "min_lr": 0.0002, "cooldown_epochs": 1, "decay_rate": 0.5, "scale": [0.5, 1],
            "ratio": [0.9, 1.1], "hflip": 0.1, "vflip": 0.2, "aa": "rand-m5-mstd0.5", "reprob": 0.3, "remode": "rand", "recount": 2,
            "mixup": 0.2, "cutmix": 0.5, "mixup_prob": 0.7, "mixup_switch_prob": 0.4, "mixup_off_epoch": 1, "smoothing": 0.05,
            "train_crop_mode": "rkrr", "train_interpolation": "bicubic", "drop": 0.1, "drop_path": 0.05, "model_ema": True,
            "model_ema_decay": 0.95, "model_ema_warmup": True, "bce_loss": True, "class_weights": "balanced", "channels_last": True,
            "grad_checkpointing": True, "sync_bn": True, "torchcompile": "inductor", "precision": "amp-bf16", "workers": 0, "seed": 7,
            "checkpoint_hist": 2, "val_interval": 2, "eval_metric": "loss", "patience": 3, "max_minutes": 5,
        }  # fmt: skip
        code, events = self.run_here("train", config=config, seed=7)
        self.assertEqual(code, 0, events[-1])
        values = self.effective()
        for key in config.keys() - {"learning_rate", "precision", "torchcompile", "sync_bn", "warmup_epochs", "weight_decay"}:
            entry = values[key]
            self.assertTrue(entry["effective"] == config[key] or entry.get("note"), f"{key}: {entry}")
        for key in ("precision", "torchcompile", "sync_bn"):
            self.assertEqual(values[key]["source"], "ignored")
        self.assertAlmostEqual(values["learning_rate"]["effective"], 0.002 * 12 / 32, places=9)
        self.assertEqual(events[-1]["best"]["metric"]["name"], "loss")
        epochs = {event["epoch"] for event in events if event["type"] == "metric" and event["split"] == "val"}
        self.assertEqual(epochs, {2, 3})

    def test_schedules_and_optimizers(self) -> None:
        for sched, opt in (("step", "momentum"), ("multistep", "lion"), ("plateau", "muon"), ("tanh", "adan"), ("cosine", "lamb")):
            config = {**SMALL, "epochs": 2, "sched": sched, "opt": opt, "learning_rate": 0.0005, "decay_epochs": 1, "decay_milestones": [1]}
            shutil.rmtree(self.root / "checkpoints")
            code, events = self.run_here("train", config=config)
            self.assertEqual(code, 0, events[-1])
            rates = [event["values"]["learning_rate"] for event in events if event["type"] == "metric" and event["split"] == "train"]
            if sched in ("step", "multistep", "cosine", "tanh"):
                self.assertLess(rates[-1], rates[0], sched)

    def test_every_optimizer_of_the_list_exists(self) -> None:
        from timm.optim import list_optimizers

        listed = {branch["const"] for branch in app.manifest.schema["properties"]["opt"]["oneOf"]}
        self.assertLessEqual(listed, set(list_optimizers()))

    def test_transformers_take_the_size_and_some_networks_refuse_it(self) -> None:
        code, events = self.run_here("train", model="test_vit", config={**SMALL, "epochs": 1, "image_size": 48})
        self.assertEqual(code, 0, events[-1])
        shutil.rmtree(self.root / "checkpoints")
        code, events = self.run_here("train", model="xcit_nano_12_p8_224", config={**SMALL, "epochs": 1, "image_size": 33})
        self.assertEqual((code, events[-1]["code"]), (69, "unsupported.combination"), events[-1])

    def test_diverging_is_told_as_such(self) -> None:
        code, events = self.run_here("train", config={**SMALL, "opt": "sgd", "learning_rate": 10, "epochs": 200, "weight_decay": 1})
        if code != 76:
            self.assertEqual(code, 0, events[-1])
            self.skipTest("this network survived a rate of 10")
        self.assertEqual(events[-1]["code"], "diverged.nan")
        self.assertTrue(any(event.get("nonFinite") for event in events))

    def test_weights_of_an_earlier_run(self) -> None:
        code, events = self.run_here("train", config={**SMALL, "epochs": 1})
        entry = next(entry for entry in self.index()["history"] if entry["id"] == self.index()["last"])
        shutil.copytree(self.root / entry["path"], self.root / "input/weights/mine")
        shutil.rmtree(self.root / "checkpoints")
        weights = {"id": f"checkpoint:{entry['sha256']}", "path": "input/weights/mine", "sha256": entry["sha256"]}
        code, events = self.run_here("train", config={**SMALL, "epochs": 1}, weights=weights)
        self.assertEqual(code, 0, events[-1])
        self.assertIn("pretrained_head_replaced", [event.get("code") for event in events])
        code, events = self.run_here("train", weights={**weights, "sha256": "0" * 64})
        self.assertEqual((code, events[-1]["code"]), (66, "input.digest_mismatch"))
        code, events = self.run_here("train", weights={**weights, "path": "input/weights/none"})
        self.assertEqual((code, events[-1]["code"]), (66, "input.weights_missing"))

    def test_loader_processes(self) -> None:
        limits = {"cpus": 2, "memoryBytes": 1 << 33, "shmBytes": 1 << 30, "maxSeconds": 600}
        code, events = self.run_here("train", config={**SMALL, "workers": 2, "epochs": 1}, limits=limits)
        self.assertEqual((code, self.effective()["workers"]["effective"]), (0, 2), events[-1])
        shutil.rmtree(self.root / "checkpoints")
        code, events = self.run_here("train", config={**SMALL, "workers": 2, "epochs": 1})
        self.assertEqual((code, self.effective()["workers"]["effective"]), (0, 0), events[-1])
        self.assertIn("workers_reduced", [event.get("code") for event in events])


if __name__ == "__main__":
    unittest.main()
