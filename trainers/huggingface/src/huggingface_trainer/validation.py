"""Looks at the validation split during training: loss and canonical metrics, by the code of the evaluate verb."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from trainer_sdk import Run, Sample

from huggingface_trainer.catalog import MODELS
from huggingface_trainer.images import Collate, Images
from huggingface_trainer.outputs import read_batch, tensors_of
from huggingface_trainer.scoring import scorer_of


class Validation:
    def __init__(self, job: Run, images: Images, collate: Collate, batch: int, device: torch.device) -> None:
        self.job, self.images, self.collate, self.batch, self.device = job, images, collate, batch, device
        self.sigmoid = MODELS[job.model].sigmoid

    def run(self, net: Any) -> dict[str, float]:
        job, total, seen = self.job, 0.0, 0
        scorer = scorer_of(job.task, job.classes)
        learning = net.training
        net.eval()
        # Mixed precision wraps the network's forward; the evaluate verb has none, and both must say the same.
        forward = getattr(net, "_original_forward", net)
        try:
            for samples, rows in self._batches():
                # Leaving is safe here: nothing of the training changes.
                job.safe_point()
                inputs = self.collate(rows)
                labels = _to(inputs["labels"], self.device)
                with torch.inference_mode():
                    output = forward(pixel_values=inputs["pixel_values"].to(self.device), labels=labels)
                loss = float(output.loss)
                total, seen = total + loss * len(rows), seen + len(rows)
                tensors = [tensor.cpu() for tensor in tensors_of(job.task, output, self.collate.reduce_labels)]
                sizes = [image.size for image, _ in rows]
                found = read_batch(job.task, tensors, sizes, self.collate.size, self.sigmoid)
                for sample, size, entry in zip(samples, sizes, found, strict=True):
                    scorer.add(sample, size, entry)
        finally:
            net.train(learning)
        return {**scorer.result()["metrics"], "loss": total / max(seen, 1)}

    def _batches(self) -> Iterator[tuple[list[Sample], list[Any]]]:
        samples: list[Sample] = []
        rows: list[Any] = []
        for position, sample in enumerate(self.images.samples):
            row = self.images[position]
            if row is None:
                continue
            samples.append(sample)
            rows.append(row)
            if len(rows) == self.batch:
                yield samples, rows
                samples, rows = [], []
        if rows:
            yield samples, rows


def _to(labels: Any, device: torch.device) -> Any:
    if isinstance(labels, list):
        return [{key: value.to(device) for key, value in entry.items()} for entry in labels]
    return labels.to(device)
