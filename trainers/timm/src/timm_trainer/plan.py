"""What every config key becomes, decided without the framework; training then reads the values back from the built objects."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from trainer_sdk import DatasetError, Run
from trainer_sdk._dataset import open_dataset

from timm_trainer.catalog import architectures

_ADAPTIVE = ("ada", "lamb")
_MAX_WORKERS = 8


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

    def put(self, key: str, value: Any, target: str | None = None, note: str | None = None, source: str | None = None) -> None:
        self.entries[key] = Planned(value, target or key, note, source)

    def ignore(self, key: str, note: str, value: Any = None) -> None:
        self.entries[key] = Planned(value, key, note, "ignored")


#: Config keys whose framework argument has another name.
_TARGETS = {
    "epochs": "create_scheduler_v2.num_epochs", "opt": "create_optimizer_v2.opt", "learning_rate": "create_optimizer_v2.lr",
    "momentum": "create_optimizer_v2.momentum", "weight_decay": "create_optimizer_v2.weight_decay",
    "layer_decay": "create_optimizer_v2.layer_decay", "sched": "create_scheduler_v2.sched",
    "warmup_epochs": "create_scheduler_v2.warmup_epochs",
    "warmup_lr": "create_scheduler_v2.warmup_lr", "min_lr": "create_scheduler_v2.min_lr",
    "cooldown_epochs": "create_scheduler_v2.cooldown_epochs",
    "decay_rate": "create_scheduler_v2.decay_rate", "decay_epochs": "create_scheduler_v2.decay_epochs",
    "decay_milestones": "create_scheduler_v2.decay_milestones", "patience_epochs": "create_scheduler_v2.patience_epochs",
    "no_aug": "create_transform.no_aug", "scale": "create_transform.scale", "ratio": "create_transform.ratio",
    "hflip": "create_transform.hflip", "vflip": "create_transform.vflip", "color_jitter": "create_transform.color_jitter",
    "color_jitter_prob": "create_transform.color_jitter_prob", "aa": "create_transform.auto_augment", "reprob": "create_transform.re_prob",
    "remode": "create_transform.re_mode", "recount": "create_transform.re_count", "train_crop_mode": "create_transform.train_crop_mode",
    "train_interpolation": "create_transform.interpolation", "mixup": "Mixup.mixup_alpha", "cutmix": "Mixup.cutmix_alpha",
    "mixup_prob": "Mixup.prob", "mixup_switch_prob": "Mixup.switch_prob", "drop": "create_model.drop_rate",
    "drop_path": "create_model.drop_path_rate", "model_ema_decay": "ModelEmaV3.decay", "model_ema_warmup": "ModelEmaV3.use_warmup",
    "smoothing": "CrossEntropyLoss.label_smoothing", "image_size": "create_transform.input_size", "batch": "DataLoader.batch_size",
    "workers": "DataLoader.num_workers", "clip_grad": "dispatch_clip_grad.value", "clip_mode": "dispatch_clip_grad.mode",
}  # fmt: skip


def plan_of(run: Run) -> Plan:
    """One entry for every key of the config."""
    config, plan = run.config, Plan()
    count = _train_count(run)
    for key in config:
        plan.put(key, config[key], _TARGETS.get(key))
    entry = architectures().get(run.model)
    if config.image_size is None:
        plan.put("image_size", entry.size if entry else 224, _TARGETS["image_size"], "the model's own size", "auto")
    batch = config.batch
    if batch == "auto":
        batch = 64
        plan.put("batch", min(64, count), _TARGETS["batch"], "measured on the GPU; 64 on a CPU", "auto")
    if batch > count:
        plan.put("batch", count, _TARGETS["batch"], f"the training split has {count} images", "overridden")
    _learning_rate(plan, config, min(batch, count))
    warmup = min(float(config.warmup_epochs), config.epochs / 5)
    if warmup != config.warmup_epochs:
        plan.put("warmup_epochs", warmup, _TARGETS["warmup_epochs"], "at most a fifth of the epochs", "overridden")
    cpus = int(run.limits.get("cpus") or 1)
    workers = config.workers
    if workers == "auto":
        workers = 0 if cpus <= 1 else min(cpus, _MAX_WORKERS)
        plan.put("workers", workers, _TARGETS["workers"], "from the granted CPUs", "auto")
    shm = int(run.limits.get("shmBytes") or 0)
    if workers > 0 and shm < 64 * 1024 * 1024:
        plan.put("workers", 0, _TARGETS["workers"], "too little shared memory for loader processes", "overridden")
    if config.seed != run.seed:
        plan.put("seed", run.seed, None, "the job's seed", "overridden")
    _device(plan, run)
    _greyed(plan, config)
    return plan


def _train_count(run: Run) -> int:
    try:
        dataset = run.dataset if run.has_dataset else open_dataset(run.job.path(str((run.job.dataset or {}).get("path", "dataset"))))
        return max(1, len(dataset.train))
    except DatasetError:
        # validate reports the dataset's problems itself; the plan then assumes nothing about its size.
        return 1 << 30


def _learning_rate(plan: Plan, config: Any, batch: int) -> None:
    if config.learning_rate is not None:
        for key in ("lr_base", "lr_base_size"):
            plan.ignore(key, "learning_rate is set")
        return
    ratio = batch * config.grad_accum_steps / config.lr_base_size
    if any(word in config.opt for word in _ADAPTIVE):
        ratio = math.sqrt(ratio)
    note = f"lr_base x {ratio:.4g} for {batch * config.grad_accum_steps} images a step"
    plan.put("learning_rate", config.lr_base * ratio, _TARGETS["learning_rate"], note, "auto")


def _device(plan: Plan, run: Run) -> None:
    config = run.config
    if run.device == "cpu":
        if config.precision == "auto":
            plan.put("precision", "fp32", None, "fp32 on a CPU", "auto")
        elif config.precision != "fp32":
            plan.ignore("precision", "mixed precision needs a GPU; fp32 is used", "fp32")
        if config.torchcompile != "off":
            plan.ignore("torchcompile", "not used on a CPU: compiling takes longer than it saves", "off")
    elif config.precision == "auto":
        plan.put("precision", "amp-bf16", None, "bf16 where the GPU has it, else fp16", "auto")
    if config.sync_bn:
        plan.ignore("sync_bn", "one device: there is nothing to synchronise", False)


def _greyed(plan: Plan, config: Any) -> None:
    def ignore(keys: tuple[str, ...], note: str) -> None:
        for key in keys:
            plan.ignore(key, note)

    if config.sched not in ("step", "multistep", "plateau", "poly"):
        ignore(("decay_rate",), f"sched is {config.sched}")
    if config.sched != "step":
        ignore(("decay_epochs",), f"sched is {config.sched}")
    if config.sched != "multistep":
        ignore(("decay_milestones",), f"sched is {config.sched}")
    if config.sched != "plateau":
        ignore(("patience_epochs",), f"sched is {config.sched}")
    if config.sched in ("step", "multistep"):
        ignore(("min_lr",), f"{config.sched} has no lower bound")
    if config.sched not in ("cosine", "tanh", "poly"):
        ignore(("cooldown_epochs",), f"{config.sched} has no cooldown")
    if config.clip_grad is None:
        ignore(("clip_mode",), "clip_grad is off")
    if config.no_aug:
        keys = ("scale", "ratio", "hflip", "vflip", "color_jitter", "color_jitter_prob", "aa", "train_crop_mode", "train_interpolation")
        ignore((*keys, "reprob", "remode", "recount"), "no_aug is on")
    elif config.reprob == 0:
        ignore(("remode", "recount"), "reprob is 0")
    if config.mixup == 0 and config.cutmix == 0:
        ignore(("mixup_prob", "mixup_switch_prob", "mixup_off_epoch"), "mixup and cutmix are off")
    elif config.mixup == 0 or config.cutmix == 0:
        ignore(("mixup_switch_prob",), "only one of mixup and cutmix is on")
    if not config.model_ema:
        ignore(("model_ema_decay", "model_ema_warmup"), "model_ema is off")
    if config.opt in ("adam", "adamw", "nadam", "nadamw", "radam", "lamb", "lion", "adan", "adafactor", "adopt", "laprop", "mars"):
        ignore(("momentum",), f"{config.opt} has its own moments")
    if not config.no_aug and config.aa is not None:
        plan.ignore("color_jitter", "an augmentation policy replaces it")
        plan.ignore("color_jitter_prob", "an augmentation policy replaces it")
