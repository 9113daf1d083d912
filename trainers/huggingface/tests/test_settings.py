"""Every key of the schema arrives in the library's own objects; what cannot be kept is refused or said."""

from __future__ import annotations

import shutil
import unittest
from typing import Any

from vision_scene import SMALL, VisionScene, app  # first: it sets the paths

from every_field import all_fields, differences, silences, single_fields  # isort: skip
from huggingface_trainer.catalog import MODELS
from trainer_sdk._config import check_config, in_scope

#: Where the generated value is none for the task, costs time, or needs a sibling.
_RATHER: dict[str, Any] = {"image_size": 96, "max_minutes": 30, "workers": 1, "epochs": 3, "optim": "adamw_torch_fused"}


class Settings(VisionScene):
    limits = {"cpus": 4, "memoryBytes": 1 << 33, "shmBytes": 1 << 30, "maxSeconds": 600}

    def values(self, command: str, config: dict[str, Any]) -> dict[str, dict[str, Any]]:
        shutil.rmtree(self.root / "checkpoints", ignore_errors=True)
        code, events = self.run_here(command, config=config, seed=config.get("seed", 42), limits=self.limits)
        self.assertEqual(code, 0, events[-1])
        return self.effective()

    def every_field(self, task: str, trained: set[str] | None) -> None:
        """Each key alone: in validate, and in a training run when `trained` (None = all) has it."""
        schema = app.manifest.schema
        self.write_scenes(task, train=2 if task == "classify" else 4, val=2)
        base = {**SMALL[task], "epochs": 1}
        for field in single_fields(schema, task):
            config = {**base, **field.config, field.key: _RATHER.get(field.key, field.value)}
            self.assertEqual(check_config(schema, config, task), [])
            commands = ["validate", "train"] if trained is None or field.key in trained else ["validate"]
            for command in commands:
                with self.subTest(key=field.key, command=command):
                    effective = self.values(command, config)
                    self.assertEqual(silences(schema, task, config, effective, [field.key]), [])

    def test_every_field_of_classify(self) -> None:
        self.every_field("classify", None)

    def test_every_field_of_detect(self) -> None:
        self.every_field("detect", {"backbone_lr_factor", "scale_jitter", "min_visibility", "max_grad_norm", "freeze"})

    def test_every_field_of_semantic(self) -> None:
        self.every_field("semantic", {"random_crop", "reduce_labels", "gradient_checkpointing"})

    def test_all_fields_at_once_and_training_does_what_validate_said(self) -> None:
        for task in ("classify", "detect", "semantic"):
            with self.subTest(task=task):
                self.write_scenes(task, train=4, val=2)
                values = all_fields(app.manifest.schema, task)
                config = {**values, **{key: value for key, value in _RATHER.items() if key in values}, "image_size": 65, "epochs": 1}
                planned = self.values("validate", config)
                done = self.values("train", config)
                self.assertEqual(silences(app.manifest.schema, task, config, done, config), [])
                self.assertEqual(differences(planned, done), [])

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
            entry = self.values("train", {**SMALL["classify"], "epochs": 1, "lr_scheduler_type": kind, "optim": optim, "logging_steps": 1})
            self.assertEqual((entry["lr_scheduler_type"]["effective"], entry["optim"]["effective"]), (kind, optim))

    def test_what_is_refused(self) -> None:
        self.write_scenes("classify", train=4, val=2)
        code, events = self.run_here("train", config={"rrc_scale": [0.9, 0.2]})
        self.assertEqual((code, events[-1]["code"]), (78, "config.conflict"))
        code, events = self.run_here("train", config={"backbone_lr_factor": 1})
        self.assertEqual((code, events[-1]["code"]), (78, "config.unknown_key"))
        code, events = self.run_here("train", model="rtdetr-nano")
        self.assertEqual((code, events[-1]["code"]), (69, "unsupported.combination"))
        code, events = self.run_here("train", device={"kind": "cpu", "count": 2})
        self.assertEqual((code, events[-1]["code"]), (69, "unsupported.combination"))

    def test_a_metric_of_another_task_is_not_used(self) -> None:
        self.write_scenes("classify", train=4, val=2)
        entry = self.values("train", {**SMALL["classify"], "epochs": 1, "eval_metric": "map50"})["eval_metric"]
        self.assertEqual((entry["requested"], entry["effective"], entry["source"]), ("map50", "top1", "overridden"))
        self.assertEqual(self.events()[-1]["best"]["metric"]["name"], "top1")
        self.assertIn("config_ignored", [event.get("code") for event in self.events()])

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
