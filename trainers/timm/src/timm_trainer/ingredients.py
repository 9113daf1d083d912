"""Optimizer, schedule, loss, mixing and averaging, each made by the library from the config and read back from the made object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from timm.data import Mixup
from timm.loss import BinaryCrossEntropy
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from timm.utils import ModelEmaV3
from trainer_sdk import Run

from timm_trainer.plan import Plan

_MOMENTUM = ("sgd", "momentum", "rmsprop", "muon")


@dataclass
class Ingredients:
    optimizer: Any
    scheduler: Any
    criterion: Any
    mixup: Any
    ema: Any
    #: Epochs including cooldown.
    epochs: int


def make(run: Run, plan: Plan, net: Any, device: torch.device, updates: int, weights: torch.Tensor | None) -> Ingredients:
    config = run.config
    options: dict[str, Any] = {"layer_decay": config.layer_decay} if config.layer_decay is not None else {}
    if config.opt in _MOMENTUM:
        options["momentum"] = config.momentum
    optimizer = create_optimizer_v2(net, opt=config.opt, lr=plan["learning_rate"], weight_decay=config.weight_decay, **options)
    per_epoch = config.sched == "plateau"
    warmup = round(plan["warmup_epochs"] * updates) / updates if not per_epoch else int(plan["warmup_epochs"])
    scheduler, epochs = create_scheduler_v2(
        optimizer, sched=config.sched, num_epochs=config.epochs, warmup_epochs=warmup, warmup_lr=config.warmup_lr,
        min_lr=config.min_lr, cooldown_epochs=config.cooldown_epochs, decay_rate=config.decay_rate, decay_epochs=config.decay_epochs,
        decay_milestones=config.decay_milestones, patience_epochs=config.patience_epochs, plateau_mode=run.direction,
        step_on_epochs=per_epoch, updates_per_epoch=updates,
    )  # fmt: skip
    mixup = None
    if config.mixup > 0 or config.cutmix > 0:
        mixup = Mixup(
            mixup_alpha=config.mixup, cutmix_alpha=config.cutmix, prob=config.mixup_prob, switch_prob=config.mixup_switch_prob,
            label_smoothing=config.smoothing, num_classes=len(run.classes),
        )  # fmt: skip
    smoothing = 0.0 if mixup is not None else config.smoothing
    if config.bce_loss:
        criterion: Any = BinaryCrossEntropy(smoothing=smoothing, weight=weights)
    else:
        criterion = torch.nn.CrossEntropyLoss(weight=weights, label_smoothing=smoothing)
    ema = ModelEmaV3(net, decay=config.model_ema_decay, use_warmup=config.model_ema_warmup) if config.model_ema else None
    return Ingredients(optimizer, scheduler, criterion.to(device), mixup, ema, int(epochs))


def report(run: Run, plan: Plan, made: Ingredients, net: Any, loader: Any, data: dict[str, Any]) -> None:
    """Every key: read back where an object holds it, else what the loop uses."""
    group = made.optimizer.param_groups[0]
    back: dict[str, Any] = {
        "image_size": data["size"], "batch": loader.batch_sampler.batch, "workers": loader.num_workers,
        "learning_rate": max(entry["initial_lr"] for entry in made.optimizer.param_groups),
        "weight_decay": max(entry["weight_decay"] for entry in made.optimizer.param_groups),
        "epochs": made.epochs - (run.config.cooldown_epochs if plan.entries["cooldown_epochs"].source != "ignored" else 0),
        "seed": loader.batch_sampler.seed,
    }  # fmt: skip
    if plan.entries["momentum"].source != "ignored" and "momentum" in group:
        back["momentum"] = group["momentum"]
    if plan.entries["min_lr"].source != "ignored" and hasattr(made.scheduler, "lr_min"):
        back["min_lr"] = made.scheduler.lr_min
    if plan.entries["warmup_epochs"].source != "ignored":
        per = 1 if made.scheduler.t_in_epochs else len(loader) / run.config.grad_accum_steps
        back["warmup_lr"] = made.scheduler.warmup_lr_init
        note_warmup = made.scheduler.warmup_t / max(per, 1e-9)
        back["warmup_epochs"] = plan["warmup_epochs"] if abs(note_warmup - plan["warmup_epochs"]) < 1 else note_warmup
    if made.mixup is not None:
        back |= {"mixup": made.mixup.mixup_alpha, "cutmix": made.mixup.cutmix_alpha, "mixup_prob": made.mixup.mix_prob}
        if plan.entries["mixup_switch_prob"].source != "ignored":
            back["mixup_switch_prob"] = made.mixup.switch_prob
        back["smoothing"] = made.mixup.label_smoothing
    else:
        back["smoothing"] = getattr(made.criterion, "label_smoothing", getattr(made.criterion, "smoothing", None))
    if made.ema is not None:
        back |= {"model_ema_decay": made.ema.decay, "model_ema_warmup": made.ema.use_warmup}
    back["drop"] = getattr(net, "drop_rate", plan["drop"])
    drops = [module.drop_prob for module in net.modules() if type(module).__name__ == "DropPath"]
    # Only the built network tells: no "ignored", which validate would have had to say.
    if run.config.drop_path is not None:
        back["drop_path"] = round(max(drops), 6) if drops else 0.0
        if not drops and run.config.drop_path > 0:
            plan.put("drop_path", 0.0, "create_model.drop_path_rate", "this architecture has no stochastic depth", "overridden")
    if run.config.grad_checkpointing and not _checkpointing(net):
        plan.put("grad_checkpointing", False, None, "this architecture has none", "overridden")
    for key, planned in plan.entries.items():
        value = back.get(key, planned.value) if planned.source != "ignored" else planned.value
        source = planned.source if planned.source == "ignored" or value == planned.value else None
        run.effective(key, value, planned.target, planned.note, source)


def _checkpointing(net: Any) -> bool:
    return any(getattr(module, "grad_checkpointing", False) for module in net.modules())
