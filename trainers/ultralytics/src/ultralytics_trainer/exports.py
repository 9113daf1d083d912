"""Exports: a network made ready as the framework's exporter does, written by its converters, described and compared by the SDK.

The framework's own exporter is not called as a whole: it writes this machine's folders and the dataset's path into the files, bakes the
class choice into masks and divides LiteRT's boxes by the input's size. Its converters are, with metadata of ours.
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy
import torch
from PIL import Image
from trainer_sdk import ExportSpec, Run, Unsupported, VerificationError

from ultralytics_trainer.converters import CONVERTERS, coreml_tensors
from ultralytics_trainer.models import flat, net_outputs
from ultralytics_trainer.network import Loaded, load_checkpoint
from ultralytics_trainer.pictures import kept
from ultralytics_trainer.steps import after, before, semantics_of
from ultralytics_trainer.surroundings import scratch

#: Formats whose runtimes have no top-k: YOLO26 goes out with its other head there, which needs NMS.
_NO_TOPK = ("ncnn",)
_CONF = 0.25


def export(run: Run, out: Path) -> None:
    request = run.job.export
    format_ = str(request.get("format"))
    if format_ == "tensorrt":
        raise Unsupported("TensorRT engines are made on a GPU with TensorRT installed", "Export ONNX and build the engine there.", "unsupported.format")
    loaded = load_checkpoint(run)
    data = dict(loaded.data)
    if request.get("size"):
        data["size"] = _size(request["size"])
    if data["single_cls"]:
        run.__dict__["classes"] = ("item",)
    inside = bool(run.options.get("nms", False))
    dynamic = "batch" in request.get("dynamic", [])
    if inside and (run.task in ("classify", "semantic") or loaded.network.end_to_end or loaded.network.rtdetr):
        raise Unsupported(f"{run.model} has no NMS to put into the file", "Leave the option nms off.", "unsupported.combination")
    if inside and dynamic:
        raise Unsupported("NMS inside the file fixes its batch", "Leave out dynamic batch or the option nms.", "unsupported.combination")
    raw_head = format_ in _NO_TOPK and loaded.network.end_to_end
    module, reference = _ready(run.task, loaded, data, inside, raw_head)
    run.safe_point()
    file = _convert(format_, module, data, out, run, dynamic)
    network = loaded.network if not raw_head else _plain(loaded.network)
    kinds = semantics_of(run.task, network, inside)
    pictures = kept(run.checkpoint_folder, data["size"])
    inputs = [own_input(run.task, loaded.network.rtdetr, data["size"], picture) for picture in pictures[:-1]]
    odd = _odd(pictures[-1], data["size"])
    (out / "selftest").mkdir()
    Image.fromarray(odd).save(out / "selftest" / "input.png")
    run.describe_export(
        ExportSpec(
            preprocess=before(run.task, loaded.network, data["size"]),
            postprocess=after(run.task, network, data, len(run.classes), inside),
            semantics=kinds, reference=reference, inputs=inputs, selftest_image=out / "selftest" / "input.png",
            selftest_input=own_input(run.task, loaded.network.rtdetr, data["size"], odd), family=loaded.network.family,
            tensors=coreml_tensors(file, reference(inputs[0])) if format_ == "coreml" else None,
            output_names=[f"output{index}" for index in range(len(kinds))],
        )
    )  # fmt: skip


def _size(value: Any) -> int:
    sides = value if isinstance(value, list) else [value, value]
    if sides[0] != sides[-1] or int(sides[0]) % 32:
        raise Unsupported(f"exports of {sides} px are not offered", "Take a square whose side is a multiple of 32.", "unsupported.combination")
    return int(sides[0])


def _plain(network: Any) -> Any:
    from dataclasses import replace

    return replace(network, end_to_end=False)


class _Outputs(torch.nn.Module):
    """What the file computes: the outputs by their meaning, nothing that only the loss reads."""

    def __init__(self, net: Any, task: str, network: Any, size: int) -> None:
        super().__init__()
        self.net, self.task, self.network, self.size = net, task, network, size
        self.names = net.names

    def forward(self, images: Any) -> Any:
        raw = self.net(images)
        if self.task == "segment":
            return raw[0], raw[1]
        return net_outputs(self.task, self.network, self.size, raw)[0]


def _ready(task: str, loaded: Loaded, data: dict[str, Any], inside: bool, raw_head: bool) -> tuple[Any, Callable[[Any], list[Any]]]:
    """The module to convert, and the checkpoint's answer in the same form. The checkpoint itself stays as it was: neither fused nor traced."""
    from ultralytics.nn.modules import C2f, Classify, Detect, RTDETRDecoder

    net = loaded.net
    if hasattr(net, "set_head_attr"):
        net.set_head_attr(max_det=data["max_det"])
    if raw_head:
        net.end2end = False
    fused = copy.deepcopy(net).fuse(verbose=False)
    anchors = sum(int(data["size"] / stride) ** 2 for stride in net.stride.tolist()) if hasattr(net, "stride") else 0
    for part in fused.modules():
        if isinstance(part, Classify):
            part.export = True
        elif isinstance(part, (Detect, RTDETRDecoder)):
            part.dynamic, part.export, part.format, part.shape = False, True, "torchscript", None
            part.max_det = min(data["max_det"], part.num_queries if isinstance(part, RTDETRDecoder) else anchors)
            part.agnostic_nms, part.xyxy = False, inside
        elif isinstance(part, C2f):
            part.forward = part.forward_split
    if inside:
        from ultralytics.engine.exporter import NMSModel

        settings = SimpleNamespace(
            format="onnx", conf=_CONF, iou=data["iou"], max_det=data["max_det"], agnostic_nms=False, nms=True, dynamic=False, batch=1,
            opset=17, quantize=None,
        )  # fmt: skip
        module: Any = NMSModel(fused, settings).eval()
    else:
        module = _Outputs(fused, task, loaded.network, data["size"]).eval()
    whole = None if inside else net

    def reference(array: Any) -> list[Any]:
        with torch.inference_mode():
            images = torch.from_numpy(numpy.ascontiguousarray(array))
            found = flat(module(images)) if whole is None else flat(net_outputs(task, loaded.network, data["size"], whole(images)))
            return [tensor.float().numpy() for tensor in found]

    return module, reference


def _convert(format_: str, module: Any, data: dict[str, Any], out: Path, run: Run, dynamic: bool) -> Path:
    work = scratch() / "export"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    images = torch.zeros(1, 3, data["size"], data["size"])
    try:
        with torch.no_grad():
            module(images)
            return CONVERTERS[format_](module, images, work, out, run, dynamic)
    except (VerificationError, Unsupported):
        raise
    except OSError:
        raise
    except Exception as error:
        text = f"{run.model} cannot be written as {format_}: {error}"[:1500]
        raise VerificationError(text, "Take another format, ONNX first.", "verification.unloadable") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def own_input(task: str, stretched: bool, size: int, rgb: Any) -> Any:
    """The framework's own preprocessing of one RGB image: float32 [1, 3, size, size]."""
    if task == "classify":
        from ultralytics.data.augment import classify_transforms

        return classify_transforms(size=size)(Image.fromarray(rgb)).unsqueeze(0).numpy()
    if stretched:
        placed = cv2.resize(rgb, (size, size), interpolation=cv2.INTER_LINEAR)
    else:
        from ultralytics.data.augment import LetterBox

        placed = LetterBox(new_shape=(size, size), auto=False, scaleup=True)(image=rgb)
    return numpy.ascontiguousarray(placed.transpose(2, 0, 1)[None], dtype="float32") / 255


def _odd(rgb: Any, size: int) -> Any:
    """Not square, sides no multiples of the stride."""
    return cv2.resize(rgb, (int(size * 1.31) | 1, int(size * 1.17) | 1), interpolation=cv2.INTER_LINEAR)
