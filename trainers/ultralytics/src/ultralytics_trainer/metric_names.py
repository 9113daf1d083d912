"""The framework's metric and loss names ⇄ the contract's (contract.md 7.1, 11.1). Names no task declares go under `x/`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

_PREFIX = {"segment": {"(B)": "box_", "(M)": "mask_"}, "pose": {"(B)": "box_", "(P)": "pose_"}}
_FIXED = {
    "metrics/accuracy_top1": "top1", "metrics/accuracy_top5": "top5", "metrics/mIoU": "miou", "metrics/pixel_acc": "pixel_accuracy",
}  # fmt: skip
_WORD = {"precision": "precision", "recall": "recall", "mAP50": "map50", "mAP50-95": "map50_95"}
#: RT-DETR's box losses under the names that say what they are.
_LOSS = {"giou_loss": "box_loss"}


def metric_name(framework: str, task: str) -> str | None:
    """`metrics/mAP50(M)` → `mask_map50`; None for what is not a metric of the task."""
    if framework in _FIXED:
        return _FIXED[framework]
    word, _, mark = framework.removeprefix("metrics/").partition("(")
    if word not in _WORD or not mark:
        return None
    return _PREFIX.get(task, {}).get(f"({mark}", "") + _WORD[word]


def loss_values(items: Mapping[str, Any], declared: Collection[str]) -> dict[str, float]:
    """Loss parts by their contract names, and their sum as `loss`."""
    found: dict[str, float] = {}
    for name, value in items.items():
        word = name.rpartition("/")[2]
        word = _LOSS.get(word, word if word == "loss" or word.endswith("_loss") else f"{word}_loss")
        found[word if word in declared else f"x/{word}"] = float(value)
    if "loss" not in found:
        found["loss"] = sum(found.values())
    return found


def val_values(results: Mapping[str, Any], task: str, declared: Collection[str]) -> dict[str, float]:
    """A validator's results by contract names; its losses included when it computed them."""
    found: dict[str, float] = {}
    for key, value in results.items():
        name = metric_name(key, task)
        if name is not None:
            found[name if name in declared else f"x/{name}"] = float(value)
    losses = {key: value for key, value in results.items() if key.startswith("val/")}
    if losses:
        found |= loss_values(losses, declared)
    if "f1" in declared and "precision" in found and "f1" not in found:
        precision, recall = found["precision"], found["recall"]
        found["f1"] = 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0
    return found


def declared_names(task_entry: Mapping[str, Any]) -> set[str]:
    return {entry if isinstance(entry, str) else entry["name"] for entry in task_entry["metrics"]["declared"]}
