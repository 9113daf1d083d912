"""The leading stages of a backbone, by what the network is made of, and how to keep them as they are."""

from __future__ import annotations

from typing import Any

from torch import nn


def backbone_of(net: Any) -> tuple[str, nn.Module]:
    """Name prefix and module of what turns pixels into features."""
    for name, module in net.named_modules():
        if name.rpartition(".")[2] == "backbone":
            return f"{name}.", module
    prefix = net.base_model_prefix
    base = getattr(net, prefix, None)
    return (f"{prefix}.", base) if base is not None else ("", net)


def stages_of(net: Any) -> list[list[nn.Module]]:
    """First what comes before the stages, then each stage."""
    backbone = backbone_of(net)[1]
    lists = [(name, module) for name, module in backbone.named_modules() if isinstance(module, nn.ModuleList) and len(module) > 1]
    if not lists:
        return [[backbone]]
    depth = min(name.count(".") for name, _ in lists)
    level = [(name, module) for name, module in lists if name.count(".") == depth]
    # SegFormer: three lists side by side, one entry of each is a stage.
    count = max(len(module) for _, module in level)
    level = [(name, module) for name, module in level if len(module) == count]
    before: list[nn.Module] = []
    outer = backbone
    for part in level[0][0].split("."):
        for name, module in outer.named_children():
            if name == part:
                break
            before.append(module)
        outer = getattr(outer, part)
    stages = [[module[index] for _, module in level] for index in range(count)]
    return [before, *stages] if before else stages


def freeze_stages(net: Any, count: int) -> int:
    """Keeps the first `count` stages fixed, batch statistics too; gives how many that were."""
    stages = stages_of(net)[:count]
    for module in (module for stage in stages for module in stage):
        for parameter in module.parameters():
            parameter.requires_grad_(False)
        module.eval()
        # `Trainer` calls train() on the whole network before each step.
        module.train = lambda mode=True, kept=module: kept  # type: ignore[method-assign,assignment,misc]
    return len(stages)


def frozen_stages(net: Any) -> int:
    """How many leading stages have no weight that learns."""
    found = 0
    for stage in stages_of(net):
        weights = [parameter for module in stage for parameter in module.parameters()]
        if any(parameter.requires_grad for parameter in weights):
            break
        found += 1
    return found
