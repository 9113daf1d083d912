"""Every key of the schema arrives in the library's own objects; what cannot be kept is refused or said."""

from __future__ import annotations

import shutil
import unittest
from typing import Any

from huggingface_trainer.catalog import MODELS
from trainer_sdk._config import check_config, in_scope
from vision_scene import SMALL, VisionScene, app

#: Keys that only a GPU can follow: their entry says so.
_NEEDS_GPU = {"precision", "torch_compile"}
#: What another key must be for a key to count.
_WITH: dict[str, dict[str, Any]] = {"early_stopping_threshold": {"patience": 5}}


def other_value(key: str, schema: dict[str, Any], base: Any) -> Any:
    """An allowed value that differs from `base`."""
    given = {"eval_metric": "loss", "image_size": 96, "max_minutes": 30, "workers": 3, "batch": 5, "epochs": 3, "freeze": 2}
    if key in given:
        return given[key]
    if "oneOf" in schema:
        return next(branch["const"] for branch in schema["oneOf"] if branch.get("const") not in (None, base))
    kind = schema["type"] if isinstance(schema["type"], str) else schema["type"][0]
    if kind == "boolean":
        return not base
    if kind == "array":
        return [round(base[0] * 0.9, 4), round(base[1] * 0.95, 4)]
    low, high = schema.get("minimum", 0), schema["maximum"]
    if kind == "integer":
        return base + 1 if base + 1 <= high else base - 1
    value = base * 0.5 if base else (low + high) / 4
    return value if value >= low else high


class Settings(VisionScene):
    def values(self, config: dict[str, Any]) -> dict[str, dict[str, Any]]:
        shutil.rmtree(self.root / "checkpoints", ignore_errors=True)
        code, events = self.run_here("train", config=config, seed=config.get("seed", 42), limits=self.limits)
        self.assertEqual(code, 0, events[-1])
        return self.effective()

    limits = {"cpus": 4, "memoryBytes": 1 << 33, "shmBytes": 1 << 30, "maxSeconds": 600}

    def every_field(self, task: str, only: set[str] | None = None) -> None:
        base = {**SMALL[task], "epochs": 1, "batch": 4, "image_size": 64 if task != "classify" else 32}
        self.write_scenes(task, train=6 if task != "classify" else 2, val=2)
        scope = in_scope(app.manifest.schema, task)
        for key in only or scope:
            with self.subTest(key=key):
                before = {**base, **_WITH.get(key, {})}
                usual = before.get(key, scope[key]["default"])
                if usual is None:
                    usual = {"max_grad_norm": 1.0}.get(key)
                value = other_value(key, scope[key], usual)
                config = {**before, key: value}
                self.assertEqual(check_config(app.manifest.schema, config, task), [])
                entry = self.values(config)[key]
                self.assertEqual(entry["requested"], value)
                if key in _NEEDS_GPU or key == "ignore_mismatched_sizes":
                    self.assertEqual(entry["source"], "ignored", entry)
                elif entry["source"] in ("ignored", "overridden"):
                    self.assertTrue(key == "gradient_checkpointing" and entry["note"], entry)
                else:
                    self.assertEqual(entry["effective"], value, entry)

    def test_every_field_of_classify(self) -> None:
        self.every_field("classify")

    def test_fields_that_only_detect_has(self) -> None:
        self.every_field("detect", {"backbone_lr_factor", "scale_jitter", "min_visibility", "max_grad_norm", "hflip", "image_size", "freeze"})

    def test_fields_that_only_semantic_has(self) -> None:
        self.every_field("semantic", {"random_crop", "reduce_labels", "color_jitter", "gradient_checkpointing"})

    def test_validate_names_every_key_without_the_library(self) -> None:
        for task in ("classify", "detect", "semantic"):
            self.write_scenes(task, train=6, val=3)
            code, events = self.run_here("validate")
            self.assertEqual((code, set(self.effective())), (0, set(in_scope(app.manifest.schema, task))), events[-1])

    def test_schedules_and_optimisers_run(self) -> None:
        self.write_scenes("classify", train=4, val=2)
        schema = app.manifest.schema["properties"]
        kinds = [branch["const"] for branch in schema["lr_scheduler_type"]["oneOf"]]
        makers = [branch["const"] for branch in schema["optim"]["oneOf"]]
        for at, kind in enumerate(kinds):
            optim = makers[at % len(makers)]
            entry = self.values({**SMALL["classify"], "epochs": 1, "lr_scheduler_type": kind, "optim": optim, "logging_steps": 1})
            self.assertEqual((entry["lr_scheduler_type"]["effective"], entry["optim"]["effective"]), (kind, optim))

    def test_what_is_refused(self) -> None:
        self.write_scenes("classify", train=4, val=2)
        for command in ("validate", "train"):
            code, events = self.run_here(command, config={"eval_metric": "map50"})
            self.assertEqual((code, events[-1]["code"]), (78, "config.conflict"))
            self.assertIn("top1", events[-1]["hint"])
        code, events = self.run_here("train", config={"rrc_scale": [0.9, 0.2]})
        self.assertEqual((code, events[-1]["code"]), (78, "config.conflict"))
        code, events = self.run_here("train", config={"backbone_lr_factor": 1})
        self.assertEqual((code, events[-1]["code"]), (78, "config.unknown_key"))
        code, events = self.run_here("train", model="rtdetr-nano")
        self.assertEqual((code, events[-1]["code"]), (69, "unsupported.combination"))
        code, events = self.run_here("train", device={"kind": "cpu", "count": 2})
        self.assertEqual((code, events[-1]["code"]), (69, "unsupported.combination"))
        code, events = self.run_here("train", model="swin-tiny", config={"image_size": 33, "workers": 0})
        self.assertIn((code, events[-1].get("code")), ((0, None), (69, "unsupported.combination")))

    def test_patience_and_budget_end_a_run_finished(self) -> None:
        self.write_scenes("classify", train=4, val=2)
        config = {**SMALL["classify"], "epochs": 200, "learning_rate": 1e-7, "patience": 2}
        code, events = self.run_here("train", config=config)
        self.assertEqual(code, 0, events[-1])
        seen = [event for event in events if event["type"] == "metric" and event["split"] == "val"]
        self.assertLess(len(seen), 50)
        shutil.rmtree(self.root / "checkpoints")
        code, events = self.run_here("train", config={**SMALL["classify"], "epochs": 1000, "max_minutes": 0.05})
        self.assertEqual(code, 0, events[-1])

    def test_frozen_stages_do_not_move(self) -> None:
        from trainer_sdk._state import load_state

        self.write_scenes("classify", train=4, val=2)
        code, events = self.run_here("train", config={**SMALL["classify"], "epochs": 2, "freeze": 2})
        self.assertEqual(code, 0, events[-1])
        first, last = (load_state(self.root / "checkpoints" / entry["id"])["net"] for entry in self.index()["history"][:2])
        moved = {name for name in first if not bool((first[name] == last[name]).all())}
        self.assertTrue(moved)
        self.assertEqual([name for name in moved if "embedder" in name or "stages.0" in name], [])


class Catalogue(unittest.TestCase):
    def test_the_manifest_lists_what_the_catalogue_has(self) -> None:
        listed = {entry["id"]: entry for entry in app.manifest.raw["models"]}
        self.assertEqual(list(listed), list(MODELS))
        for entry in MODELS.values():
            self.assertEqual((listed[entry.id]["tasks"], listed[entry.id]["family"]), ([entry.task], entry.family))
            self.assertEqual(listed[entry.id]["input"]["default"], entry.size)

    def test_every_listed_model_is_built_and_learns_its_norms(self) -> None:
        import torch
        from huggingface_trainer.architectures import CLASSES, config_of
        from huggingface_trainer.stages import stages_of

        for entry in MODELS.values():
            with self.subTest(model=entry.id), torch.device("meta"):
                config = config_of(entry.id, entry.size, ("a", "b"))
                self.assertEqual(config.model_type, entry.family)
                self.assertFalse(getattr(config, "freeze_backbone_batch_norms", False))
                net = CLASSES[entry.family][1](config)
                count = sum(weight.numel() for weight in net.parameters())
                told = next(row["params"] for row in app.manifest.raw["models"] if row["id"] == entry.id)
                self.assertLess(abs(count - told) / told, 0.06, count)
                self.assertGreater(len(stages_of(net)), 2)


if __name__ == "__main__":
    unittest.main()
