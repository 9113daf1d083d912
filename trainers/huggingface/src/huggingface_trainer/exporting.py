"""ONNX and TorchScript by tracing, OpenVINO from the ONNX file; the steps before and after written as operation lists.

Trap (contract.md 13.3): optimum's exporters want an older transformers; torch.onnx.export alone is enough for every family here.
"""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import torch
from PIL import Image
from trainer_sdk import ExportSpec, Run, clean_torchscript

from huggingface_trainer.catalog import MODELS
from huggingface_trainer.images import HELD_OUT, open_rgb
from huggingface_trainer.network import load_checkpoint
from huggingface_trainer.outputs import tensors_of
from huggingface_trainer.processors import input_size, preprocess_ops

#: Score from which an exported detector shows what it found.
_SHOWN = 0.25


class _Plain(torch.nn.Module):
    """Tensors in, tensors out."""

    def __init__(self, net: Any, task: str, reduce_labels: bool) -> None:
        super().__init__()
        self.net, self.task, self.reduce_labels = net, task, reduce_labels

    def forward(self, images: torch.Tensor) -> Any:
        found = tensors_of(self.task, self.net(pixel_values=images), self.reduce_labels)
        return tuple(found) if len(found) > 1 else found[0]


@dataclass(frozen=True)
class _Source:
    run: Run
    wrapper: _Plain
    processor: Any
    size: int

    @property
    def names(self) -> list[str]:
        return ["logits", "pred_boxes"] if self.run.task == "detect" else ["logits"]

    def reference(self, array: Any) -> list[Any]:
        with torch.inference_mode():
            found = self.wrapper(torch.from_numpy(array))
        return [tensor.numpy() for tensor in (found if isinstance(found, tuple) else (found,))]

    def tensor(self, image: Image.Image) -> Any:
        return self.processor(images=[image], return_tensors="pt")["pixel_values"].numpy()


def export_onnx(run: Run, out: Path) -> None:
    source = _source(run)
    dynamic = "batch" in run.job.export.get("dynamic", ["batch"])
    _trace_onnx(source, out / "model.onnx", int(run.options.get("opset", 17)), dynamic)
    _describe(source, out)


def export_torchscript(run: Run, out: Path) -> None:
    source = _source(run)
    run.safe_point()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(source.wrapper, torch.zeros(1, 3, source.size, source.size), check_trace=False)
    torch.jit.save(traced, str(out / "model.torchscript"))
    clean_torchscript(out / "model.torchscript")
    _describe(source, out)


def export_openvino(run: Run, out: Path) -> None:
    import openvino

    source = _source(run)
    with tempfile.TemporaryDirectory(prefix="trainyard-hf-") as folder:
        file = Path(folder) / "model.onnx"
        _trace_onnx(source, file, 17, False)
        run.safe_point()
        model = openvino.Core().read_model(str(file))
    (out / "model_openvino").mkdir()
    # The converter's command-line module would report its use; reading and saving do not.
    openvino.save_model(model, str(out / "model_openvino" / "model.xml"), compress_to_fp16=False)
    _describe(source, out)


def _source(run: Run) -> _Source:
    net, processor, reduce_labels = load_checkpoint(run)
    # Evaluation mode on the wrapper itself: a fresh module starts in training mode and batch norm would go out wrong.
    return _Source(run, _Plain(net, run.task, reduce_labels).eval(), processor, input_size(processor))


def _trace_onnx(source: _Source, file: Path, opset: int, dynamic: bool) -> None:
    source.run.safe_point()
    axes = {name: {0: "batch"} for name in ("images", *source.names)} if dynamic else None
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            source.wrapper, (torch.zeros(2 if dynamic else 1, 3, source.size, source.size),), str(file), opset_version=opset,
            input_names=["images"], output_names=source.names, dynamic_axes=axes, dynamo=False,
        )  # fmt: skip


def _describe(source: _Source, out: Path) -> None:
    run, size = source.run, source.size
    pictures = _pictures(run, size)
    inputs = [source.tensor(picture) for picture in pictures[:-1]]
    (out / "selftest").mkdir()
    odd = pictures[-1].resize((int(size * 1.31) | 1, int(size * 1.17) | 1), Image.Resampling.BILINEAR)
    odd.save(out / "selftest" / "input.png")
    run.describe_export(
        ExportSpec(
            preprocess=preprocess_ops(source.processor), postprocess=_postprocess(run), semantics=_semantics(run),
            reference=source.reference, inputs=inputs, selftest_image=out / "selftest" / "input.png", selftest_input=source.tensor(odd),
            family=MODELS[run.model].family, output_names=source.names,
        )
    )  # fmt: skip


def _detr(run: Run) -> dict[str, Any]:
    sigmoid = MODELS[run.model].sigmoid
    return {"background": not sigmoid, "activation": "sigmoid" if sigmoid else "softmax"}


def _semantics(run: Run) -> list[Any]:
    if run.task == "detect":
        return [{"semantics": "detr", **_detr(run)}, {"semantics": "detr", **_detr(run)}]
    return ["semantic-logits" if run.task == "semantic" else "logits"]


def _postprocess(run: Run) -> list[dict[str, Any]]:
    if run.task == "classify":
        return [{"op": "softmax", "axis": 1}, {"op": "topk", "k": min(5, len(run.classes))}]
    if run.task == "semantic":
        grow = {"op": "upsample", "to": "input", "interpolation": "bilinear", "alignCorners": False}
        return [grow, {"op": "argmax", "axis": 1}, {"op": "scale-back"}]
    return [{"op": "decode", "scheme": "detr", **_detr(run)}, {"op": "threshold", "score": _SHOWN}, {"op": "scale-back"}]


def _pictures(run: Run, size: int) -> list[Image.Image]:
    """Validation images kept in the checkpoint; smooth patterns fill up what a small split lacks."""
    folder = run.checkpoint_folder
    files = sorted((folder / "files").glob("held-out-*.png")) if folder is not None else []
    found = [open_rgb(file) for file in files]
    random = numpy.random.default_rng(0)
    while len(found) < HELD_OUT:
        coarse = Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype="uint8"))
        found.insert(0, coarse.resize((size, size), Image.Resampling.BICUBIC))
    return found
