"""What every config key becomes, decided without the framework; training then reads the values back from the framework's objects."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from trainer_sdk import ConfigError, DatasetError, Run
from trainer_sdk._dataset import open_dataset

from ultralytics_trainer.catalogue import Network, network_of
from ultralytics_trainer.metric_names import declared_names

_MAX_WORKERS = 8
#: Config keys whose framework argument has another name.
TARGETS = {
    "image_size": "imgsz", "learning_rate": "lr0", "max_minutes": "time", "precision": "amp", "eval_metric": "checkpoint rule",
}  # fmt: skip
#: Keys that are not arguments of the framework.
_OURS = ("eval_metric",)
_NOT_VAL = ("learning_rate", "images_per_second")


@dataclass(frozen=True)
class Planned:
    value: Any
    target: str
    note: str | None = None
    source: str | None = None


@dataclass
class Plan:
    """`entries` say what each key becomes; `arguments` is what the framework is given."""

    entries: dict[str, Planned] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, key: str) -> Any:
        return self.entries[key].value

    def put(self, key: str, value: Any, note: str | None = None, source: str | None = None) -> None:
        self.entries[key] = Planned(value, TARGETS.get(key, key), note, source)

    def ignore(self, key: str, note: str, value: Any = None) -> None:
        if key in self.entries:
            self.put(key, value, note, "ignored")


def plan_of(run: Run) -> Plan:
    """One entry for every key of the config. Raises ConfigError for a metric the task does not report."""
    config, plan = run.config, Plan()
    network = network_of(run.model)
    if network is None:
        raise ConfigError(f"the model {run.model} is not known")
    for key in config:
        plan.put(key, config[key])
    _eval_metric(run, plan)
    plan.arguments = _arguments(run)
    count = _train_count(run, float(config.fraction))
    _basics(run, plan, count)
    _optimizer(run, plan, network, count)
    _device(run, plan)
    _without_effect(run, plan, network)
    return plan


def _eval_metric(run: Run, plan: Plan) -> None:
    entry = run.manifest.task(run.task)
    wanted = run.config.eval_metric
    if wanted is None:
        plan.put("eval_metric", entry["metrics"]["primary"], "the task's primary metric", "auto")
        return
    known = sorted(name for name in declared_names(entry) if name not in _NOT_VAL)
    if wanted not in known:
        raise ConfigError(f"config key eval_metric: {run.task} does not report {wanted}", f"It reports: {', '.join(known)}.")


def _arguments(run: Run) -> dict[str, Any]:
    """Config key → framework argument, before anything the device or the data change."""
    config = run.config
    found = {TARGETS.get(key, key): config[key] for key in config if key not in _OURS}
    found["imgsz"] = config.image_size or (224 if run.task == "classify" else 640)
    found["batch"] = (-1 if run.device == "cuda" else 16) if config.batch == "auto" else config.batch
    found["time"] = config.max_minutes / 60 if config.max_minutes is not None else None
    found["cache"] = False if config.cache == "none" else config.cache
    found["compile"] = False if config.compile == "off" or run.device == "cpu" else config.compile
    found["save_period"] = config.save_period or -1
    found["amp"] = {"auto": run.device == "cuda", "fp32": False, "amp-fp16": True, "amp-bf16": "bf16"}[config.precision]
    found["workers"] = _workers(run)
    found["seed"] = run.seed
    if found.get("auto_augment") == "none":
        found["auto_augment"] = None
    if run.task == "semantic":
        found["single_cls"] = False
    return found


def _workers(run: Run) -> int:
    cpus = int(run.limits.get("cpus") or 1)
    if run.config.workers == "auto":
        return 0 if cpus <= 1 else min(cpus, _MAX_WORKERS)
    return int(run.config.workers)


def _train_count(run: Run, fraction: float) -> int:
    try:
        dataset = run.dataset if run.has_dataset else open_dataset(run.job.path(str((run.job.dataset or {}).get("path", "dataset"))))
        return max(1, round(len(dataset.train) * fraction))
    except DatasetError:
        # validate reports the dataset's problems itself; the plan then assumes nothing about its size.
        return 1 << 30


def _basics(run: Run, plan: Plan, count: int) -> None:
    config, arguments = run.config, plan.arguments
    if config.image_size is None:
        plan.put("image_size", arguments["imgsz"], "224 px to classify, 640 px for the other tasks", "auto")
    batch = int(arguments["batch"])
    if config.batch == "auto":
        note = "measured on the GPU when training starts" if batch < 0 else "16 on a CPU: only a GPU can be measured"
        plan.put("batch", "auto" if batch < 0 else batch, note, "auto")
    if batch > count:
        plan.put("batch", count, f"the training split has {count} images", "overridden")
    if config.max_minutes is not None:
        plan.put("epochs", config.epochs, "planned anew from the time an epoch takes: max_minutes is set", "overridden")
        plan.put("max_minutes", config.max_minutes)
    if config.seed != run.seed:
        plan.put("seed", run.seed, "the job's seed", "overridden")
    warmup = min(float(config.warmup_epochs), max(config.epochs - 1, 0))
    if warmup != config.warmup_epochs:
        plan.put("warmup_epochs", warmup, "at least one epoch is trained after the warm-up", "overridden")


def _optimizer(run: Run, plan: Plan, network: Network, count: int) -> None:
    config, batch = run.config, max(1, int(plan.arguments["batch"]))
    accumulate = max(round(config.nbs / batch), 1)
    decay = config.weight_decay * batch * accumulate / config.nbs
    if not math.isclose(decay, config.weight_decay):
        note = f"scaled for steps of {batch} x {accumulate} images at a nominal batch of {config.nbs}"
        plan.put("weight_decay", decay, note, "overridden")
    if accumulate > 1:
        plan.put("nbs", config.nbs, f"gradients of up to {accumulate} batches are summed for one step")
    if config.optimizer != "auto":
        return
    classes = 1 if config.get("single_cls") and run.task != "semantic" else _class_count(run)
    iterations = math.ceil(count / max(batch, config.nbs)) * config.epochs
    name, rate = ("MuSGD", 0.01) if iterations > 10_000 else ("AdamW", round(0.002 * 5 / (4 + classes), 6))
    plan.put("optimizer", name, f"{iterations} steps at the nominal batch: {name} with a rate of its own", "auto")
    plan.put("learning_rate", rate, "optimizer=auto sets its own rate", "overridden")
    plan.put("momentum", 0.9, "optimizer=auto sets its own momentum", "overridden")
    plan.put("warmup_bias_lr", 0.0, "optimizer=auto starts the biases at 0", "overridden")


def _class_count(run: Run) -> int:
    try:
        dataset = run.dataset if run.has_dataset else open_dataset(run.job.path(str((run.job.dataset or {}).get("path", "dataset"))))
        return len(dataset.classes)
    except DatasetError:
        return 1


def _device(run: Run, plan: Plan) -> None:
    config = run.config
    if run.device == "cpu":
        if config.workers == "auto":
            plan.put("workers", 0, "the framework loads in the training process on a CPU", "auto")
        elif config.workers != 0:
            plan.put("workers", 0, "the framework loads in the training process on a CPU", "overridden")
        if config.precision == "auto":
            plan.put("precision", "fp32", "fp32 on a CPU", "auto")
        elif config.precision != "fp32":
            plan.ignore("precision", "mixed precision needs a GPU; fp32 is used", "fp32")
        if config.compile != "off":
            plan.ignore("compile", "not used on a CPU: compiling takes longer than it saves", "off")
        if not config.deterministic:
            plan.put("deterministic", False, "a CPU computes the same either way, up to the order of threads")
        return
    if config.workers == "auto":
        plan.put("workers", plan.arguments["workers"], "from the granted CPUs", "auto")
    if config.precision == "auto":
        plan.put("precision", "amp-fp16", "mixed precision when the GPU passes its check", "auto")


def _without_effect(run: Run, plan: Plan, network: Network) -> None:
    config, task = run.config, run.task
    if config.warmup_epochs == 0 or config.epochs == 1:
        for key in ("warmup_momentum", "warmup_bias_lr"):
            plan.ignore(key, "there is no warm-up")
    if task == "classify":
        if config.auto_augment != "none":
            for key in ("hsv_h", "hsv_s", "hsv_v"):
                plan.ignore(key, "auto_augment replaces the colour changes")
        return
    if task == "semantic" and config.single_cls:
        plan.ignore("single_cls", "classes of a mask cannot be merged", False)
    if network.rtdetr and config.rect:
        plan.ignore("rect", "RT-DETR always stretches to a square", False)
    elif config.rect:
        for key in ("mosaic", "mixup", "cutmix"):
            plan.ignore(key, "rectangular batches switch it off", 0.0)
    if config.get("copy_paste") == 0:
        plan.ignore("copy_paste_mode", "copy_paste is 0")
    if config.get("rle") is not None and network.family != "yolo26":
        plan.ignore("rle", "only YOLO26 has this loss")
    if config.get("dfl") is not None and network.family in ("yolo26", "rtdetr"):
        plan.put("dfl", config.dfl, "weighs the plain edge loss: this network has no edge distribution" if network.family == "yolo26" else None)
    if network.rtdetr:
        for key in ("box", "cls", "dfl", "cls_pw"):
            plan.ignore(key, "RT-DETR's loss has fixed weights")
    if network.rtdetr or network.end_to_end:
        plan.ignore("iou", "the network needs no NMS")
