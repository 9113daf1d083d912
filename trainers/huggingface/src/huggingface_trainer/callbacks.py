"""What happens between two steps: stop, progress, metrics, patience, time budget."""

from __future__ import annotations

import math
import time
from typing import Any

from trainer_sdk import Diverged, Run
from transformers import TrainerCallback


class Patience:
    """Validations without a better value. `threshold` is the least gain that counts."""

    def __init__(self, patience: int, threshold: float, direction: str) -> None:
        self.patience, self.threshold, self.direction = patience, threshold, direction
        self.best: float | None = None
        self.stale = 0

    def see(self, value: float) -> bool:
        """True when it is time to end."""
        gain = math.inf if self.best is None else (self.best - value if self.direction == "min" else value - self.best)
        if gain > self.threshold or (gain > 0 and self.threshold == 0):
            self.best, self.stale = value, 0
        else:
            self.stale += 1
        return 0 < self.patience <= self.stale

    def state(self) -> dict[str, Any]:
        return {"best": self.best, "stale": self.stale}

    def restore(self, state: dict[str, Any]) -> None:
        self.best, self.stale = state["best"], int(state["stale"])


class Budget:
    """Minutes of training over all attempts."""

    def __init__(self, minutes: float | None) -> None:
        self.minutes = minutes
        self.spent = 0.0
        self._began = time.monotonic()
        self._epochs = 0

    @property
    def seconds(self) -> float:
        return self.spent + time.monotonic() - self._began

    def full(self) -> bool:
        """After an epoch: whether another one like those before would not fit."""
        self._epochs += 1
        if self.minutes is None:
            return False
        here = time.monotonic() - self._began
        return self.spent + here + here / self._epochs > self.minutes * 60


class Reporter(TrainerCallback):
    """Tells the platform what the trainer does, and the trainer what the platform wants."""

    def __init__(self, run: Run, budget: Budget) -> None:
        self.run, self.budget = run, budget
        self.trainer: Any = None
        self._seen = 0
        self._since = time.monotonic()

    def on_train_begin(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        self.trainer.begin()
        # From here on a signal only sets a flag: there is something to save.
        self.run.stop.settle()
        self.run.progress(state.epoch or 0, args.num_train_epochs)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        self.run.epoch = self.trainer.epoch_now() + 1
        self.trainer.train_dataset.epoch = self.trainer.epoch_now()
        self._seen, self._since = 0, time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **parts: Any) -> Any:
        run = self.run
        run.step = state.global_step
        self._seen += args.per_device_train_batch_size * args.gradient_accumulation_steps
        run.images_per_second = self._seen / max(time.monotonic() - self._since, 1e-9)
        run.progress(state.epoch, args.num_train_epochs)
        if run.stopping:
            # Trap (contract.md 13.3): by default the library dies on SIGTERM with nothing saved.
            control.should_training_stop = True
            control.should_save = True
        return control

    def on_epoch_end(self, args: Any, state: Any, control: Any, **parts: Any) -> Any:
        if self.run.stopping:
            control.should_evaluate = control.should_save = control.should_log = False
            return control
        control.should_log = True
        if self.budget.full():
            control.should_training_stop = True
        return control

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **parts: Any) -> None:
        if logs is None or "loss" not in logs:
            return
        speed = round(self.run.images_per_second or 0.0, 2)
        loss, rate = float(logs["loss"]), float(logs["learning_rate"])
        self.run.metric(
            "train", step=state.global_step, epoch=round(state.epoch or 0, 4), loss=loss, learning_rate=rate, images_per_second=speed
        )
        if not math.isfinite(loss):
            raise diverged()


def diverged() -> Diverged:
    return Diverged("the loss is not a number any more", "Divide the learning rate by 10, or train in fp32.")
