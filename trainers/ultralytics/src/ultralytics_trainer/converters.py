"""One function per format: module → file below the export folder. Paths of this machine never get in."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from trainer_sdk import Run

#: The framework's own licence line, kept in files that have a place for it.
LICENCE = "AGPL-3.0 License (https://ultralytics.com/license)"


def _about(run: Run) -> dict[str, Any]:
    return {"task": run.task, "labels": list(run.classes), "license": LICENCE}


def _onnx(module: Any, images: Any, work: Path, out: Path, run: Run, dynamic: bool) -> Path:
    import onnx
    from ultralytics.utils.export.engine import torch2onnx

    names = ["output0", "output1"] if run.task == "segment" else ["output0"]
    axes = {name: {0: "batch"} for name in ["images", *names]} if dynamic else None
    file = out / "model.onnx"
    torch2onnx(module, images, str(file), opset=int(run.options.get("opset", 17)), input_names=["images"], output_names=names, dynamic=axes)
    if run.options.get("simplify", True):
        import onnxslim

        onnx.save(onnxslim.slim(onnx.load(str(file))), str(file))
    return file


def _torchscript(module: Any, images: Any, work: Path, out: Path, run: Run, dynamic: bool) -> Path:
    traced = torch.jit.trace(module, images, strict=False, check_trace=False)
    rough, file = work / "rough.torchscript", out / "model.torchscript"
    traced.save(str(rough), _extra_files={"config.txt": json.dumps(_about(run))})
    _without_sources(rough, file)
    return file


def _without_sources(source: Path, target: Path) -> None:
    """TorchScript keeps, for error texts, the file and line of every operation: folders of this machine. They go."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for entry in old.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                new.writestr(zipfile.ZipInfo(entry.filename), old.read(entry))


def _openvino(module: Any, images: Any, work: Path, out: Path, run: Run, dynamic: bool) -> Path:
    import openvino
    from ultralytics.utils.export.openvino import torch2openvino

    model = torch2openvino(module, images)
    model.inputs[0].get_tensor().set_names({"images"})
    for index, port in enumerate(model.outputs):
        port.get_tensor().set_names({f"output{index}"})
    for key, value in _about(run).items():
        model.set_rt_info(value, ["trainyard", key])
    folder = out / "model_openvino"
    openvino.save_model(model, str(folder / "model.xml"), compress_to_fp16=False)
    return folder


def _ncnn(module: Any, images: Any, work: Path, out: Path, run: Run, dynamic: bool) -> Path:
    import os

    from ultralytics.utils.export.ncnn import torch2ncnn

    before = Path.cwd()
    os.chdir(work)  # it leaves files of its own in the working directory
    try:
        torch2ncnn(module, images, work / "ncnn", device=torch.device("cpu"))
    finally:
        os.chdir(before)
    folder = out / "model_ncnn"
    folder.mkdir()
    shutil.copyfile(work / "ncnn" / "model.ncnn.param", folder / "model.param")
    shutil.copyfile(work / "ncnn" / "model.ncnn.bin", folder / "model.bin")
    return folder


def _tflite(module: Any, images: Any, work: Path, out: Path, run: Run, dynamic: bool) -> Path:
    from ultralytics.utils.export.litert import torch2litert

    # Without metadata: it would divide the boxes by the input's size, and append a second archive to the file.
    rough = torch2litert(module, images, work / "model.pt", metadata=None)
    file = out / "model.tflite"
    _first_part(Path(rough), file)
    return file


def _first_part(source: Path, target: Path) -> None:
    """The flatbuffer alone: the converter appends an (empty) zip archive."""
    data = source.read_bytes()
    with zipfile.ZipFile(source) as archive:
        start = min((entry.header_offset for entry in archive.infolist()), default=len(data))
    target.write_bytes(data[:start])


def _coreml(module: Any, images: Any, work: Path, out: Path, run: Run, dynamic: bool) -> Path:
    import coremltools
    from ultralytics.utils.export.coreml import torch2coreml

    _fold_numbers()
    about = _about(run)
    metadata = {"license": about["license"], "labels": json.dumps(about["labels"], ensure_ascii=False), "task": about["task"]}
    file = out / "model.mlpackage"
    torch2coreml(module, [coremltools.TensorType("images", shape=tuple(images.shape))], images, None, file, metadata=metadata)
    return file


def _fold_numbers() -> None:
    """coremltools 9 makes numbers of arrays with one element, which NumPy 2.4 refuses: attention layers could not be converted."""
    from coremltools.converters.mil.frontend.torch import ops

    theirs = ops._cast

    def cast(context: Any, node: Any, dtype: Any, dtype_name: str) -> None:
        (value,) = ops._get_inputs(context, node, expected=1)
        if value.can_be_folded_to_const() and getattr(value.val, "shape", ()) != () and value.val.size == 1:
            context.add(ops.mb.const(val=dtype(value.val.item()), name=node.name), node.name)
        else:
            theirs(context, node, dtype, dtype_name)

    ops._cast = cast


def coreml_tensors(file: Path, outputs: list[Any]) -> dict[str, Any]:
    """Names and shapes as the package says them; the shape of an output it leaves open is the checkpoint's."""
    import coremltools

    description = coremltools.models.MLModel(str(file), skip_model_load=True).get_spec().description

    def entry(feature: Any, fallback: list[int]) -> dict[str, Any]:
        return {"name": feature.name, "dtype": "float32", "shape": [int(side) for side in feature.type.multiArrayType.shape] or fallback}

    found = [entry(feature, [int(side) for side in array.shape]) for feature, array in zip(description.output, outputs, strict=True)]
    return {"opset": None, "inputs": [entry(feature, []) for feature in description.input], "outputs": found}


CONVERTERS: dict[str, Callable[..., Path]] = {
    "onnx": _onnx, "torchscript": _torchscript, "openvino": _openvino, "ncnn": _ncnn, "tflite": _tflite, "coreml": _coreml,
}  # fmt: skip
