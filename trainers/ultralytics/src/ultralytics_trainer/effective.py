"""What became of every config key, read back from the framework's objects after it built them (contract.md 4.8)."""

from __future__ import annotations

import math
from typing import Any

from trainer_sdk import Run

from ultralytics_trainer.plan import TARGETS, Plan


def report(run: Run, plan: Plan, trainer: Any) -> None:
    back = _read(run, trainer)
    for key, planned in plan.entries.items():
        if planned.source == "ignored":
            run.effective(key, planned.value, planned.target, planned.note, "ignored")
            continue
        value = back.get(key, planned.value)
        if _same(value, planned.value):
            run.effective(key, planned.value, planned.target, planned.note, planned.source)
        else:
            note = f"{planned.note}; the framework uses {value}" if planned.note else None
            run.effective(key, value, planned.target, note)


def _read(run: Run, trainer: Any) -> dict[str, Any]:
    args, loader = trainer.args, trainer.train_loader
    found: dict[str, Any] = {}
    for key in run.config:
        if hasattr(args, TARGETS.get(key, key)) and key not in ("precision", "compile"):
            found[key] = getattr(args, TARGETS.get(key, key))
    groups = trainer.optimizer.param_groups
    main = next((group for group in groups if group.get("param_group") in ("muon", "weight") and group["params"]), groups[0])
    names = {type(trainer.optimizer).__name__, "RMSProp"}
    wanted = run.config.optimizer
    found["optimizer"] = wanted if wanted.lower() in {name.lower() for name in names} else type(trainer.optimizer).__name__
    found["learning_rate"] = main.get("initial_lr", main["lr"])
    found["momentum"] = main["momentum"] if "momentum" in main else main.get("betas", (None,))[0]
    found["weight_decay"] = max(group["weight_decay"] for group in groups)
    found["warmup_epochs"] = min(float(args.warmup_epochs), max(trainer.epochs - 1, 0))
    found["batch"] = loader.batch_size
    found["workers"] = loader.num_workers
    found["epochs"] = trainer.epochs
    found["patience"] = 0 if math.isinf(trainer.stopper.patience) else trainer.stopper.patience
    found["max_minutes"] = args.time * 60 if args.time else None
    found["cache"] = args.cache or "none"
    found["save_period"] = max(int(args.save_period), 0)
    found["precision"] = ("amp-bf16" if args.amp == "bf16" else "amp-fp16") if trainer.amp else "fp32"
    found["freeze"] = None if args.freeze is None else sum(name.startswith("model.") for name in trainer.freeze_layer_names)
    found["compile"] = args.compile if isinstance(args.compile, str) else ("default" if args.compile else "off")
    if run.task == "classify":
        found["auto_augment"] = args.auto_augment or "none"
        drops = [module.p for module in trainer.model.modules() if type(module).__name__ == "Dropout"]
        found["dropout"] = max(drops, default=args.dropout)
    augmented = getattr(loader.dataset, "rect", None)
    if augmented is not None and run.task != "classify" and "rect" in found:
        found["rect"] = bool(augmented)
    found["eval_metric"] = run.eval_metric
    return found


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-12)
    return bool(a == b)
