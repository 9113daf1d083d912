"""evaluate and predict: from a checkpoint or from an exported model, in list order."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy
import torch
from trainer_sdk import Run, Sample

from timm_trainer.images import Unreadable, eval_transform, open_rgb
from timm_trainer.network import device_of, load_checkpoint

_BATCH = 32


def infer(run: Run) -> None:
    """Metrics are computed by the SDK from what is predicted."""
    if run.job.model_artifact is not None and run.checkpoint_folder is None:
        return _with_export(run)
    forward, data = _checkpoint(run)
    transform = eval_transform(data)
    waiting: list[tuple[Sample, Any, tuple[int, int]]] = []
    for sample in run.images:
        try:
            image = open_rgb(sample.path)
        except Unreadable as error:
            run.skip(sample, str(error))
            continue
        waiting.append((sample, transform(image), (image.width, image.height)))
        if len(waiting) == _BATCH:
            _flush(run, forward, waiting)
    _flush(run, forward, waiting)


def _with_export(run: Run) -> None:
    """The wrapper that users get with the file: every format, by its own runtime. Files are decoded as in training (16-bit grey)."""
    predictor = run.exported()
    for sample in run.images:
        try:
            rgb = numpy.asarray(open_rgb(sample.path))
        except Unreadable as error:
            run.skip(sample, str(error))
            continue
        line = predictor.predict(rgb)
        run.prediction(sample, classes=line["classes"], size=(rgb.shape[1], rgb.shape[0]), ms=line.get("ms"))


def _flush(run: Run, forward: Callable[[Any], Any], waiting: list[tuple[Sample, Any, tuple[int, int]]]) -> None:
    if not waiting:
        return
    began = time.perf_counter()
    scores = torch.softmax(forward(torch.stack([tensor for _, tensor, _ in waiting])).float(), dim=1).tolist()
    each = (time.perf_counter() - began) * 1000 / len(waiting)
    for (sample, _, size), row in zip(waiting, scores, strict=True):
        run.prediction(sample, scores=row, size=size, ms={"infer": each})
    waiting.clear()


def _checkpoint(run: Run) -> tuple[Callable[[Any], Any], dict[str, Any]]:
    net, data = load_checkpoint(run)
    device = device_of(run)
    net.to(device)

    def forward(images: Any) -> Any:
        with torch.inference_mode():
            return net(images.to(device)).cpu()

    return forward, data
