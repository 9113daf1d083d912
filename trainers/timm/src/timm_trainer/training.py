"""The training loop: per-update schedule, stop checked every batch, a resumable checkpoint per epoch and on stop."""

from __future__ import annotations

import random
import time
from typing import Any

import numpy
import torch
from timm.utils import dispatch_clip_grad
from trainer_sdk import Diverged, Run

from timm_trainer.images import EpochBatches, Images, eval_transform, held_out, loader_of, train_transform
from timm_trainer.ingredients import Ingredients, make, report
from timm_trainer.network import build, data_of, device_of
from timm_trainer.plan import Plan, plan_of
from timm_trainer.precision import autocast_of, batch_for_gpu
from timm_trainer.scoring import score

_EVERY_ON_GPU = 20


def train(run: Run) -> None:
    random.seed(run.seed)
    numpy.random.seed(run.seed % 2**32)
    torch.manual_seed(run.seed)
    if run.device == "cpu" and run.limits.get("cpus"):
        torch.set_num_threads(max(1, min(torch.get_num_threads(), int(run.limits["cpus"]))))
    _Training(run, plan_of(run)).run()


class _Training:
    def __init__(self, run: Run, plan: Plan) -> None:
        config = run.config
        self.job, self.plan, self.device = run, plan, device_of(run)
        run.store.keep = max(2, config.checkpoint_hist)
        weights = run.weights_path()
        if weights is not None:
            run.warn("pretrained_head_replaced", f"The weights' classifier was replaced by one for {len(run.classes)} classes.")
        self.net = build(run.model, len(run.classes), plan["image_size"], config.drop, config.drop_path, weights).to(self.device)
        if config.channels_last:
            self.net.to(memory_format=torch.channels_last)
        if config.grad_checkpointing and hasattr(self.net, "set_grad_checkpointing"):
            try:
                self.net.set_grad_checkpointing(True)
            except (AssertionError, NotImplementedError):
                pass  # reported as ignored by `report`
        self.data = data_of(self.net, plan["image_size"])
        self.cast, self.scaler = autocast_of(run, plan, self.device)
        samples = list(run.dataset.train.samples())
        if config.batch == "auto" and self.device.type == "cuda":
            plan.put("batch", min(batch_for_gpu(self.net, plan["image_size"], self.cast), len(samples)), "DataLoader.batch_size",
                     "largest power of two below 60 % of GPU memory", "auto")  # fmt: skip
        workers, cuda = plan["workers"], self.device.type == "cuda"
        if config.workers not in ("auto", workers):
            run.warn("workers_reduced", f"{workers} loader processes instead of {config.workers}.", plan.entries["workers"].note)
        images = Images(samples, train_transform(self.data, config), keep=workers == 0)
        self.batches = EpochBatches(len(samples), plan["batch"], run.seed)
        self.loader = loader_of(images, self.batches, workers, cuda)
        val = list(run.dataset.val.samples())
        self.held_out = held_out(val, plan["image_size"])
        order = [list(range(at, min(at + plan["batch"], len(val)))) for at in range(0, len(val), plan["batch"])]
        self.val_loader = loader_of(Images(val, eval_transform(self.data), keep=workers == 0), order, workers, cuda)
        self.updates = max(1, -(-len(self.batches) // config.grad_accum_steps))
        self.made: Ingredients = make(run, plan, self.net, self.device, self.updates, self._class_weights(samples))
        self.forward = torch.compile(self.net) if plan["torchcompile"] == "inductor" else self.net
        self.done = self.skipped = 0
        self.stale = 0
        self.spent = 0.0
        self.began = time.monotonic()
        report(run, plan, self.made, self.net, self.loader, self.data)

    def _class_weights(self, samples: list[Any]) -> torch.Tensor | None:
        if self.job.config.class_weights != "balanced":
            return None
        counts = torch.bincount(torch.tensor([sample.label for sample in samples]), minlength=len(self.job.classes)).float()
        return len(samples) / (len(counts) * counts.clamp(min=1))

    def run(self) -> None:
        job, config = self.job, self.job.config
        start, position = self._resume()
        for epoch in job.epochs(start=start, total=self.made.epochs):
            if self._over_budget(epoch - start):
                break
            self.done = epoch
            job.on_stop(lambda: self._save(None))
            self._epoch(epoch, position)
            position = 0
            self.done, self.batches.skip, self.position = epoch + 1, 0, 0
            last = epoch + 1 == self.made.epochs
            value: float | None = None
            if last or (epoch + 1) % config.val_interval == 0:
                metrics = score(job, self._eval_net(), self.val_loader, self.device)
                job.metric("val", **metrics)
                value = metrics[job.eval_metric]
                self.stale = 0 if job.is_better(value) else self.stale + 1
            if config.sched == "plateau":
                self.made.scheduler.step(epoch + 1, value)
            self._save(value)
            job.on_stop(lambda: None)
            if config.patience and self.stale >= config.patience:
                break
        if self.skipped:
            job.warn("images_skipped", f"{self.skipped} times a training image could not be read and was left out.")

    def _epoch(self, epoch: int, position: int) -> None:
        job, config, made = self.job, self.job.config, self.made
        self.batches.epoch, self.batches.skip = epoch, position
        self.position = position
        self.loader.generator.manual_seed(job.seed * 1_000_003 + epoch)
        if made.mixup is not None and config.mixup_off_epoch:
            made.mixup.mixup_enabled = epoch < config.mixup_off_epoch
        self.net.train()
        seen, since, total = 0, time.monotonic(), len(self.batches)
        made.optimizer.zero_grad()
        for images, labels, _, skipped in self.loader:
            self.skipped += skipped
            loss = self._step(images, labels, self.position + 1 == total) if len(labels) > 1 or total == 1 else None
            self.position += 1
            seen += len(labels)
            job.images_per_second = seen / max(time.monotonic() - since, 1e-9)
            if loss is not None and (self.device.type == "cpu" or self.position % _EVERY_ON_GPU == 0 or self.position == total):
                self._report_loss(loss, epoch + self.position / total)
            job.progress(epoch + self.position / total, made.epochs)
            job.safe_point()

    def _report_loss(self, loss: Any, epoch: float) -> None:
        value = float(loss)
        rate = max(group["lr"] for group in self.made.optimizer.param_groups)
        speed = round(self.job.images_per_second or 0.0, 2)
        self.job.metric("train", step=self.job.step, epoch=round(epoch, 4), loss=value, learning_rate=rate, images_per_second=speed)
        if value != value or value in (float("inf"), float("-inf")):
            raise Diverged("the loss is not a number any more", "Divide the learning rate by 10, or train in fp32.")

    def _step(self, images: Any, labels: Any, last: bool) -> Any:
        config, made = self.job.config, self.made
        memory = torch.channels_last if config.channels_last else torch.contiguous_format
        images = images.to(self.device, non_blocking=True).contiguous(memory_format=memory)
        labels = labels.to(self.device, non_blocking=True)
        if made.mixup is not None:
            if len(labels) % 2:
                images, labels = images[:-1], labels[:-1]
            images, labels = made.mixup(images, labels)
        with self.cast():
            loss = made.criterion(self.forward(images), labels)
        self.scaler.scale(loss / config.grad_accum_steps).backward()
        if (self.position + 1) % config.grad_accum_steps == 0 or last:
            if config.clip_grad is not None:
                self.scaler.unscale_(made.optimizer)
                dispatch_clip_grad(self.net.parameters(), config.clip_grad, mode=config.clip_mode)
            self.scaler.step(made.optimizer)
            self.scaler.update()
            made.optimizer.zero_grad()
            self.job.step += 1
            if made.ema is not None:
                made.ema.update(self.net, step=self.job.step)
            if config.sched != "plateau":
                made.scheduler.step_update(self.job.step)
        return loss.detach()

    def _eval_net(self) -> Any:
        return self.made.ema.module if self.made.ema is not None else self.net

    def _save(self, metric: float | None) -> None:
        made = self.made
        state: dict[str, Any] = {
            "net": self._eval_net().state_dict(), "data": self.data, "optimizer": made.optimizer.state_dict(),
            "scheduler": made.scheduler.state_dict(), "scaler": self.scaler.state_dict(),
            "loop": {"position": self.position, "stale": self.stale, "seconds": self.spent + time.monotonic() - self.began},
        }  # fmt: skip
        if made.ema is not None:
            state["raw"] = self.net.state_dict()
        self.job.checkpoint(metric=metric, completed=self.done, blobs=self.held_out, **state)

    def _resume(self) -> tuple[int, int]:
        state = self.job.resume(optimizer=self.made.optimizer, scheduler=self.made.scheduler, scaler=self.scaler)
        self.position = 0
        if not state.resumed:
            return 0, 0
        values = state.values
        self.net.load_state_dict(values.get("raw", values["net"]))
        if self.made.ema is not None:
            self.made.ema.module.load_state_dict(values["net"])
        loop = values["loop"]
        self.stale, self.spent, self.position = int(loop["stale"]), float(loop["seconds"]), int(loop["position"])
        return state.epoch, self.position

    def _over_budget(self, done: int) -> bool:
        """True when another epoch would not fit into max_minutes."""
        limit = self.job.config.max_minutes
        if limit is None or done == 0:
            return False
        here = time.monotonic() - self.began
        return self.spent + here + here / done > limit * 60
