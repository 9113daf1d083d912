"""The model of evaluate and predict: a checkpoint of ours, or one of our exports in its own runtime. Both give what the file would give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from trainer_sdk import InputError, Run
from trainer_sdk._wrapper import wrapper

from ultralytics_trainer.catalogue import Network
from ultralytics_trainer.network import device_of, found_network, load_checkpoint
from ultralytics_trainer.steps import after, before, semantics_of


@dataclass
class Model:
    """`forward` takes a batch (float32 NCHW, 0–1) and gives what the framework's validator reads; `predict` one RGB image (uint8)."""

    network: Network
    data: dict[str, Any]
    forward: Callable[[Any], Any]
    predict: Callable[[Any, dict[str, Any]], dict[str, Any]]
    device: str
    stride: int
    #: Whether any size of picture goes in, or one only.
    any_size: bool
    end_to_end: bool
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def single_class(self) -> bool:
        return bool(self.data["single_cls"])


def open_model(run: Run) -> Model:
    if run.job.model_artifact is not None and run.checkpoint_folder is None:
        return _exported(run)
    return _checkpoint(run)


def _checkpoint(run: Run) -> Model:
    loaded = load_checkpoint(run)
    device = "cuda" if device_of(run) != "cpu" else "cpu"
    net, data = loaded.net.to(device), loaded.data
    names = list(run.classes) if not data["single_cls"] else ["item"]
    stride = max(int(net.stride.max()), 32) if hasattr(net, "stride") else 32

    def forward(images: Any) -> Any:
        with torch.inference_mode():
            return net(images.to(device))

    meta = {
        "schema": "export/v1", "model": {"task": run.task}, "labels": names, "inputs": [{"name": "images", "dtype": "float32"}],
        "outputs": [{"name": f"output{index}", "semantics": kind} for index, kind in enumerate(semantics_of(run.task, loaded.network, False))],
        "preprocess": before(run.task, loaded.network, data["size"]),
    }  # fmt: skip

    def predict(rgb: Any, wanted: dict[str, Any]) -> dict[str, Any]:
        tools = _Tools({**meta, "postprocess": after(run.task, loaded.network, data, len(names), False, **wanted)})
        tensor = torch.from_numpy(tools.prepare(rgb))
        return tools.finish(rgb, [array.cpu().numpy() for array in flat(net_outputs(run.task, loaded.network, data["size"], forward(tensor)))])

    return Model(loaded.network, data, forward, predict, device, stride, True, loaded.network.end_to_end, meta)


def _exported(run: Run) -> Model:
    """The bundle of a modelArtifact: its own metadata.json says how pictures go in and what comes out."""
    path = run.job.path(str((run.job.model_artifact or {}).get("path", "input/model")))
    folder = path if path.is_dir() else path.parent
    if not (folder / "metadata.json").is_file():
        inner = [entry for entry in folder.iterdir() if (entry / "metadata.json").is_file()] if folder.is_dir() else []
        folder = inner[0] if len(inner) == 1 else folder
    try:
        predictor = wrapper().Predictor(folder)
        session = predictor.session
    except Exception as error:
        raise InputError(f"the exported model does not load: {error}"[:1000], None, "input.checkpoint_incompatible") from error
    meta = predictor.metadata
    network = found_network(str(meta["model"]["id"]))
    resize = next(op for op in meta["preprocess"] if op["op"] == "resize")
    size = resize["size"][0] if isinstance(resize["size"], list) else resize["size"]
    end_to_end = str(meta["outputs"][0]["semantics"]) == "yolo-end2end"
    nms = next((op for op in meta["postprocess"] if op["op"] == "nms"), {})
    data = {
        "classes": len(meta["labels"]), "size": size, "keypoints": None, "batch": 1, "iou": nms.get("iou", 0.7),
        "max_det": nms.get("maxDetections", 300), "single_cls": False, "overlap_mask": True, "mask_ratio": 4,
    }  # fmt: skip

    def forward(images: Any) -> Any:
        rows = [session.run([image[None].numpy()]) for image in images.cpu()]
        outputs = [torch.from_numpy(_numpy(rows, index)) for index in range(len(rows[0]))]
        return as_framework(run.task, network, size, outputs)

    def predict(rgb: Any, wanted: dict[str, Any]) -> dict[str, Any]:
        classes = len(meta["labels"])
        points = next((op["keypoints"] for op in meta["postprocess"] if "keypoints" in op), None)
        tools = _Tools({**meta, "postprocess": after(run.task, network, {**data, "keypoints": points}, classes, end_to_end, **wanted)})
        return tools.finish(rgb, session.run([tools.prepare(rgb)]))

    return Model(network, data, forward, predict, "cpu", 32, False, end_to_end, meta)


def _numpy(rows: list[list[Any]], index: int) -> Any:
    import numpy

    return numpy.concatenate([row[index] for row in rows]).astype("float32")


class _Tools:
    """The interpreter of op lists that every bundle carries, given other thresholds."""

    def __init__(self, meta: dict[str, Any]) -> None:
        self.predictor = wrapper().Predictor.__new__(wrapper().Predictor)
        self.predictor.bundle, self.predictor.metadata, self.predictor.labels = Path(), meta, list(meta["labels"])
        self.predictor._session = self.predictor._frame = None

    def prepare(self, rgb: Any) -> Any:
        return self.predictor.preprocess(rgb)

    def finish(self, rgb: Any, outputs: list[Any]) -> dict[str, Any]:
        return dict(self.predictor.postprocess(outputs, (rgb.shape[0], rgb.shape[1])))


def flat(value: Any) -> list[Any]:
    if isinstance(value, torch.Tensor):
        return [value]
    return [tensor for part in value for tensor in flat(part)]


def net_outputs(task: str, network: Network, size: int, raw: Any) -> list[Any]:
    """A network's answer in evaluation mode as the outputs an export has, without what serves only its loss."""
    if task == "semantic":
        return [raw]
    if task == "segment":
        return [raw[0][0], raw[0][1]]
    first = raw[0] if isinstance(raw, (tuple, list)) else raw
    if network.rtdetr:
        first = corners_in_pixels(first, size)
    return [first]


def corners_in_pixels(rows: Any, size: int) -> Any:
    """RT-DETR's rows [cx cy w h score class] in 0–1 → [x1 y1 x2 y2 score class] in pixels of the input."""
    centre, half = rows[..., :2], rows[..., 2:4] / 2
    return torch.cat([(centre - half) * size, (centre + half) * size, rows[..., 4:]], dim=-1)


def as_framework(task: str, network: Network, size: int, outputs: list[Any]) -> Any:
    """The outputs of an export as the framework's validator wants them."""
    if task == "segment":
        return outputs
    first = outputs[0]
    if network.rtdetr:
        x1, y1, x2, y2 = (first[..., at : at + 1] / size for at in range(4))
        return torch.cat([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1, first[..., 4:]], dim=-1)
    return first
