from __future__ import annotations

import json
import re
import shutil
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any

from scene import SDK
from trainer_sdk._events import MAX_EVENT_BYTES, EventWriter
from trainer_sdk._stop import StopFlag
from trainer_sdk._vocabulary import CONTRACT_VERSION, EXIT, EXPORT_FORMATS, MINIMISED, TASKS, VERBS

REPOSITORY = SDK.parents[1]


class Events(unittest.TestCase):
    def setUp(self) -> None:
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        self.path = folder / "events.jsonl"
        self.writer = EventWriter(self.path, StopFlag(None, 1))

    def read(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def test_other_names_and_splits_are_not_lost(self) -> None:
        self.writer.metric("train", 1, None, {"a": 1})
        self.writer.metric("train", 2, None, {"a": 2, "b": 2})
        self.writer.metric("train", 3, None, {"a": 3})
        self.writer.metric("val", 3, 1, {"top1": 0.5})
        self.writer.metric("val", 4, 2, {"top1": 0.6})
        self.writer.flush()
        got = [(event["split"], event["step"], event["values"]) for event in self.read()]
        wanted = [
            ("train", 1, {"a": 1}),
            ("train", 2, {"b": 2}),
            ("train", 3, {"a": 3}),
            ("val", 3, {"top1": 0.5}),
            ("val", 4, {"top1": 0.6}),
        ]
        self.assertEqual(got, wanted)

    def test_not_finite_is_kept_among_good_values(self) -> None:
        self.writer.metric("train", 1, None, {"a": 1})
        self.writer.metric("train", 2, None, {"a": float("inf")})
        self.writer.metric("train", 3, None, {"a": 3})
        self.writer.flush()
        self.assertEqual([event.get("nonFinite") for event in self.read()], [None, ["a"], None])

    def test_too_large_is_dropped_with_a_warning(self) -> None:
        self.writer.emit("log", level="info", message="x" * MAX_EVENT_BYTES)
        self.assertEqual(self.read()[0]["code"], "event_too_large")

    def test_nothing_follows_the_terminal_event(self) -> None:
        self.writer.progress("epoch", 1, 2, None)
        self.writer.progress("epoch", 2, 2, None)
        self.writer.terminal("finished", metrics={"a": float("nan")}, seconds=1)
        self.writer.emit("log", level="info", message="late")
        self.assertEqual([event["type"] for event in self.read()], ["progress", "progress", "finished"])
        self.assertEqual(self.read()[-1]["metrics"], {"a": None})

    def test_cost_of_a_step_is_small(self) -> None:
        self.writer.metric("train", 0, 0.0, {"loss": 1.0})
        began = time.process_time()
        for step in range(1, 5001):
            self.writer.metric("train", step, 1.0, {"loss": 1.0, "learning_rate": 0.1, "images_per_second": 9.0})
            self.writer.progress("epoch", step, 5000, 1.0)
        self.assertLess((time.process_time() - began) / 5000, 0.0005)


class Words(unittest.TestCase):
    def test_equal_to_the_typescript_lists(self) -> None:
        words = (REPOSITORY / "plugin-sdk/src/vocabulary.ts").read_text()
        self.assertIn(f"CONTRACT_VERSION = '{CONTRACT_VERSION}'", words)

        def listed(name: str) -> list[str]:
            found = re.search(rf"export const {name} = \[(.*?)\]", words, re.S)
            assert found is not None
            return re.findall(r"'([^']+)'", found.group(1))

        self.assertEqual(listed("VERBS"), list(VERBS))
        self.assertEqual(listed("EXPORT_FORMATS"), list(EXPORT_FORMATS))
        self.assertEqual(listed("MINIMISED"), list(MINIMISED))
        for task, (datasets, predictions, primary) in TASKS.items():
            found = re.search(rf"  {task}: {{(.*?)\n  }}", words, re.S)
            assert found is not None
            for word in (*datasets, predictions, primary):
                self.assertIn(f"'{word}'", found.group(1))
        codes = (REPOSITORY / "plugin-sdk/src/exit-codes.ts").read_text()
        found = re.search(r"export const EXIT = {(.*?)}", codes, re.S)
        assert found is not None
        self.assertEqual({name: int(number) for name, number in re.findall(r"(\w+): (\d+)", found.group(1))}, dict(EXIT))


if __name__ == "__main__":
    unittest.main()
