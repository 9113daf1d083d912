"""The library's Trainer with our checkpoints, our validation and our parameter groups."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import torch
from trainer_sdk import InputError, Run
from trainer_sdk._rng import restore_rng
from trainer_sdk._state import load_state
from transformers import Trainer

from huggingface_trainer.callbacks import Budget, Patience, Reporter, diverged
from huggingface_trainer.network import model_config
from huggingface_trainer.plan import Plan
from huggingface_trainer.report import report
from huggingface_trainer.stages import backbone_of
from huggingface_trainer.validation import Validation


@dataclasses.dataclass
class Parts:
    """What the trainer needs beside the library's own arguments."""

    run: Run
    plan: Plan
    validation: Validation
    patience: Patience
    budget: Budget
    processor: dict[str, Any]
    blobs: dict[str, bytes]


class VisionTrainer(Trainer):
    """Trap (contract.md 13.3): the library's checkpoint folders are not atomic. Nothing is written there: `_save_checkpoint` and the
    `_load_*` methods use the platform's checkpoints, which are renamed when complete and hold tensors and JSON only."""

    def __init__(self, parts: Parts, reporter: Reporter, **options: Any) -> None:
        self.parts, self.job = parts, parts.run
        self._evaluated = -1
        self._value: float | None = None
        self._loaded: dict[str, Any] = {}
        # The models here do not divide the loss by the items of a batch; the library then divides by the accumulation steps itself.
        options["model"].accepts_loss_kwargs = False
        super().__init__(callbacks=[reporter], **options)
        reporter.trainer = self

    # Steps

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        if not inputs:
            # No image of the batch could be read.
            return torch.zeros((), device=self.args.device)
        loss = super().training_step(model, inputs, num_items_in_batch)
        if loss.device.type == "cpu" and not math.isfinite(float(loss)):
            self.job.metric("train", step=self.state.global_step + 1, loss=float(loss))
            raise diverged()
        return loss

    def create_optimizer(self, model: Any = None) -> Any:
        """Groups: head with and without decay, backbone with and without decay, the latter at its own rate."""
        if self.optimizer is not None:
            return self.optimizer
        factor = self.job.config.get("backbone_lr_factor", 1.0)
        prefix = backbone_of(self.model)[0] if factor != 1.0 else "\0"
        decayed = set(self.get_decay_parameter_names(self.model))
        kind, options = self.get_optimizer_cls_and_kwargs(self.args, self.model)
        groups: dict[tuple[bool, bool], list[Any]] = {}
        for name, weight in self.model.named_parameters():
            if weight.requires_grad:
                groups.setdefault((name.startswith(prefix), name not in decayed), []).append(weight)
        made = [
            {
                "params": weights, "lr": options["lr"] * (factor if inside else 1.0),
                "weight_decay": 0.0 if plain else self.args.weight_decay,
            }
            for (inside, plain), weights in sorted(groups.items())
        ]  # fmt: skip
        self.optimizer = kind(made, **options)
        return self.optimizer

    # Validation

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Same code as the evaluate verb; a stop asked for meanwhile is obeyed between two batches."""
        job = self.job
        job.on_stop(lambda: self._save_checkpoint(self.model, None))
        metrics = self.parts.validation.run(self.model)
        job.on_stop(lambda: None)
        job.metric("val", **metrics)
        self._evaluated, self._value = self.state.global_step, metrics[job.eval_metric]
        if self.parts.patience.see(self._value):
            self.control.should_training_stop = True
        named = {f"eval_{name}": value for name, value in metrics.items()}
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, named)
        return named

    # Checkpoints

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        state = self.state
        here = self._evaluated == state.global_step
        loop = {
            "patience": self.parts.patience.state(), "seconds": self.parts.budget.seconds,
            "pending": state.global_step % self._updates() == 0 and not here,
        }  # fmt: skip
        kept = {**dataclasses.asdict(state), "log_history": [], "best_model_checkpoint": None}
        blobs = {
            "trainer_state.json": json.dumps(kept, default=str).encode(),
            "config.json": json.dumps(model_config(self.model)).encode(),
            "preprocessor_config.json": json.dumps(self.parts.processor).encode(),
            **self.parts.blobs,
        }  # fmt: skip
        self.job.checkpoint(
            metric=self._value if here else None, completed=state.global_step // self._updates(), blobs=blobs,
            net=self.model.state_dict(), model_config=model_config(self.model), processor=self.parts.processor,
            reduce_labels=bool(self.job.config.get("reduce_labels", False)), optimizer=self.optimizer.state_dict(),
            scheduler=self.lr_scheduler.state_dict(), scaler=self._scaler_state(), loop=loop,
        )  # fmt: skip

    def _scaler_state(self) -> dict[str, Any]:
        scaler = self.accelerator.scaler
        return scaler.state_dict() if scaler is not None else {}

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        folder = self.job.resume_folder()
        if folder is None:
            return
        self._loaded = load_state(folder)
        try:
            self.model.load_state_dict(self._loaded["net"])
        except (RuntimeError, KeyError) as error:
            raise InputError(f"the checkpoint does not fit: {error}"[:1500], None, "input.checkpoint_incompatible") from error
        self.job.step = int(self.job.resumed_from["step"])
        loop = self._loaded["loop"]
        self.parts.patience.restore(loop["patience"])
        self.parts.budget.spent = float(loop["seconds"])

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        self.optimizer.load_state_dict(self._loaded["optimizer"])
        self.lr_scheduler.load_state_dict(self._loaded["scheduler"])

    def _load_scaler(self, checkpoint: str | None) -> None:
        if self._loaded.get("scaler") and self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(self._loaded["scaler"])

    def _load_rng_state(self, checkpoint: str | None) -> None:
        restore_rng(self._loaded.get("rng"))

    # The run

    def begin(self) -> None:
        """Everything is built and restored: say what became of the config; catch up on a validation that a stop cut off."""
        report(self)
        if self._loaded.get("loop", {}).get("pending") and self.state.global_step > 0:
            self._determine_best_metric(self._evaluate(None, None), None)
            self._save_checkpoint(self.model, None)

    def epoch_now(self) -> int:
        return self.state.global_step // self._updates()

    def _updates(self) -> int:
        """Optimiser steps of an epoch."""
        batches = len(self.callback_handler.train_dataloader)
        return max(1, -(-batches // self.args.gradient_accumulation_steps))
