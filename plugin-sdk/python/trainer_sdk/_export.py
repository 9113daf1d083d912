"""Describes an exported model: shapes read from the file, parity with the checkpoint, self-test, metadata.json (contract.md 8)."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._errors import VerificationError
from ._files import list_files, write_json
from ._onnx import read_onnx

if TYPE_CHECKING:
    from ._run import Run

Arrays = list[Any]
#: (fp32, fp16) largest allowed difference by output semantics
_TOLERANCE = {"logits": (1e-3, 5e-2), "probs": (1e-4, 5e-3), "detr": (1e-4, 5e-3), "semantic-logits": (1e-2, 1e-1)}
_OWN = ("metadata.json", "labels.txt", "README.md", "LICENSE", "NOTICE")


@dataclass(frozen=True)
class ExportSpec:
    """What only the trainer knows about its export. `reference` and `run_file` map one input array to the list of outputs."""

    preprocess: Sequence[dict[str, Any]]
    postprocess: Sequence[str | dict[str, Any]]
    semantics: Sequence[str]
    reference: Callable[[Any], Arrays]
    inputs: Sequence[Any]
    selftest_image: Path
    selftest_input: Any
    expected: dict[str, Any]
    layout: str = "NCHW"
    run_file: Callable[[Any], Arrays] | None = None
    runtime: str | None = None
    tensors: dict[str, Any] | None = None
    family: str = ""
    metrics: dict[str, float | None] = field(default_factory=dict)


def describe_export(run: Run, out: Path, spec: ExportSpec) -> dict[str, Any]:
    """Writes everything beside the model file; raises VerificationError (77) before `passed` could be untrue."""
    request = run.job.export
    format_, precision = str(request.get("format", "onnx")), str(request.get("precision", "fp32"))
    files = [entry for entry in list_files(out) if entry["path"] not in _OWN and not entry["path"].startswith(("selftest/", "runtime/"))]
    if not files:
        raise VerificationError("the export wrote no model file", None, "verification.unloadable")
    tensors = spec.tensors if spec.tensors is not None else read_onnx(out / files[0]["path"])
    run_file, runtime = spec.run_file, spec.runtime
    if run_file is None:
        run_file, runtime = _onnx_session(out / files[0]["path"])
    verification = _parity(spec, tensors, run_file, precision, runtime or "")
    _selftest(out / "selftest", spec)
    names = list(run.classes)
    (out / "labels.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    inputs = [{**entry, "layout": spec.layout} for entry in tensors["inputs"]]
    outputs = [{**entry, "semantics": kind} for entry, kind in zip(tensors["outputs"], spec.semantics, strict=True)]
    dynamic = ["batch"] if any(isinstance(entry["shape"][0], str) for entry in inputs) else []
    notices = run.manifest.raw.get("notices", [])
    meta = {
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
        "artifact": {"format": format_, "precision": precision, "opset": tensors.get("opset"), "dynamic": dynamic, "files": files},
        "inputs": inputs,
        "outputs": outputs,
        "preprocess": list(spec.preprocess),
        "postprocess": [{"op": step} if isinstance(step, str) else step for step in spec.postprocess],
        "labels": names,
        "verification": verification,
        "license": run.manifest.raw.get("license"),
        "notices": [entry for entry in notices if entry.get("appliesTo", "exports") == "exports"],
    }
    write_json(out / "metadata.json", meta)
    for name in ("LICENSE", "NOTICE"):
        if (run.manifest.folder / name).is_file():
            shutil.copyfile(run.manifest.folder / name, out / name)
    wrappers = Path(__file__).parent / "runtime"
    if wrappers.is_dir():
        shutil.copytree(wrappers, out / "runtime", dirs_exist_ok=True)
    (out / "README.md").write_text(_readme(meta), encoding="utf-8")
    for entry in files:
        run.artifact(out / entry["path"], "model", title=f"{run.model} as {format_}")
    return meta


def _onnx_session(file: Path) -> tuple[Callable[[Any], Arrays], str]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise VerificationError(f"the exported file does not load: {error}", None, "verification.unloadable") from error
    name = session.get_inputs()[0].name
    return lambda array: list(session.run(None, {name: array})), f"onnxruntime {onnxruntime.__version__}"


def _parity(spec: ExportSpec, tensors: dict[str, Any], run_file: Callable[[Any], Arrays], precision: str, runtime: str) -> dict[str, Any]:
    import numpy

    column = 1 if precision == "fp16" else 0
    worst = [0.0] * len(spec.semantics)
    total = [0.0] * len(spec.semantics)
    agreed = 0
    for array in spec.inputs:
        wanted, got = spec.reference(array), run_file(array)
        if len(wanted) != len(got) or len(got) != len(spec.semantics):
            raise VerificationError(f"the file has {len(got)} outputs, the checkpoint {len(wanted)}")
        for index, (a, b) in enumerate(zip(wanted, got, strict=True)):
            if a.shape != b.shape or not numpy.isfinite(b).all():
                raise VerificationError(f"output {index}: shape {b.shape} or values differ from the checkpoint's {a.shape}")
            delta = numpy.abs(a.astype("float64") - b.astype("float64"))
            worst[index] = max(worst[index], float(delta.max()))
            total[index] += float(delta.mean())
        agreed += bool((wanted[0].argmax(-1) == got[0].argmax(-1)).all())
    agreement = agreed / max(len(spec.inputs), 1)
    outputs: list[dict[str, Any]] = []
    for index, kind in enumerate(spec.semantics):
        tolerance = _TOLERANCE.get(kind, (1e-2, 1.0))[column]
        mean = total[index] / max(len(spec.inputs), 1)
        name = tensors["outputs"][index]["name"]
        outputs.append({"name": name, "maxAbs": worst[index], "meanAbs": mean, "tolerance": tolerance})
        if worst[index] > tolerance:
            hint = "The exported model computes something else; keep the checkpoint and report this."
            raise VerificationError(f"output {name} differs by {worst[index]:.3g}, allowed is {tolerance:g}", hint)
    if agreement < (1.0 if column == 0 else 0.98):
        raise VerificationError(f"the exported model agrees on {agreement:.0%} of the images only")
    return {
        "by": "trainer", "runtime": runtime, "device": "cpu", "inputs": len(spec.inputs), "outputs": outputs,
        "taskAgreement": agreement, "passed": True,
    }  # fmt: skip


def _selftest(folder: Path, spec: ExportSpec) -> None:
    import json

    import numpy

    folder.mkdir(parents=True, exist_ok=True)
    if spec.selftest_image != folder / "input.png":
        shutil.copyfile(spec.selftest_image, folder / "input.png")
    numpy.save(folder / "input.npy", numpy.ascontiguousarray(spec.selftest_input, dtype="float32"))
    for index, output in enumerate(spec.reference(spec.selftest_input)):
        numpy.save(folder / f"output-{index}.npy", numpy.ascontiguousarray(output, dtype="float32"))
    (folder / "expected.json").write_text(json.dumps(spec.expected) + "\n", encoding="utf-8")


def _readme(meta: dict[str, Any]) -> str:
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
    worst = max((entry["maxAbs"] for entry in check["outputs"]), default=0.0)
    lines += [f"Checked against the checkpoint with {check['runtime']} on {check['inputs']} images: largest difference {worst:.2g}.", ""]
    return "\n".join(lines)
