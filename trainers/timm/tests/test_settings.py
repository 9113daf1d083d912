"""Changing any single field of the schema shows in config.effective.json, in validate and in training."""

from __future__ import annotations

import shutil
import sys
import unittest
from typing import Any

from test_timm import PACKAGE, SMALL, Timm, app

sys.path.insert(0, str(PACKAGE.parent / "testing"))

from every_field import all_fields, differences, silences, single_fields  # noqa: E402
from trainer_sdk._config import check_config  # noqa: E402

#: Where the generated value costs time, or means nothing to three classes.
_RATHER: dict[str, Any] = {"eval_metric": "loss", "image_size": 48, "max_minutes": 30, "workers": 1, "epochs": 2, "aa": "rand-m5-mstd0.5"}


class EveryField(Timm):
    limits = {"cpus": 4, "memoryBytes": 1 << 33, "shmBytes": 1 << 30, "maxSeconds": 600}

    def setUp(self) -> None:
        super().setUp()
        self.write_dataset(train=2, val=1)

    def values(self, command: str, config: dict[str, Any]) -> dict[str, dict[str, Any]]:
        shutil.rmtree(self.root / "checkpoints", ignore_errors=True)
        code, events = self.run_here(command, config=config, seed=config.get("seed", 42), limits=self.limits)
        self.assertEqual(code, 0, events[-1])
        return self.effective()

    def test_every_field_alone(self) -> None:
        schema = app.manifest.schema
        base = {**SMALL, "epochs": 1}
        del base["seed"]
        for field in single_fields(schema, "classify"):
            config = {**base, **field.config, field.key: _RATHER.get(field.key, field.value)}
            with self.subTest(key=field.key):
                self.assertEqual(check_config(schema, config, "classify"), [])
                planned = self.values("validate", config)
                self.assertEqual(silences(schema, "classify", config, planned, [field.key]), [])
                done = self.values("train", config)
                self.assertEqual(silences(schema, "classify", config, done, [field.key]), [])
                self.assertEqual(differences(planned, done), [])

    def test_all_fields_at_once(self) -> None:
        values = all_fields(app.manifest.schema, "classify")
        config = {**values, **{key: value for key, value in _RATHER.items() if key in values}, "epochs": 2}
        planned = self.values("validate", config)
        done = self.values("train", config)
        self.assertEqual(silences(app.manifest.schema, "classify", config, done, config), [])
        self.assertEqual(differences(planned, done), [])


if __name__ == "__main__":
    unittest.main()
