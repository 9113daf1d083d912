"""config.effective.json: every key read back from what the library made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from huggingface_trainer.changes import read_changes
from huggingface_trainer.stages import frozen_stages

if TYPE_CHECKING:
    from huggingface_trainer.trainer import VisionTrainer


def report(trainer: VisionTrainer) -> None:
    run, plan = trainer.job, trainer.parts.plan
    back = {**_optimizer(trainer), **_arguments(trainer), **_data(trainer)}
    if run.config.gradient_checkpointing and not trainer.model.is_activation_checkpointing:
        # Only the built network tells: no "ignored", which validate would have had to say.
        plan.put("gradient_checkpointing", False, "this architecture has none", "overridden")
    for key, planned in plan.entries.items():
        value = back.get(key, planned.value) if planned.source != "ignored" else planned.value
        same = planned.source is None or value == planned.value
        run.effective(key, value, planned.target, planned.note, planned.source if same else None)


def _optimizer(trainer: VisionTrainer) -> dict[str, Any]:
    made = getattr(trainer.optimizer, "optimizer", trainer.optimizer)
    groups = made.param_groups
    rates = [group.get("initial_lr", group["lr"]) for group in groups]
    found: dict[str, Any] = {"weight_decay": max(group["weight_decay"] for group in groups), "learning_rate": max(rates)}
    if "betas" in groups[0]:
        found |= {"adam_beta1": groups[0]["betas"][0], "adam_beta2": groups[0]["betas"][1], "adam_epsilon": groups[0]["eps"]}
    names = {"AdamW": "adamw_torch_fused" if groups[0].get("fused") else "adamw_torch", "Adafactor": "adafactor", "SGD": "sgd"}
    found["optim"] = names[type(made).__name__]
    if "backbone_lr_factor" in trainer.job.config:
        found["backbone_lr_factor"] = round(min(rates) / max(rates), 6)
    return found


def _arguments(trainer: VisionTrainer) -> dict[str, Any]:
    args, parts = trainer.args, trainer.parts
    found: dict[str, Any] = {
        "epochs": int(args.num_train_epochs),
        "max_grad_norm": args.max_grad_norm,
        "gradient_accumulation_steps": args.gradient_accumulation_steps,
        "lr_scheduler_type": str(getattr(args.lr_scheduler_type, "value", args.lr_scheduler_type)),
        "warmup_ratio": args.warmup_steps,
        "eval_metric": args.metric_for_best_model,
        "patience": parts.patience.patience,
        "early_stopping_threshold": parts.patience.threshold,
        "max_minutes": parts.budget.minutes,
        "precision": {"no": "fp32", "bf16": "amp-bf16", "fp16": "amp-fp16"}[str(trainer.accelerator.mixed_precision)],
        "torch_compile": args.torch_compile,
        "seed": args.data_seed if args.data_seed == args.seed else None,
        "save_total_limit": args.save_total_limit,
        "logging_steps": int(trainer.state.logging_steps),
        "gradient_checkpointing": trainer.model.is_activation_checkpointing,
        "freeze": frozen_stages(trainer.model),
    }
    if "label_smoothing_factor" in trainer.job.config:
        found["label_smoothing_factor"] = trainer.label_smoother.epsilon if trainer.label_smoother is not None else 0
    return found


def _data(trainer: VisionTrainer) -> dict[str, Any]:
    loader, task = trainer.callback_handler.train_dataloader, trainer.job.task
    found: dict[str, Any] = {
        "batch": loader.batch_sampler.batch_size,
        "workers": loader.num_workers,
        "image_size": loader.collate_fn.size,
        **read_changes(task, trainer.train_dataset.changes),
    }
    return {**found, "reduce_labels": loader.collate_fn.reduce_labels} if task == "semantic" else found
