"""Config -> TrainingArguments of the one pinned version of the library."""

from __future__ import annotations

from typing import Any

from transformers import TrainingArguments
from trainer_sdk import Run

from huggingface_trainer.plan import Plan


def arguments_of(run: Run, plan: Plan, folder: str) -> TrainingArguments:
    """`folder` is needed by the library; our checkpoints never lie there."""
    config, cuda = run.config, run.device == "cuda"
    precision = plan["precision"]
    arguments = TrainingArguments(
        output_dir=folder,
        num_train_epochs=config.epochs,
        per_device_train_batch_size=plan["batch"],
        per_device_eval_batch_size=plan["batch"],
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        optim=config.optim,
        adam_beta1=config.adam_beta1,
        adam_beta2=config.adam_beta2,
        adam_epsilon=config.adam_epsilon,
        max_grad_norm=plan["max_grad_norm"],
        gradient_accumulation_steps=config.gradient_accumulation_steps,
        label_smoothing_factor=config.get("label_smoothing_factor", 0.0),
        lr_scheduler_type=config.lr_scheduler_type,
        lr_scheduler_kwargs=_schedule_options(run),
        # Trap (contract.md 13.3): there is no warmup_ratio any more; below 1 this is a share of all steps.
        warmup_steps=config.warmup_ratio if plan.entries["warmup_ratio"].source != "ignored" else 0,
        bf16=precision == "amp-bf16",
        fp16=precision == "amp-fp16",
        torch_compile=bool(plan["torch_compile"]),
        dataloader_num_workers=plan["workers"],
        dataloader_pin_memory=cuda,
        seed=run.seed,
        data_seed=run.seed,
        save_total_limit=config.save_total_limit,
        logging_steps=config.logging_steps,
        metric_for_best_model=run.eval_metric,
        greater_is_better=run.direction == "max",
        use_cpu=not cuda,
        # Trap: the best model needs equal strategies; the default metric is the loss.
        eval_strategy="epoch",
        save_strategy="epoch",
        load_best_model_at_end=True,
        # Trap: integrations found in the environment are never wanted.
        report_to="none",
        # Trap: NaN losses would be replaced by an average.
        logging_nan_inf_filter=False,
        # Trap: image columns would be dropped before the transform sees them.
        remove_unused_columns=False,
        # Trap: the library's own checkpoint on SIGTERM waits three seconds first and has no exit code.
        enable_jit_checkpoint=False,
        push_to_hub=False,
        disable_tqdm=True,
    )
    # Trap: several visible GPUs without a launcher would become DataParallel. Asking for more than one is refused (69) by the manifest.
    arguments._n_gpu = min(arguments.n_gpu, 1)
    return arguments


def _schedule_options(run: Run) -> dict[str, Any]:
    kind, rate = run.config.lr_scheduler_type, run.config.learning_rate
    options: dict[str, dict[str, Any]] = {
        "cosine_with_min_lr": {"min_lr_rate": 0.1},
        "cosine_with_restarts": {"num_cycles": 3},
        "polynomial": {"lr_end": rate / 100},
        "reduce_lr_on_plateau": {"mode": run.direction, "patience": 3},
    }
    return options.get(kind, {})
