"""Looks at the validation split during training: loss and canonical metrics."""

from __future__ import annotations

from typing import Any

import torch
from trainer_sdk import Run
from trainer_sdk._metrics import classification_metrics


def score(run: Run, net: Any, loader: Any, device: torch.device) -> dict[str, float]:
    """Stop is checked between batches."""
    rows: list[tuple[int, list[int]]] = []
    total = 0.0
    net.eval()
    with torch.inference_mode():
        for images, labels, _, _ in loader:
            run.safe_point()
            if len(labels) == 0:
                continue
            output = net(images.to(device)).float().cpu()
            total += float(torch.nn.functional.cross_entropy(output, labels, reduction="sum"))
            ranked = output.topk(min(5, output.shape[1]), dim=1).indices.tolist()
            rows += list(zip(labels.tolist(), ranked, strict=True))
    metrics = classification_metrics(run.classes, rows)["metrics"]
    return {**metrics, "loss": total / max(len(rows), 1)}
