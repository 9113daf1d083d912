"""Describes an exported model: names and shapes read from the file, parity with the checkpoint, self-test, metadata.json (contract.md 8)."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from ._clean import clean_onnx, clean_torchscript, find_paths, machine_paths
from ._errors import TrainerError, VerificationError
from ._files import list_files, write_json
from ._graph import Tensor
from ._images import image_size, read_mask, write_png
from ._onnx import read_onnx
from ._parity import agreement_of, check_agreement, compare_outputs
from ._plain import compare_plain, plain_runner, write_plain_selftest
from ._predictions import class_entries, instance_entries
from ._wrapper import WRAPPERS, rgb_of, selftest, wrapper

if TYPE_CHECKING:
    from ._run import Run

Arrays = list[Any]
Json = dict[str, Any]

#: File or folder of each format in output/export (contract.md 8.1).
MODEL_FILES = {
    "onnx": "model.onnx", "torchscript": "model.torchscript", "openvino": "model_openvino", "ncnn": "model_ncnn", "executorch": "model.pte",
    "tflite": "model.tflite", "coreml": "model.mlpackage", "tensorrt": "model.engine",
}  # fmt: skip
_UNVERIFIED = {
    "coreml": "predicts on macOS only",
    "tensorrt": "needs the same kind of GPU",
    "executorch": "no runtime for it is at hand",
}
_OWN = ("metadata.json", "labels.txt", "README.md", "LICENSE", "NOTICE")
LEAST_IMAGES = 16


@dataclass(frozen=True)
class ExportSpec:
    """What only the trainer knows about its export.

    `preprocess`, `postprocess`: complete op lists of contract.md 8.3 and 8.5. `semantics`: one per output of the file, in the file's order: an id of
    8.4, or a dict `{"semantics": "detr", "background": False, "activation": "sigmoid"}`. `reference`: the checkpoint; maps one input array to
    the list of outputs. `inputs`: at least 16 input arrays of held-out images. `selftest_image`: a PNG that is not square; `selftest_input`: the
    tensor that the trainer's own preprocessing makes of it. `expected`: its prediction (a line of 7.3); None = the checkpoint's outputs after
    `postprocess`. `run_file`, `tensors`, `runtime`: how to run the file and what it says of itself; None = by format. `input_name`,
    `output_names`: for files that do not say (torchscript, ncnn). `unverified`: why nothing here can run the file. Arrays are NumPy's, or `Tensor`
    where a trainer has no NumPy (classes as ONNX only).
    """

    preprocess: Sequence[Json]
    postprocess: Sequence[str | Json]
    semantics: Sequence[str | Json]
    reference: Callable[[Any], Arrays]
    inputs: Sequence[Any]
    selftest_image: Path
    selftest_input: Any
    expected: Json | None = None
    layout: str = "NCHW"
    run_file: Callable[[Any], Arrays] | None = None
    runtime: str | None = None
    tensors: Json | None = None
    family: str = ""
    metrics: dict[str, float | None] = field(default_factory=dict)
    input_name: str = "images"
    output_names: Sequence[str] | None = None
    unverified: str | None = None


def describe_export(run: Run, out: Path, spec: ExportSpec) -> Json:
    """Writes everything beside the model file and gives metadata.json. Raises VerificationError (77) before `passed` could be untrue."""
    request = run.job.export
    format_, precision = str(request.get("format", "onnx")), str(request.get("precision", "fp32"))
    model = _model_file(out, format_)
    _check_spec(spec)
    (out / "labels.txt").write_text("".join(f"{name}\n" for name in run.classes), encoding="utf-8")
    for name in ("LICENSE", "NOTICE"):
        if (run.manifest.folder / name).is_file():
            shutil.copyfile(run.manifest.folder / name, out / name)
    # The other two run ONNX alone.
    for language in ("python", "ts", "cpp") if format_ == "onnx" else ("python",):
        if (WRAPPERS / language).is_dir():
            skipped = shutil.ignore_patterns("__pycache__", "node_modules")
            shutil.copytree(WRAPPERS / language, out / "runtime" / language, dirs_exist_ok=True, ignore=skipped)

    _clean_model(model, format_)
    reason = spec.unverified or (_UNVERIFIED.get(format_) if spec.run_file is None else None)
    plain = isinstance(spec.inputs[0], Tensor)
    if plain and spec.run_file is None:
        spec = replace(spec, run_file=plain_runner(model), runtime="trainer_sdk reader")
    session = None if reason is not None or spec.run_file is not None else _open(model, format_)
    first = spec.reference(spec.inputs[0])
    meta = _metadata(run, out, spec, format_, precision, _tensors(spec, model, format_, session, first))
    if format_ == "onnx":
        labels = json.dumps(list(run.classes), ensure_ascii=False)
        clean_onnx(model, {"trainyard": metadata_digest(meta), "labels": labels, "task": run.task})
        session = _open(model, format_) if session is not None else None
        if plain and spec.runtime == "trainer_sdk reader":
            spec = replace(spec, run_file=plain_runner(model))
    meta["artifact"]["files"] = _model_files(out)
    write_json(out / "metadata.json", meta)
    if reason is None:
        meta["verification"] = _verify(out, spec, meta, session, precision, run.safe_point)
    else:
        meta |= {"verification": None, "verificationReason": reason}
    write_json(out / "metadata.json", meta)
    _selftest(out, spec, meta, run.top_k)
    if reason is None:
        _run_selftest(out, spec, session)
    (out / "README.md").write_text(_readme(meta), encoding="utf-8")
    find_paths(out, machine_paths(run.job.root, run.job.path("dataset"), run.manifest.folder))
    for entry in meta["artifact"]["files"]:
        run.artifact(out / entry["path"], "model", title=f"{run.model} as {format_}")
    return meta


def _clean_model(model: Path, format_: str) -> None:
    try:
        if format_ == "onnx":
            clean_onnx(model, {})
        elif format_ == "torchscript":
            clean_torchscript(model)
    except (ValueError, IndexError, BadZipFile) as error:
        raise VerificationError(f"the exported file does not load: {error}", None, "verification.unloadable") from error


def metadata_digest(meta: Json) -> str:
    """What a model file carries as `trainyard`: sha256 of metadata.json without `artifact.files` and `verification`, keys sorted, spelt as
    JavaScript spells numbers (plugin-sdk/src/trainer/export-bundle.ts computes the same)."""
    kept = {key: value for key, value in meta.items() if key not in ("verification", "verificationReason")}
    kept["artifact"] = {key: value for key, value in meta["artifact"].items() if key != "files"}
    return "sha256:" + hashlib.sha256(_plain(kept).encode()).hexdigest()


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{_plain(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_plain, value)) + "]"
    if isinstance(value, float):
        return _number(value)
    return json.dumps(value, ensure_ascii=False)


def _number(value: float) -> str:
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    digits, _, power = f"{value!r}".partition("e")
    if not power:
        return digits
    exponent = int(power)
    if -7 < exponent < 0:
        return f"{value:.{len(digits.replace('.', '').lstrip('-')) - 1 - exponent}f}"
    return f"{digits}e{'-' if exponent < 0 else '+'}{abs(exponent)}"


def _model_file(out: Path, format_: str) -> Path:
    name = MODEL_FILES.get(format_)
    model = out / name if name is not None else out
    if not model.exists() or not _model_files(out):
        wanted = f"; {format_} needs output/export/{name}" if name is not None else ""
        raise VerificationError(f"the export wrote no model file{wanted}", "Write it before describe_export.", "verification.unloadable")
    return model


def _model_files(out: Path) -> list[Json]:
    return [entry for entry in list_files(out) if entry["path"] not in _OWN and not entry["path"].startswith(("selftest/", "runtime/"))]


def _check_spec(spec: ExportSpec) -> None:
    if len(spec.inputs) < LEAST_IMAGES:
        text = f"the export is compared on {len(spec.inputs)} images, at least {LEAST_IMAGES} are needed"
        raise TrainerError(text, "Keep 16 held-out images in the checkpoint.", "internal.protocol")
    width, height = image_size(spec.selftest_image)
    if width == height or spec.selftest_image.suffix != ".png":
        text = f"the self-test image {spec.selftest_image.name} is {width} x {height}"
        raise TrainerError(text, "Give a PNG that is not square, so that mistakes of width and height show.", "internal.protocol")


def _open(model: Path, format_: str) -> Any:
    found = wrapper()
    try:
        return found.open_session(model, format_)
    except Exception as error:
        raise VerificationError(f"the exported file does not load: {error}", None, "verification.unloadable") from error


def _tensors(spec: ExportSpec, model: Path, format_: str, session: Any, outputs: Arrays) -> Json:
    if spec.tensors is not None:
        return spec.tensors
    if format_ == "onnx":
        return read_onnx(model)
    inputs = getattr(session, "inputs", None)
    found = getattr(session, "outputs", None)
    names = spec.output_names or [f"output{index}" for index in range(len(outputs))]
    if inputs is None:
        array = spec.inputs[0]
        inputs = [{"name": spec.input_name, "dtype": str(array.dtype), "shape": [int(side) for side in array.shape]}]
    if found is None:
        arrays = zip(names, outputs, strict=True)
        found = [{"name": name, "dtype": str(array.dtype), "shape": [int(side) for side in array.shape]} for name, array in arrays]
    return {"opset": None, "inputs": inputs, "outputs": found}


def _metadata(run: Run, out: Path, spec: ExportSpec, format_: str, precision: str, tensors: Json) -> Json:
    if len(tensors["outputs"]) != len(spec.semantics):
        text = f"the file has {len(tensors['outputs'])} outputs, the trainer described {len(spec.semantics)}"
        raise VerificationError(text, None, "verification.unloadable")
    names = list(run.classes)
    inputs = [{**entry, "shape": _shape(entry["shape"]), "layout": spec.layout} for entry in tensors["inputs"]]
    outputs: list[Json] = []
    for entry, kind in zip(tensors["outputs"], spec.semantics, strict=True):
        outputs.append({**entry, "shape": _shape(entry["shape"]), **({"semantics": kind} if isinstance(kind, str) else kind)})
    symbols = [any(isinstance(side, str) for side in entry["shape"][part]) for entry in inputs for part in (slice(0, 1), slice(1, None))]
    dynamic = [word for word, on in (("batch", any(symbols[::2])), ("size", any(symbols[1::2]))) if on]
    notices = run.manifest.raw.get("notices", [])
    return {
        "schema": "export/v1",
        "createdAt": datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "model": {
            "task": run.task,
            "family": spec.family or run.model,
            "id": run.model,
            "trainer": f"{run.manifest.name}@{run.manifest.version}",
            "jobId": run.job.job_id,
            "checkpointSha256": run.checkpoint_digest,
            "datasetDigest": run.origin.get("datasetDigest"),
            "configDigest": run.origin.get("configDigest"),
            "metrics": spec.metrics or run.origin.get("metrics", {}),
        },
        "artifact": {
            "format": format_,
            "precision": precision,
            "opset": tensors.get("opset"),
            "dynamic": dynamic,
            "files": _model_files(out),
        },
        "inputs": inputs,
        "outputs": outputs,
        "preprocess": list(spec.preprocess),
        "postprocess": [{"op": step} if isinstance(step, str) else step for step in spec.postprocess],
        "labels": names,
        "license": run.manifest.raw.get("license"),
        "notices": [entry for entry in notices if entry.get("appliesTo", "exports") == "exports"],
    }


def _shape(shape: Sequence[Any]) -> list[Any]:
    return [side if isinstance(side, (int, str)) else "?" for side in shape]


def _verify(out: Path, spec: ExportSpec, meta: Json, session: Any, precision: str, safe_point: Callable[[], None]) -> Json:
    pairs: list[tuple[Arrays, Arrays]] = []
    run_file = spec.run_file or (lambda array: session.run([array]))
    for array in spec.inputs:
        safe_point()
        try:
            pairs.append((spec.reference(array), list(run_file(array))))
        except VerificationError:
            raise
        except Exception as error:
            raise VerificationError(f"the exported file does not run: {error}"[:1500], None, "verification.unloadable") from error
    agreement: float | None
    if isinstance(spec.inputs[0], Tensor):
        outputs, agreement = compare_plain(meta, pairs)
    else:
        outputs = compare_outputs(meta, pairs, precision)
        agreement = check_agreement(agreement_of(_decoder(out, spec, meta), meta, pairs), precision)
    runtime = spec.runtime or getattr(session, "runtime", "")
    return {
        "by": "trainer", "runtime": runtime, "device": "cpu", "inputs": len(pairs), "outputs": outputs, "taskAgreement": agreement, "passed": True,
    }  # fmt: skip


def _decoder(out: Path, spec: ExportSpec, meta: Json) -> Callable[[Arrays], Json] | None:
    """Outputs to a prediction in the pixels of the input tensor."""
    if not WRAPPERS.is_dir() or _is_own(meta):
        return None
    shape = spec.inputs[0].shape
    size = (int(shape[2]), int(shape[3])) if spec.layout == "NCHW" else (int(shape[1]), int(shape[2]))
    predictor = wrapper().Predictor(out)
    return lambda outputs: dict(predictor.postprocess(outputs, size))


def _is_own(meta: Json) -> bool:
    return any(entry["semantics"].startswith("x-") for entry in meta["outputs"])


def _selftest(out: Path, spec: ExportSpec, meta: Json, top: int) -> None:
    folder = out / "selftest"
    if isinstance(spec.selftest_input, Tensor):
        outputs = spec.reference(spec.selftest_input)
        write_plain_selftest(folder, spec.selftest_image, spec.selftest_input, outputs, meta, spec.expected)
        return
    import numpy

    folder.mkdir(parents=True, exist_ok=True)
    if spec.selftest_image != folder / "input.png":
        shutil.copyfile(spec.selftest_image, folder / "input.png")
    width, height = image_size(folder / "input.png")
    outputs = spec.reference(spec.selftest_input)
    numpy.save(folder / "input.npy", numpy.ascontiguousarray(spec.selftest_input))
    for index, output in enumerate(outputs):
        numpy.save(folder / f"output-{index}.npy", numpy.ascontiguousarray(output, dtype="float32"))
    expected = spec.expected
    if expected is None:
        if not WRAPPERS.is_dir() or _is_own(meta):
            raise TrainerError("the export names no expected prediction", "Outputs of an own kind need `expected`.", "internal.protocol")
        expected = dict(wrapper().Predictor(out).postprocess(outputs, (height, width)))
    line: Json = {"image": "selftest/input.png", "width": width, "height": height}
    if "classes" in expected:
        line["classes"] = class_entries(None, expected["classes"], max(top, len(expected["classes"])))[0]
    if "instances" in expected:
        line["instances"] = instance_entries(expected["instances"], 0.0, len(expected["instances"]), (width, height))
    mask = expected.get("mask")
    if mask is not None and not isinstance(mask, str):
        write_png(folder / "mask.png", width, height, numpy.ascontiguousarray(mask, dtype="uint8").tobytes())
        mask = "selftest/mask.png"
    if mask is not None:
        line["mask"] = mask
    (folder / "expected.json").write_text(json.dumps(line) + "\n", encoding="utf-8")


def _run_selftest(out: Path, spec: ExportSpec, session: Any) -> None:
    """What a user's first try will do: wrapper, file and expected.json must agree. Raises VerificationError `verification.selftest`."""
    if isinstance(spec.selftest_input, Tensor):
        return
    predictor = wrapper().Predictor(out) if WRAPPERS.is_dir() else None
    if predictor is None or _is_own(predictor.metadata):
        return
    check, meta = selftest(), predictor.metadata
    rgb = rgb_of(out / "selftest" / "input.png")
    faults = list(check.compare_input(predictor.preprocess(rgb), spec.selftest_input, meta))
    outputs = spec.run_file(spec.selftest_input) if spec.run_file is not None else session.run([spec.selftest_input])
    got = predictor.postprocess(outputs, rgb.shape[:2])
    wanted = json.loads((out / "selftest" / "expected.json").read_text(encoding="utf-8"))
    # int8 is judged by agreement alone, and has been.
    if meta["artifact"]["precision"] != "int8":
        if "mask" in wanted:
            faults += check.compare_pixels(got.get("mask"), _mask_array(out, wanted["mask"]))
        faults += check.compare(wanted, got, check.threshold_of(meta))
    if faults:
        hint = "The op lists of the description and the trainer's own steps differ."
        raise VerificationError(f"the self-test fails: {'; '.join(faults[:3])}"[:1500], hint, "verification.selftest")


def _mask_array(out: Path, name: str) -> Any:
    import numpy

    mask = read_mask(next(path for path in (out / name, out / "selftest" / name) if path.is_file()))
    return numpy.frombuffer(mask.data, dtype="uint8").reshape(mask.height, mask.width)


def _readme(meta: Json) -> str:
    model, artifact, check = meta["model"], meta["artifact"], meta["verification"]
    lines = [f"# {model['id']} ({artifact['format']}, {artifact['precision']})", ""]
    lines += [f"Task: {model['task']}. Made by {model['trainer']}. Licence: {meta['license']}.", ""]
    lines += ["## Files", "", "| file | bytes | sha256 |", "|---|---|---|"]
    lines += [f"| {entry['path']} | {entry['bytes']} | {entry['sha256']} |" for entry in artifact["files"]]
    lines += ["", "## Tensors", ""]
    lines += [f"- input `{entry['name']}`: {entry['dtype']} {entry['shape']} ({entry['layout']})" for entry in meta["inputs"]]
    lines += [f"- output `{entry['name']}`: {entry['dtype']} {entry['shape']}, {entry['semantics']}" for entry in meta["outputs"]]
    lines += ["", "## Use", "", "`metadata.json` lists every step before and after the model, in order; `labels.txt` the classes by index."]
    lines += ["`selftest/` holds an image, the tensor made of it, the outputs and the expected prediction.", ""]
    if WRAPPERS.is_dir():
        lines += ["```", "pip install -r runtime/python/requirements.txt", "python runtime/python/test_selftest.py", "python runtime/python/predict.py IMAGE", "```", ""]
    if check is None:
        lines += [f"Not checked against the checkpoint: {meta['verificationReason']}.", ""]
    else:
        worst = max((entry["maxAbs"] for entry in check["outputs"]), default=0.0)
        lines += [f"Checked against the checkpoint with {check['runtime']} on {check['inputs']} images: largest difference {worst:.2g}.", ""]
    return "\n".join(lines)
