"""Training with the framework's own trainer; what it keeps, reports and when it stops is decided here (contract.md 13.1)."""

from __future__ import annotations

import time
from collections import defaultdict
from copy import copy
from typing import Any

import torch
from trainer_sdk import ConfigError, DatasetError, Diverged, Run

from ultralytics_trainer import network as networks
from ultralytics_trainer.effective import report
from ultralytics_trainer.metric_names import declared_names, loss_values, val_values
from ultralytics_trainer.pictures import held_out
from ultralytics_trainer.plan import Plan, plan_of
from ultralytics_trainer.scoring import classification_values, dice, judge_whole_masks, val_batch
from ultralytics_trainer.state import TrainingState
from ultralytics_trainer.surroundings import scratch
from ultralytics_trainer.view import View, build_view

_EVERY_ON_GPU = 20
_MAX_RECOVERIES = 3


def train(run: Run) -> None:
    plan = plan_of(run)
    if run.device == "cpu" and run.limits.get("cpus"):
        torch.set_num_threads(max(1, min(torch.get_num_threads(), int(run.limits["cpus"]))))
    view = build_view(run, ("train", "val"), bool(plan.arguments.get("single_cls")))
    arguments = {
        **plan.arguments, "task": run.task, "mode": "train", "model": f"{run.model}.yaml", "data": "dataset.yaml",
        "device": networks.device_of(run), "project": str(scratch()), "name": "train", "exist_ok": True,
        "plots": False, "val": True, "save": True, "verbose": False, "pretrained": True,
    }  # fmt: skip
    if networks.found_network(run.model).end_to_end:
        # The head that needs no NMS is the one that is exported, so it is the one that is judged.
        arguments["nms"] = False
    _trainer_class(run)(run, plan, view, arguments).work()


def _trainer_class(run: Run) -> Any:
    from ultralytics.models import yolo
    from ultralytics.models.rtdetr.train import RTDETRTrainer

    base: Any = {
        "detect": yolo.detect.DetectionTrainer, "segment": yolo.segment.SegmentationTrainer, "pose": yolo.pose.PoseTrainer,
        "obb": yolo.obb.OBBTrainer, "classify": yolo.classify.ClassificationTrainer,
        "semantic": yolo.semantic.SemanticSegmentationTrainer,
    }[run.task]  # fmt: skip
    if run.model.startswith("rtdetr-"):
        base = RTDETRTrainer

    class Training(_Hooks, base):
        pass

    return Training


class _Hooks:
    """Sits before the framework's trainer. Its final evaluation, its files and its CSV are replaced: they strip the optimizer, name an
    epoch that never was and are written in place (rows 1, 2, 4 of 13.1); `best` follows our own rule over our own copies (row 5)."""

    def __init__(self, run: Run, plan: Plan, view: View, arguments: dict[str, Any]) -> None:
        self.job, self.plan, self.view = run, plan, view
        self.declared = declared_names(run.manifest.task(run.task))
        self.saved: TrainingState | None = None
        self.recoveries = 0
        self.seen = 0
        self.whole = False
        self.stepped = False
        self.first_batch = True
        self.planned_batch: int | None = None
        stop: Any = lambda _validator: run.safe_point()  # noqa: E731
        callbacks: Any = defaultdict(list, {"on_val_batch_end": [stop]})
        super().__init__(overrides=arguments, _callbacks=callbacks)

    # What the framework calls

    def get_dataset(self) -> dict[str, Any]:
        """No YAML is read and no folder is checked by the framework: both may download."""
        return copy(self.view.data)

    def run_callbacks(self, event: str) -> None:
        handler = getattr(self, f"_{event}", None)
        if handler is not None:
            handler()

    def read_results_csv(self) -> dict[str, Any]:
        return {}

    def save_metrics(self, metrics: dict[str, Any]) -> None:
        pass

    def final_eval(self) -> None:
        """`evaluate` of the best checkpoint follows, by the contract; the framework's own would strip and add a phantom epoch."""

    def optimizer_step(self) -> None:
        super().optimizer_step()  # type: ignore[misc]
        self.job.step += 1
        self.stepped = True

    def get_validator(self) -> Any:
        validator = super().get_validator()  # type: ignore[misc]
        if self.job.task == "segment":
            judge_whole_masks(validator)
        return validator

    def get_dataloader(self, path: Any, batch_size: int = 16, rank: int = 0, mode: str = "train") -> Any:
        if mode == "train" or self.job.task != "segment":
            return super().get_dataloader(path, batch_size, rank, mode)  # type: ignore[misc]
        kept, self.args = self.args, copy(self.args)
        self.args.mask_ratio = 1
        try:
            return super().get_dataloader(path, val_batch("segment", self.batch_size), rank, mode)  # type: ignore[misc]
        finally:
            self.args = kept

    def work(self) -> None:
        import ultralytics.engine.trainer as engine

        # Row "AMP check": the name the framework's trainer calls.
        engine.check_amp = _amp_works
        try:
            config = networks.config_of(networks.found_network(self.job.model))
            self.model = self.get_model(cfg=config, weights=None, verbose=False)
            weights = networks.weights_of(self.job)
            if weights is not None:
                taken, of = networks.fill(self.model, weights)
                if taken < of:
                    text = f"{of - taken} of {of} tensors do not fit and start at random: head and class count differ."
                    self.job.warn("pretrained_head_replaced", text)
            self.train()
            if self.args.time:
                self.job.effective("epochs", self.epochs, "epochs", "planned from the time an epoch takes: max_minutes is set", "overridden")
        except (RuntimeError, ValueError) as error:
            raise _as_ours(error) from error

    def _on_pretrain_routine_end(self) -> None:
        """Everything is built: say what became of the config, go on where an earlier attempt stopped."""
        run = self.job
        _compare_counts(run, self)
        report(run, self.plan, self)
        self.planned_batch = self.batch_size
        self.pictures = held_out(self.view.samples["val"], int(self.args.imgsz))
        self.saved = TrainingState(run, self)
        self.saved.resume()
        # From here a stop is taken between batches: the last complete epoch is what a resume starts from.
        run.stop.settle()
        if run.store.last is None:
            run.on_stop(lambda: self._save_start())

    def _on_train_start(self) -> None:
        """A time budget counts the earlier attempts too."""
        if self.args.time and self.saved is not None:
            self.train_time_start -= self.saved.spent

    def _on_train_epoch_start(self) -> None:
        if self.args.time:
            self.start_epoch = 0  # the loop is past it; the time of an epoch is that of all of them
        self.job.epoch = self.epoch + 1
        self.seen, self.whole, self.began = 0, False, time.monotonic()
        self.job.progress(self.epoch, self.epochs)
        if self.saved is not None:
            self.saved.begin_epoch(self.epoch)
        if self.planned_batch is not None and self.batch_size != self.planned_batch:
            # Row "out of memory": the framework halved the batch by itself.
            self.job.warn("batch_reduced", f"The GPU's memory was full: {self.batch_size} images per step instead of {self.planned_batch}.")
            note = "halved by the framework: the GPU's memory was full"
            self.job.effective("batch", self.batch_size, "batch", note, "overridden")
            self.planned_batch = self.batch_size

    def _on_train_batch_end(self) -> None:
        run = self.job
        batches = len(self.train_loader)
        self.seen += 1
        self.whole = self.seen >= batches
        run.images_per_second = self.seen * self.train_loader.batch_size / max(time.monotonic() - self.began, 1e-9)
        if self.stepped and (self.device.type == "cpu" or run.step % _EVERY_ON_GPU == 0 or self.whole):
            self._report_losses(self.loss_items, self.epoch + self.seen / batches)
        self.stepped = False
        run.progress(self.epoch + self.seen / batches, max(self.epochs, self.epoch + 1))
        run.safe_point()

    def _report_losses(self, items: dict[str, Any], epoch: float) -> None:
        rate = max(group["lr"] for group in self.optimizer.param_groups if group.get("param_group") != "bias")
        speed = round(self.job.images_per_second or 0.0, 2)
        values = {**loss_values(items, self.declared), "learning_rate": float(rate), "images_per_second": speed}
        self.job.metric("train", step=self.job.step, epoch=round(epoch, 4), **values)

    def _on_train_epoch_end(self) -> None:
        if self.tloss is not None:
            self._report_losses(self.tloss, self.epoch + 1)

    def _handle_nan_recovery(self, epoch: int) -> bool:
        """Row "NaN": goes back to the last good epoch at most three times, says so each time, then ends as diverged (76)."""
        bad = self.loss is not None and not bool(torch.isfinite(self.loss).all())
        bad = bad or (self.fitness is not None and self.fitness != self.fitness)
        if not bad:
            return False
        self.recoveries += 1
        folder = self.saved.last_folder() if self.saved is not None else None
        if folder is None or self.recoveries > _MAX_RECOVERIES:
            raise Diverged("the loss is not a number any more", "Divide the learning rate by 10, or train in fp32.")
        self.job.warn("nan_recovered", f"The loss of epoch {epoch + 1} was not a number: back to epoch {epoch}.", attempt=self.recoveries)
        self._model_train()
        assert self.saved is not None
        self.saved.restore(folder, generators=False)
        self.scheduler.last_epoch = epoch - 1
        return True

    def save_model(self) -> bool:
        """After the validation of an epoch: its metrics and a checkpoint of ours. An epoch cut by the time budget counts only when there is
        nothing else to keep."""
        run = self.job
        self.recoveries = 0
        if not self.whole and run.store.last is not None:
            return False
        values = self._val_values()
        run.metric("val", step=run.step, epoch=self.epoch + 1, **values)
        if not all(bool(torch.isfinite(value).all()) for value in self.ema.ema.state_dict().values() if value.is_floating_point()):
            run.warn("checkpoint_skipped", f"The averaged weights of epoch {self.epoch + 1} are not all numbers: no checkpoint.")
            return False
        assert self.saved is not None
        period = self.job.config.save_period
        self.saved.save(values.get(run.eval_metric), self.epoch + 1, bool(period) and (self.epoch + 1) % period == 0)
        run.on_stop(lambda: None)
        return True

    def _save_start(self) -> None:
        """Stopped in the first epoch: a checkpoint of the start, so that a resume repeats exactly this run."""
        if self.job.store.last is None and self.saved is not None:
            self.saved.save_start()

    def _val_values(self) -> dict[str, float]:
        task = self.job.task
        values = val_values(self.metrics, task, self.declared)
        if task == "classify":
            values |= classification_values(self.validator, self.job.classes)
        elif task == "semantic":
            values["dice"] = dice(self.validator.metrics.matrix)
        return values


def _as_ours(error: Exception) -> Exception:
    """What the framework says about data and settings, with our codes."""
    text = str(error)
    if "No valid images found" in text or "No images found" in text:
        return DatasetError(f"no image of the dataset can be read: {text}"[:500], "Run validate for the list.", "dataset.corrupt_image")
    if "final batch=1" in text:
        hint = "Change batch so that more than one image is left for the last step, or take a larger image_size or a smaller multi_scale."
        return ConfigError(f"one image is left for the last step of an epoch, too few at this size: {text}"[:500], hint, "config.conflict")
    if "froze the entire model" in text:
        return ConfigError(text[:500], "Lower freeze.", "config.conflict")
    return error


def _amp_works(model: Any) -> bool:
    """Row "AMP check": the framework's would load weights from the network. Here the model itself is tried on noise; GPUs known to fail are named."""
    device = next(model.parameters()).device
    if device.type != "cuda":
        return False
    name = torch.cuda.get_device_name(device).lower()
    if any(word in name for word in ("1660", "1650", "1630", "t400", "t550", "t600", "t1000", "t1200", "t2000", "k40m")):
        return False
    was = model.training
    try:
        with torch.inference_mode(), torch.autocast("cuda"):
            out = model.eval()(torch.rand(1, 3, 64, 64, device=device))
        first = out[0] if isinstance(out, (tuple, list)) else out
        first = first[0] if isinstance(first, (tuple, list)) else first
        return bool(torch.isfinite(first).all())
    finally:
        model.train(was)


def _compare_counts(run: Run, trainer: Any) -> None:
    """Row "images with bad labels are dropped with a message": counted, and said."""
    for split, loader in (("train", trainer.train_loader), ("val", trainer.test_loader)):
        files = loader.dataset.samples if run.task == "classify" else loader.dataset.im_files
        wanted = len(trainer.view.samples[split])
        if split == "train":
            fraction = float(run.config.fraction)
            wanted = max(1, round(wanted * fraction)) if fraction < 1 else wanted
        if len(files) < wanted:
            run.warn("images_skipped", f"{wanted - len(files)} of {wanted} images of {split} cannot be used.", "Run validate for the list.")
    labels = getattr(trainer.test_loader.dataset, "labels", None)
    if run.task == "classify":
        present = {int(sample[1]) for sample in trainer.test_loader.dataset.samples}
    elif run.task == "semantic" or not labels:
        return
    else:
        present = {int(value) for label in labels for value in label["cls"].reshape(-1)}
    missing = [name for index, name in enumerate(run.classes) if index not in present]
    if missing and not trainer.args.single_cls:
        run.warn("class_missing_in_val", f"Not in the validation split: {', '.join(missing[:20])}.", "Their part of the metrics means nothing.")


