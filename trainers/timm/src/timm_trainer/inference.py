"""evaluate and predict: from a checkpoint or from an exported ONNX file, in list order."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import torch
from trainer_sdk import InputError, Run, Sample

from timm_trainer.images import Unreadable, eval_transform, open_rgb
from timm_trainer.network import device_of, load_checkpoint

_BATCH = 32


def infer(run: Run) -> None:
    forward, data = _exported(run) if run.job.model_artifact is not None and run.checkpoint_folder is None else _checkpoint(run)
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


def _exported(run: Run) -> tuple[Callable[[Any], Any], dict[str, Any]]:
    import onnxruntime

    path = run.job.path(str((run.job.model_artifact or {}).get("path", "input/model")))
    folder = path if path.is_dir() else path.parent
    file = next(iter(sorted(folder.glob("*.onnx"))), None)
    if file is None or not (folder / "metadata.json").is_file():
        raise InputError("the exported model or its metadata.json is missing", None, "input.checkpoint_missing")
    data = _data_of(json.loads((folder / "metadata.json").read_text(encoding="utf-8")))
    try:
        session = onnxruntime.InferenceSession(str(Path(file)), providers=["CPUExecutionProvider"])
    except Exception as error:
        raise InputError(f"the exported model does not load: {error}", None, "input.checkpoint_incompatible") from error
    name = session.get_inputs()[0].name
    return lambda images: torch.from_numpy(numpy.asarray(session.run(None, {name: images.numpy()})[0])), data


def _data_of(metadata: dict[str, Any]) -> dict[str, Any]:
    ops = {step["op"]: step for step in metadata["preprocess"]}
    size, scaled = ops["crop"]["size"][0], ops["resize"]["size"]
    stretch = ops["resize"]["mode"] == "stretch"
    edge = scaled[0] if stretch else scaled
    return {
        # Half a pixel up, so that size / crop_pct truncates back to the same edge.
        "size": size, "crop_pct": size / (edge + 0.5), "crop_mode": "squash" if stretch else "center",
        "interpolation": ops["resize"]["interpolation"], "mean": ops["normalize"]["mean"], "std": ops["normalize"]["std"],
    }  # fmt: skip
