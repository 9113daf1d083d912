"""Stop, kill and resume: what is kept is whole, and the run goes on as if nothing had happened."""

from __future__ import annotations

import shutil
import signal
import time
import unittest
from typing import Any

from parts import SMALL, Parts


class Resume(Parts):
    config = {**SMALL, "epochs": 4, "close_mosaic": 2}

    def test_a_stop_changes_nothing(self) -> None:
        """mosaic on (it draws from recently read images), its end inside the resumed part."""
        code, whole = self.run_here("train", config=self.config)
        self.assertEqual(code, 0, whole[-1])
        wanted = self.weights()
        shutil.rmtree(self.root / "checkpoints")
        process = self.spawn("train", config=self.config)
        self.wait_for(lambda events: any(event["type"] == "metric" and event["step"] >= 3 for event in events), 120)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 75, err)
        self.assertLess(time.monotonic() - began, 20)
        events = self.events()
        self.assertEqual((events[-1]["type"], events[-1]["reason"]), ("stopped", "signal"))
        again = self.resume(self.config)
        self.assertEqual(again[-1]["metrics"], whole[-1]["metrics"])
        self.assertLess(float((wanted - self.weights()).abs().max()), 1e-6)
        steps = {event["step"] for event in again if event["type"] == "metric"}
        self.assertEqual(max(steps), 8)

    def test_stopped_in_the_first_epoch(self) -> None:
        """Before any epoch is complete the start itself is kept; nobody gets a cut epoch."""
        config = {**SMALL, "epochs": 2, "batch": 1, "nbs": 1}
        process = self.spawn("train", config=config)
        self.wait_for(lambda events: any(event["type"] == "metric" for event in events), 120)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 75, err)
        entry = next(entry for entry in self.index()["history"] if entry["id"] == self.events()[-1]["checkpoint"])
        self.assertTrue(entry["resumable"])
        if entry["epoch"] == 0:
            self.assertEqual(entry["step"], 0)
        events = self.resume(config)
        self.assertEqual(max(event["step"] for event in events if event["type"] == "metric"), 16)

    def test_killed(self) -> None:
        config = {**SMALL, "epochs": 40}
        process = self.spawn("train", config=config)
        self.wait_for(lambda events: sum(event["type"] == "checkpoint" for event in events) >= 2, 120)
        process.kill()
        process.communicate(timeout=30)
        index = self.index()
        last = next(entry for entry in index["history"] if entry["id"] == index["last"])
        config_after = {**config}
        self.job("train", **self.fields(config=config_after, attempt=2, resume={"checkpoint": last["path"], "step": last["step"]}))
        process = self.spawn("train", config=config_after, attempt=2, resume={"checkpoint": last["path"], "step": last["step"]})
        self.wait_for(lambda events: any(event["type"] == "metric" and event["step"] > last["step"] for event in events), 120)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 75)
        first = next(event for event in self.events() if event["type"] == "metric")
        self.assertEqual(first["step"], last["step"] + 1)

    def resume(self, config: dict[str, Any]) -> list[dict[str, Any]]:
        last = next(entry for entry in self.index()["history"] if entry["id"] == self.index()["last"])
        code, events = self.run_here("train", config=config, attempt=2, resume={"checkpoint": last["path"], "step": last["step"]})
        self.assertEqual(code, 0, events[-1])
        return events

    def weights(self) -> Any:
        import torch
        from trainer_sdk._state import load_state

        state = load_state(self.root / "checkpoints" / str(self.index()["last"]))
        return torch.cat([value.flatten().float() for value in state["raw"].values()])


if __name__ == "__main__":
    unittest.main()
