"""The train verb: builds network, data and trainer from the plan, and runs or resumes them."""

from __future__ import annotations

import random
import tempfile

import numpy
import torch
from trainer_sdk import DatasetError, Run
from transformers import PrinterCallback
from transformers.utils import logging

from huggingface_trainer.arguments import arguments_of
from huggingface_trainer.callbacks import Budget, Patience, Reporter
from huggingface_trainer.catalog import MODELS
from huggingface_trainer.changes import Nothing, make_changes
from huggingface_trainer.images import Collate, Images, held_out
from huggingface_trainer.network import build, device_of
from huggingface_trainer.plan import Plan, plan_of
from huggingface_trainer.processors import saved_processor
from huggingface_trainer.stages import freeze_stages
from huggingface_trainer.trainer import Parts, VisionTrainer
from huggingface_trainer.validation import Validation


def train(run: Run) -> None:
    plan = plan_of(run)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    _seed(run)
    _notes(run, plan)
    with tempfile.TemporaryDirectory(prefix="trainyard-hf-") as folder:
        trainer = _trainer(run, plan, folder)
        files = run.resume_files()
        trainer.train(resume_from_checkpoint=str(files) if files is not None else None)
    skipped = trainer.train_dataset.skipped
    if skipped:
        run.warn("images_skipped", f"{skipped} times a training image could not be read and was left out.")
    # A stop: the checkpoint is written, 75 follows.
    run.safe_point()


def _seed(run: Run) -> None:
    random.seed(run.seed)
    numpy.random.seed(run.seed % 2**32)
    torch.manual_seed(run.seed)
    if run.device == "cpu" and run.limits.get("cpus"):
        torch.set_num_threads(max(1, min(torch.get_num_threads(), int(run.limits["cpus"]))))


def _notes(run: Run, plan: Plan) -> None:
    config = run.config
    if plan["eval_metric"] != run.eval_metric:
        run.warn("config_ignored", plan.entries["eval_metric"].note or "", "Leave eval_metric empty, or choose a metric of this task.")
        run.eval_metric, run.direction = plan["eval_metric"], run.manifest.direction(plan["eval_metric"])
    if run.device == "cuda" and plan["precision"] == "amp-bf16" and not torch.cuda.is_bf16_supported():
        source = "auto" if config.precision == "auto" else "overridden"
        plan.put("precision", "amp-fp16", "this GPU has no bf16", source)
    if run.device != "cuda" and config.precision not in ("auto", "fp32"):
        run.warn("amp_disabled", "Mixed precision needs a GPU; fp32 is used.")
    if config.workers not in ("auto", plan["workers"]):
        run.warn("workers_reduced", f"{plan['workers']} loader processes instead of {config.workers}.", plan.entries["workers"].note)


def _trainer(run: Run, plan: Plan, folder: str) -> VisionTrainer:
    config, device = run.config, device_of(run)
    reduce_labels = bool(config.get("reduce_labels", False))
    net, processor = build(run, plan["image_size"], reduce_labels)
    if config.freeze:
        frozen = freeze_stages(net, config.freeze)
        if frozen != config.freeze:
            plan.put("freeze", frozen, f"this backbone has {frozen} stages", "overridden")
    if config.gradient_checkpointing and net.supports_gradient_checkpointing:
        net.activation_checkpointing_enable()
    train_samples, val_samples = list(run.dataset.train.samples()), list(run.dataset.val.samples())
    if not train_samples or not val_samples:
        raise DatasetError("a split has no image that can be read", "Both train and val need images.", "dataset.empty_split")
    keep = plan["workers"] == 0
    changes = make_changes(run.task, plan["image_size"], config)
    resized = run.task == "classify"
    images = Images(train_samples, run.task, changes, run.seed, keep)
    validation = Validation(
        run, Images(val_samples, run.task, Nothing(), run.seed, True), Collate(processor, run.task, False, reduce_labels), plan["batch"],
        device,
    )  # fmt: skip
    run.store.keep = config.save_total_limit
    budget = Budget(config.max_minutes)
    parts = Parts(
        run, plan, validation, Patience(config.patience, config.early_stopping_threshold, run.direction), budget,
        saved_processor(MODELS[run.model].processor, processor), held_out(val_samples, plan["image_size"]),
    )  # fmt: skip
    trainer = VisionTrainer(
        parts, Reporter(run, budget), model=net, args=arguments_of(run, plan, folder), train_dataset=images, eval_dataset=validation.images,
        data_collator=Collate(processor, run.task, resized, reduce_labels),
    )  # fmt: skip
    # It prints each log line; ours go into the event file.
    trainer.remove_callback(PrinterCallback)
    logging.set_verbosity_error()
    return trainer
