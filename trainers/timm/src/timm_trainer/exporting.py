"""ONNX and TorchScript by tracing, OpenVINO from the ONNX file; compared with the checkpoint on real images."""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import torch
from PIL import Image
from trainer_sdk import ExportSpec, Run, Unsupported, clean_torchscript

from timm_trainer.images import HELD_OUT, eval_transform, open_rgb, preprocess_ops
from timm_trainer.network import load_checkpoint


class _Logits(torch.nn.Module):
    def __init__(self, net: torch.nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.net(images)


@dataclass(frozen=True)
class _Source:
    run: Run
    wrapper: _Logits
    data: dict[str, Any]

    @property
    def size(self) -> int:
        return int(self.data["size"])

    def reference(self, array: Any) -> list[Any]:
        with torch.inference_mode():
            return [self.wrapper(torch.from_numpy(array)).numpy()]


def export_onnx(run: Run, out: Path) -> None:
    source = _source(run)
    _trace_onnx(source, out / "model.onnx", int(run.options.get("opset", 17)), "batch" in run.job.export.get("dynamic", ["batch"]))
    _describe(source, out)


def export_torchscript(run: Run, out: Path) -> None:
    source = _source(run)
    run.safe_point()
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            traced = torch.jit.trace(source.wrapper, torch.zeros(1, 3, source.size, source.size), check_trace=False)
    except RuntimeError as error:
        raise _cannot(run, error) from error
    torch.jit.save(traced, str(out / "model.torchscript"))
    clean_torchscript(out / "model.torchscript")
    _describe(source, out)


def export_openvino(run: Run, out: Path) -> None:
    import openvino

    source = _source(run)
    with tempfile.TemporaryDirectory(prefix="trainyard-timm-") as folder:
        file = Path(folder) / "model.onnx"
        _trace_onnx(source, file, 17, False)
        run.safe_point()
        model = openvino.Core().read_model(str(file))
    (out / "model_openvino").mkdir()
    # The converter's command-line module would report its use; reading and saving do not.
    openvino.save_model(model, str(out / "model_openvino" / "model.xml"), compress_to_fp16=False)
    _describe(source, out)


def _source(run: Run) -> _Source:
    net, data = load_checkpoint(run)
    # Evaluation mode on the wrapper itself: a fresh module starts in training mode and batch norm would go out wrong.
    return _Source(run, _Logits(net).eval(), data)


def _trace_onnx(source: _Source, file: Path, opset: int, dynamic: bool) -> None:
    source.run.safe_point()
    axes = {"images": {0: "batch"}, "logits": {0: "batch"}} if dynamic else None
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                source.wrapper, (torch.zeros(2 if dynamic else 1, 3, source.size, source.size),), str(file), opset_version=opset,
                input_names=["images"], output_names=["logits"], dynamic_axes=axes, dynamo=False,
            )  # fmt: skip
    except RuntimeError as error:
        raise _cannot(source.run, error) from error


def _cannot(run: Run, error: Exception) -> Unsupported:
    text = " ".join(str(error).split())[:600]
    return Unsupported(f"{run.model} cannot be exported like this: {text}", "Choose another format or architecture.", "unsupported.format")


def _describe(source: _Source, out: Path) -> None:
    run, size, transform = source.run, source.size, eval_transform(source.data)
    pictures = _pictures(run, size)
    (out / "selftest").mkdir()
    odd = pictures[-1].resize((int(size * 1.31) | 1, int(size * 1.17) | 1), Image.Resampling.BILINEAR)
    odd.save(out / "selftest" / "input.png")
    run.describe_export(
        ExportSpec(
            preprocess=preprocess_ops(source.data),
            postprocess=[{"op": "softmax", "axis": 1}, {"op": "topk", "k": min(5, len(run.classes))}], semantics=["logits"],
            reference=source.reference, inputs=[transform(picture).unsqueeze(0).numpy() for picture in pictures[:-1]],
            selftest_image=out / "selftest" / "input.png", selftest_input=transform(odd).unsqueeze(0).numpy(),
            family=run.model.split("_")[0], output_names=["logits"],
        )
    )  # fmt: skip


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
