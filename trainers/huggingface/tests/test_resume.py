"""Stop, kill and resume: the same result as a run that was left alone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path
from typing import Any

from trainer_sdk._checkpoints import CheckpointStore
from trainer_sdk._files import digest_of
from vision_scene import SMALL, SOURCE, VisionScene


#: Importing the library on a busy machine takes its time.
_PATIENT = 500


class Resume(VisionScene):
    def undisturbed(self, task: str, config: dict[str, Any], **scenes: Any) -> tuple[Any, dict[str, Any]]:
        self.write_scenes(task, **scenes)
        code, events = self.run_here("train", config=config)
        self.assertEqual(code, 0, events[-1])
        weights = self.weights()
        shutil.rmtree(self.root / "checkpoints")
        return weights, events[-1]["metrics"]

    def start_training(self, config: dict[str, Any]) -> subprocess.Popen[str]:
        (self.root / "output/events.jsonl").unlink()
        self.vision_job("train", config=config)
        env = {**os.environ, "PYTHONPATH": str(SOURCE)}
        argv = [sys.executable, "-m", "huggingface_trainer", "train", "--job", str(self.root)]
        process = subprocess.Popen(argv, env=env, cwd="/tmp", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        return process

    def at_step(self, step: int) -> Any:
        return lambda events: any(event["type"] == "metric" and event["step"] >= step for event in events)

    def resume(self, config: dict[str, Any], attempt: int = 2) -> list[dict[str, Any]]:
        entry = next(entry for entry in self.index()["history"] if entry["id"] == self.index()["last"])
        resume = {"checkpoint": entry["path"], "step": entry["step"]}
        code, events = self.run_here("train", config=config, attempt=attempt, resume=resume)
        self.assertEqual(code, 0, events[-1])
        steps = [event["step"] for event in events if event["type"] == "metric" and event["split"] == "train"]
        self.assertTrue(all(step > entry["step"] for step in steps), steps)
        return events

    def check_same(self, wanted: tuple[Any, dict[str, Any]], metrics: dict[str, Any]) -> None:
        self.assertLess(float((wanted[0] - self.weights()).abs().max()), 1e-6)
        for name, value in wanted[1].items():
            self.assertAlmostEqual(metrics[name], value, delta=1e-6)

    def test_a_stop_inside_an_epoch_changes_nothing(self) -> None:
        # Dropout, denoising noise, random crops and flips: all of it has to come back the same.
        config = {**SMALL["classify"], "epochs": 40, "batch": 4, "logging_steps": 1, "hflip": 0.5, "color_jitter": 0.3, "lr_scheduler_type": "cosine"}
        wanted = self.undisturbed("classify", config, train=5, val=2)
        process = self.start_training(config)
        self.wait_for(self.at_step(6), _PATIENT)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 75, err[-2000:])
        # The grace of the manifest.
        self.assertLess(time.monotonic() - began, 60)
        stopped = self.events()[-1]
        self.assertEqual((stopped["type"], stopped["checkpoint"]), ("stopped", self.index()["last"]))
        self.check_same(wanted, self.resume(config)[-1]["metrics"])

    def test_a_stop_at_every_moment_of_a_short_run(self) -> None:
        """In this process: the stop flag is raised by the n-th safe point, in steps and in validations alike."""
        config = {**SMALL["detect"], "epochs": 2, "image_size": 64, "logging_steps": 1}
        wanted = self.undisturbed("detect", config, train=8, val=4)
        for moment in (1, 2, 3, 4):
            with self.subTest(moment=moment):
                shutil.rmtree(self.root / "checkpoints", ignore_errors=True)
                code, events = self.stop_here(config, moment)
                self.assertEqual((code, events[-1]["type"]), (75, "stopped"))
                self.check_same(wanted, self.resume(config)[-1]["metrics"])

    def stop_here(self, config: dict[str, Any], moment: int) -> tuple[int, list[dict[str, Any]]]:
        """SIGTERM to this process from the callback that sees the `moment`-th step or validation batch."""
        from huggingface_trainer import callbacks, validation

        count = 0
        step, check = callbacks.Reporter.on_step_end, validation.Validation._batches

        def tick() -> None:
            nonlocal count
            count += 1
            if count == moment:
                os.kill(os.getpid(), signal.SIGTERM)

        def counted_step(reporter: Any, *args: Any, **parts: Any) -> Any:
            tick()
            return step(reporter, *args, **parts)

        def counted_batches(self_: Any) -> Any:
            for batch in check(self_):
                tick()
                yield batch

        callbacks.Reporter.on_step_end, validation.Validation._batches = counted_step, counted_batches  # type: ignore[method-assign]
        try:
            return self.run_here("train", config=config)
        finally:
            callbacks.Reporter.on_step_end, validation.Validation._batches = step, check  # type: ignore[method-assign]

    def test_a_kill_leaves_a_checkpoint_that_loads(self) -> None:
        config = {**SMALL["classify"], "epochs": 30, "batch": 4, "logging_steps": 1}
        wanted = self.undisturbed("classify", config, train=4, val=2)
        process = self.start_training(config)

        def writing(_: Any) -> bool:
            return len(list(Path(self.root / "checkpoints").glob("c-*"))) >= 2 and bool(list(Path(self.root / "checkpoints").glob(".tmp-*")))

        self.wait_for(writing, _PATIENT)
        process.kill()
        process.communicate(timeout=30)
        store = CheckpointStore(self.root / "checkpoints")
        store.open()
        entry = store.find(store.last or "")
        assert entry is not None
        self.assertEqual(digest_of(self.root / entry["path"]), entry["sha256"])
        self.assertEqual(list((self.root / "checkpoints").glob(".tmp-*")), [])
        self.check_same(wanted, self.resume(config)[-1]["metrics"])


if __name__ == "__main__":
    unittest.main()
