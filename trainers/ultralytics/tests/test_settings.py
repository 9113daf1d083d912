"""No setting is dropped in silence."""

from __future__ import annotations

import shutil
import unittest

from parts import PROBES, SMALL, Parts, app  # first: it puts trainers/testing on the path

from every_field import all_fields, differences, scoped, silences, single_fields  # noqa: E402, I001


class Settings(Parts):
    def test_every_field_alone_in_validate(self) -> None:
        """One process, one job file for each field of each task."""
        schema, problems, count = app.manifest.schema, [], 0
        for task in PROBES:
            self.make(task)
            for field in single_fields(schema, task):
                config = self.for_task(task, field.config)
                code, events = self.run_here("validate", config=config)
                self.assertEqual(code, 0, f"{task} {field}: {events[-1]}")
                problems += [f"{task}: {text}" for text in silences(schema, task, config, self.effective(), [field.key])]
                count += 1
        self.assertEqual(problems, [])
        self.assertGreater(count, 200)

    def test_all_fields_at_once_in_train(self) -> None:
        schema = app.manifest.schema
        for task in PROBES:
            with self.subTest(task):
                self.make(task)
                shutil.rmtree(self.root / "checkpoints", ignore_errors=True)
                config = {
                    **self.for_task(task, all_fields(schema, task)), "epochs": 2, "batch": 3, "image_size": 64, "max_minutes": None,
                    "fraction": 0.75, "freeze": 2, "workers": 0, "seed": 1,
                }  # fmt: skip
                code, events = self.run_here("validate", config=config, seed=1)
                self.assertEqual(code, 0, events[-1])
                planned = self.effective()
                code, events = self.run_here("train", config=config, seed=1)
                self.assertEqual(code, 0, events[-1])
                changed = [key for key in config if config[key] != schema["properties"][key]["default"]]
                self.assertEqual(silences(schema, task, config, self.effective(), changed), [])
                self.assertEqual(differences(planned, self.effective()), [])
                self.assertEqual(set(self.effective()), set(scoped(schema, task)))

    def for_task(self, task: str, config: dict[str, object]) -> dict[str, object]:
        """The schema cannot say which metric is whose."""
        return {**config, "eval_metric": app.manifest.primary(task)[0]} if "eval_metric" in config else config

    def test_what_the_automatic_optimizer_overrides(self) -> None:
        config = {**SMALL, "optimizer": "auto", "learning_rate": 0.3, "momentum": 0.5, "epochs": 1}
        code, events = self.run_here("train", config=config)
        self.assertEqual(code, 0, events[-1])
        values = self.effective()
        self.assertEqual((values["optimizer"]["effective"], values["optimizer"]["source"]), ("AdamW", "auto"))
        self.assertAlmostEqual(values["learning_rate"]["effective"], 0.001429)
        for key in ("learning_rate", "momentum"):
            self.assertEqual(values[key]["source"], "overridden")
            self.assertTrue(values[key]["note"])

    def test_a_time_budget_ends_in_finished(self) -> None:
        code, events = self.run_here("train", config={**SMALL, "epochs": 1000, "max_minutes": 0.05})
        self.assertEqual(code, 0, events[-1])
        entry = self.effective()["epochs"]
        self.assertEqual(entry["source"], "overridden")
        self.assertLess(entry["effective"], 1000)

    def test_a_metric_of_another_task_is_refused(self) -> None:
        code, events = self.run_here("validate", config={"eval_metric": "miou"})
        self.assertEqual((code, events[-1]["code"]), (78, "config.invalid"))
        self.assertIn("map50_95", events[-1]["hint"])

    def test_best_follows_the_chosen_metric(self) -> None:
        code, events = self.run_here("train", config={**SMALL, "eval_metric": "loss"})
        self.assertEqual(code, 0, events[-1])
        values = {event["epoch"]: event["values"]["loss"] for event in events if event["type"] == "metric" and event["split"] == "val"}
        self.assertEqual(events[-1]["best"]["metric"]["name"], "loss")
        self.assertAlmostEqual(events[-1]["best"]["metric"]["value"], min(values.values()), places=6)


if __name__ == "__main__":
    unittest.main()
