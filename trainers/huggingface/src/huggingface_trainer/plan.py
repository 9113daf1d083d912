"""What every config key becomes, decided without the library; training then reads the values back from the built objects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from trainer_sdk import ConfigError, DatasetError, Run
from trainer_sdk._dataset import open_dataset

from huggingface_trainer.catalog import MODELS

_MAX_WORKERS = 8
_LEAST_SHM = 64 * 1024 * 1024


@dataclass(frozen=True)
class Planned:
    value: Any
    target: str
    note: str | None = None
    source: str | None = None


@dataclass
class Plan:
    entries: dict[str, Planned] = field(default_factory=dict)

    def __getitem__(self, key: str) -> Any:
        return self.entries[key].value

    def put(self, key: str, value: Any, note: str | None = None, source: str | None = None) -> None:
        self.entries[key] = Planned(value, TARGETS.get(key, key), note, source)

    def ignore(self, key: str, note: str, value: Any = None) -> None:
        self.put(key, value, note, "ignored")


#: Config keys whose place in the library has another name.
TARGETS = {
    "epochs": "TrainingArguments.num_train_epochs", "batch": "TrainingArguments.per_device_train_batch_size",
    "image_size": "ImageProcessor.size", "ignore_mismatched_sizes": "from_pretrained.ignore_mismatched_sizes",
    "learning_rate": "TrainingArguments.learning_rate", "backbone_lr_factor": "Optimizer.param_groups.lr",
    "weight_decay": "Optimizer.param_groups.weight_decay", "optim": "TrainingArguments.optim",
    "adam_beta1": "Optimizer.param_groups.betas", "adam_beta2": "Optimizer.param_groups.betas",
    "adam_epsilon": "Optimizer.param_groups.eps", "max_grad_norm": "TrainingArguments.max_grad_norm",
    "gradient_accumulation_steps": "TrainingArguments.gradient_accumulation_steps",
    "label_smoothing_factor": "LabelSmoother.epsilon", "lr_scheduler_type": "TrainingArguments.lr_scheduler_type",
    # Trap (contract.md 13.3): warmup_ratio is gone in this version; warmup_steps below 1 is a share.
    "warmup_ratio": "TrainingArguments.warmup_steps", "eval_metric": "TrainingArguments.metric_for_best_model",
    "patience": "Patience.patience", "early_stopping_threshold": "Patience.threshold",
    "rrc_scale": "RandomResizedCrop.scale", "hflip": "RandomHorizontalFlip.p", "color_jitter": "ColorJitter",
    "randaugment": "RandAugment", "scale_jitter": "BoxChanges.scale", "min_visibility": "BoxChanges.visible",
    "random_crop": "MaskChanges.window", "reduce_labels": "Collate.reduce_labels", "precision": "TrainingArguments.bf16 / fp16",
    "gradient_checkpointing": "TrainingArguments.activation_checkpointing", "torch_compile": "TrainingArguments.torch_compile",
    "workers": "TrainingArguments.dataloader_num_workers", "seed": "TrainingArguments.seed, data_seed",
    "save_total_limit": "TrainingArguments.save_total_limit", "logging_steps": "TrainingArguments.logging_steps",
    "max_minutes": "Budget.minutes", "freeze": "requires_grad of the leading stages",
}  # fmt: skip


def plan_of(run: Run) -> Plan:
    """One entry for every key of the config. Raises ConfigError (78) for a range whose ends are the wrong way round."""
    config, plan = run.config, Plan()
    for key in config:
        plan.put(key, config[key])
    _check_pairs(config)
    _metric(run, plan)
    _size(run, plan)
    count = _train_count(run)
    if config.batch > count:
        plan.put("batch", count, f"the training split has {count} images", "overridden")
    if config.max_grad_norm is None:
        plan.put("max_grad_norm", 0.1 if run.task == "detect" else 1.0, "what this task trains best with", "auto")
    if config.freeze is None:
        plan.put("freeze", 0, "no stage is frozen", "auto")
    if config.max_minutes is None:
        plan.put("max_minutes", None, "no budget", "default")
    if not run.job.weights:
        plan.ignore("ignore_mismatched_sizes", "no weights were given", config.ignore_mismatched_sizes)
    if config.seed != run.seed:
        plan.put("seed", run.seed, "the job's seed", "overridden")
    _workers(plan, run)
    _device(plan, run)
    _greyed(plan, config)
    return plan


def _size(run: Run, plan: Plan) -> None:
    """A size that the model can take: the manifest names least, greatest and step."""
    wanted = run.config.image_size
    if wanted is None:
        plan.put("image_size", MODELS[run.model].size, "the model's own size", "auto")
        return
    limits = run.model_entry["input"]
    step = int(limits["step"])
    size = min(max(-(-wanted // step) * step, int(limits["min"])), int(limits["max"]))
    if size != wanted:
        plan.put("image_size", size, f"{run.model} takes multiples of {step} from {limits['min']} to {limits['max']}", "overridden")


def _check_pairs(config: Any) -> None:
    for key in ("rrc_scale", "scale_jitter"):
        if key in config and config[key][0] > config[key][1]:
            raise ConfigError(f"config key {key}: the lower end is above the upper", f"Correct {key}: smaller number first.", "config.conflict")


def _metric(run: Run, plan: Plan) -> None:
    declared = run.manifest.task(run.task)["metrics"]["declared"]
    wanted = run.config.eval_metric
    if wanted is None:
        plan.put("eval_metric", run.eval_metric, "the task's own", "auto")
    elif wanted not in declared:
        # The schema cannot tell the tasks apart inside one key.
        plan.put("eval_metric", run.manifest.primary(run.task)[0], f"{run.task} has no {wanted}", "overridden")


def _train_count(run: Run) -> int:
    try:
        dataset = run.dataset if run.has_dataset else open_dataset(run.job.path(str((run.job.dataset or {}).get("path", "dataset"))))
        return max(1, len(dataset.train))
    except DatasetError:
        # validate reports the dataset's problems itself; the plan then assumes nothing about its size.
        return 1 << 30


def _workers(plan: Plan, run: Run) -> None:
    cpus, workers = int(run.limits.get("cpus") or 1), run.config.workers
    note, source = None, None
    if workers == "auto":
        workers, note, source = (0 if cpus <= 1 else min(cpus, _MAX_WORKERS)), "from the granted CPUs", "auto"
    if workers > 0 and int(run.limits.get("shmBytes") or 0) < _LEAST_SHM:
        workers, note, source = 0, "too little shared memory for loader processes", "auto" if source else "overridden"
    plan.put("workers", workers, note, source)


def _device(plan: Plan, run: Run) -> None:
    config = run.config
    if run.device != "cuda":
        if config.precision == "auto":
            plan.put("precision", "fp32", "full precision on a CPU", "auto")
        elif config.precision != "fp32":
            plan.ignore("precision", "mixed precision needs a GPU", "fp32")
        if config.torch_compile:
            plan.ignore("torch_compile", "compiling is used on a GPU only", False)
    elif config.precision == "auto":
        plan.put("precision", "amp-bf16", "the best this device does", "auto")


def _greyed(plan: Plan, config: Any) -> None:
    if not config.optim.startswith("adamw"):
        for key in ("adam_beta1", "adam_beta2", "adam_epsilon"):
            plan.ignore(key, f"{config.optim} has none")
    if config.lr_scheduler_type in ("constant", "reduce_lr_on_plateau"):
        plan.ignore("warmup_ratio", f"{config.lr_scheduler_type} has no warm-up")
    if config.patience == 0:
        plan.ignore("early_stopping_threshold", "patience is 0")
