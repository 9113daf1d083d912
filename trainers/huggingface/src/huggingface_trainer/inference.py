"""evaluate and predict: from a checkpoint or from an exported model, in list order."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from PIL import Image
from trainer_sdk import Run, Sample

from huggingface_trainer.catalog import MODELS
from huggingface_trainer.images import Unreadable, open_rgb
from huggingface_trainer.network import device_of, load_checkpoint
from huggingface_trainer.outputs import Found, found_of, look, tensors_of
from huggingface_trainer.processors import input_size
from huggingface_trainer.scoring import scorer_of

_BATCH = 16
#: (decoded images) -> what was found on each
Looker = Callable[[list[tuple[Sample, Image.Image]]], list[Found]]


def infer(run: Run) -> None:
    scorer = scorer_of(run.task, run.classes) if run.job.command != "predict" else None
    if run.job.model_artifact is not None and run.checkpoint_folder is None:
        for sample, line in run.exported_predictions():
            if scorer is not None:
                scorer.add(sample, (int(line["width"]), int(line["height"])), found_of(line, len(run.classes)))
    else:
        _with_checkpoint(run, scorer)
    if scorer is not None:
        result = scorer.result()
        more = {"threshold": result["threshold"]} if "threshold" in result else {}
        run.report(result["metrics"], result.get("perClass"), result.get("confusion"), result.get("curves"), **more)


def _with_checkpoint(run: Run, scorer: Any) -> None:
    looker = _checkpoint(run)
    waiting: list[tuple[Sample, Image.Image]] = []
    for sample in run.images:
        try:
            waiting.append((sample, open_rgb(sample.path)))
        except Unreadable as error:
            run.skip(sample, str(error))
            continue
        if len(waiting) == _BATCH:
            _flush(run, looker, scorer, waiting)
    _flush(run, looker, scorer, waiting)


def _flush(run: Run, looker: Looker, scorer: Any, waiting: list[tuple[Sample, Image.Image]]) -> None:
    if not waiting:
        return
    began = time.perf_counter()
    found = looker(waiting)
    each = (time.perf_counter() - began) * 1000 / len(waiting)
    for (sample, image), entry in zip(waiting, found, strict=True):
        size = (image.width, image.height)
        run.prediction(sample, scores=entry.scores, instances=entry.instances, mask=entry.mask, size=size, ms={"infer": each})
        if scorer is not None:
            scorer.add(sample, size, entry)
    waiting.clear()


def _checkpoint(run: Run) -> Looker:
    net, processor, reduce_labels = load_checkpoint(run)
    device = device_of(run)
    net.to(device)

    def forward(images: Any) -> list[torch.Tensor]:
        with torch.inference_mode():
            output = net(pixel_values=images.to(device))
        return [tensor.cpu() for tensor in tensors_of(run.task, output, reduce_labels)]

    side, sigmoid = input_size(processor), MODELS[run.model].sigmoid
    return lambda batch: [found for _, _, found in look(batch, processor, forward, run.task, side, sigmoid)]
