"""Canonical classification metrics from predictions (contract.md 7.1, 7.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

MAX_CONFUSION = 201
_MAX_POINTS = 201


def classification_metrics(names: Sequence[str], rows: Sequence[tuple[int, Sequence[int]]]) -> dict[str, Any]:
    """`rows` are (truth, predicted classes, best first). Macro means are over classes that occur in truth or prediction."""
    count = len(names)
    matrix = [[0] * count for _ in range(count)]
    top5 = 0
    for truth, ranked in rows:
        matrix[truth][ranked[0]] += 1
        top5 += truth in ranked[:5]
    per_class: list[dict[str, Any]] = []
    for index, name in enumerate(names):
        hit = matrix[index][index]
        support = sum(matrix[index])
        called = sum(row[index] for row in matrix)
        precision = hit / called if called else 0.0
        recall = hit / support if support else 0.0
        f1 = 2 * precision * recall / (precision + recall) if hit else 0.0
        entry = {"index": index, "name": name, "support": support, "precision": precision, "recall": recall, "f1": f1}
        per_class.append({**entry, "called": called})
    seen = [entry for entry in per_class if entry["support"] or entry["called"]]
    total = max(len(rows), 1)

    def mean(key: str) -> float:
        return sum(float(entry[key]) for entry in seen) / max(len(seen), 1)

    result: dict[str, Any] = {
        "metrics": {
            "top1": sum(matrix[index][index] for index in range(count)) / total,
            "top5": top5 / total,
            "precision": mean("precision"),
            "recall": mean("recall"),
            "f1": mean("f1"),
        },
        "perClass": [{key: value for key, value in entry.items() if key != "called"} for entry in per_class],
    }
    if count <= MAX_CONFUSION:
        result["confusion"] = {"labels": list(names), "matrix": matrix}
    return result


def short_curves(curves: Any) -> Any:
    """The curves with at most 201 points each, evenly chosen, ends kept."""
    if not curves:
        return None
    return {name: [{**curve, "x": _short(curve["x"]), "y": _short(curve["y"])} for curve in entries] for name, entries in curves.items()}


def _short(values: Sequence[float]) -> list[float]:
    count = len(values)
    if count <= _MAX_POINTS:
        return [round(float(value), 6) for value in values]
    return [round(float(values[index * (count - 1) // (_MAX_POINTS - 1)]), 6) for index in range(_MAX_POINTS)]
