"""Everything checked before a trainer's function is called; each refusal has its exit code."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._checkpoints import CheckpointStore
from ._config import defaults_of, resolve_config
from ._dataset import open_dataset
from ._errors import DatasetError, InputError, Unsupported
from ._events import EventWriter
from ._exported import bundle_origin
from ._files import digest_of, file_digest
from ._job import Job
from ._manifest import Manifest
from ._run import Run, read_origin
from ._stop import StopFlag
from ._validate import find_problems

if TYPE_CHECKING:
    from ._verbs import Handlers


def prepare(job: Job, manifest: Manifest, handlers: Handlers, events: EventWriter, stop: StopFlag) -> Run:
    offered = manifest.raw.get("capabilities", {}).get("commands", [])
    if offered and job.command not in offered:
        raise Unsupported(f"{job.command} is not offered", f"Offered: {', '.join(offered)}.")
    task = manifest.task(job.task)
    model = manifest.model(job.model, job.task, handlers.models or (lambda: []))
    _check_device(job, manifest)
    folder, origin = _checkpoint(job)
    _check_origin(origin, job, manifest)
    config = _config(job, manifest, origin)
    options = _export_options(job, manifest, model)
    dataset = None
    if job.dataset is not None:
        format_ = str(job.dataset.get("format", task["datasets"][0]))
        if format_ not in task["datasets"]:
            hint = f"It reads: {', '.join(task['datasets'])}."
            raise Unsupported(f"datasets in {format_} are not read", hint, "unsupported.format")
        root = job.path(str(job.dataset.get("path", "dataset")))
        if job.command in ("train", "evaluate"):
            _refuse_broken(job, root, format_, events, stop)
        if job.command != "validate":
            dataset = open_dataset(root, format_)
    elif job.command in ("train", "validate", "evaluate"):
        raise DatasetError("the job has no dataset", "Name a dataset.", "dataset.missing")
    store = CheckpointStore(job.checkpoints)
    if job.command == "train":
        store.open()
        _check_resume(job, store, manifest)
    run = Run(job, manifest, model, config, events, stop, store, dataset, origin, folder, options)
    if job.command == "train":
        run.check_weights()
    return run


def device_of(job: Job) -> dict[str, Any]:
    name = platform.processor() or platform.machine() or "cpu"
    if job.device_kind == "cpu":
        try:
            lines = Path("/proc/cpuinfo").read_text().splitlines()
            name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
        except OSError:
            pass
        return {"kind": "cpu", "name": name, "count": 1}
    return {"kind": job.device_kind, "name": job.device_kind, "count": max(job.device_count, 1)}


def _check_device(job: Job, manifest: Manifest) -> None:
    offered = manifest.raw.get("capabilities", {}).get("devices", ["cpu"])
    if job.device_kind not in offered:
        raise Unsupported(f"device {job.device_kind} is not supported", f"Supported: {', '.join(offered)}.", "unsupported.device")
    if job.device_kind == "cuda" and os.name == "posix":
        present = any(Path(path).exists() for path in ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg"))
        if not present or os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
            raise Unsupported("a GPU was asked for, none is here", "Run it on the CPU or on a machine with a GPU.", "unsupported.device")
    if job.device_count > 1 and manifest.raw.get("capabilities", {}).get("distributed", {}).get("mode", "none") == "none":
        raise Unsupported(f"{job.device_count} devices were asked for, this trainer uses one", "Ask for one.", "unsupported.combination")


def _config(job: Job, manifest: Manifest, origin: dict[str, Any]) -> dict[str, Any]:
    if job.config is not None:
        return resolve_config(manifest.schema, job.config, job.task)
    saved = origin.get("config")
    return resolve_config(manifest.schema, saved, job.task) if saved else defaults_of(manifest.schema, job.task)


def _checkpoint(job: Job) -> tuple[Path | None, dict[str, Any]]:
    if job.command not in ("evaluate", "predict", "export") or job.checkpoint is None:
        if job.command in ("evaluate", "predict", "export") and job.model_artifact is None:
            raise InputError("the job names no checkpoint", "Name the checkpoint of a finished run.")
        return None, bundle_origin(job) if job.command in ("evaluate", "predict") and job.model_artifact is not None else {}
    folder = job.path(str(job.checkpoint.get("path", "input/checkpoint")))
    if not folder.exists():
        raise InputError("the checkpoint is missing", "The runner must put it into the job folder.")
    inner = [entry for entry in folder.iterdir() if entry.is_dir()] if folder.is_dir() else []
    if folder.is_dir() and not (folder / "trainyard.json").exists() and len(inner) == 1:
        folder = inner[0]
    wanted = str(job.checkpoint.get("sha256") or "").removeprefix("sha256:")
    if wanted and digest_of(folder) != wanted:
        # A damaged file and a wrong one look alike here; both must not be loaded.
        raise InputError("the checkpoint is damaged or not the one asked for", "Its digest differs.", "input.digest_mismatch")
    return folder, read_origin(folder)


def _check_origin(origin: dict[str, Any], job: Job, manifest: Manifest) -> None:
    """A checkpoint of another trainer, major version, task or model is refused by name before anything reads it."""
    name, _, version = str(origin.get("trainer") or "").rpartition("@")
    if name and (name, version.split(".")[0]) != (manifest.name, manifest.version.split(".")[0]):
        hint = "Use the trainer and major version that made it."
        text = f"the checkpoint was made by {name} {version}, this is {manifest.name} {manifest.version}"
        raise InputError(text, hint, "input.checkpoint_incompatible")
    for what, then, now in (("task", origin.get("task"), job.task), ("model", origin.get("model"), job.model)):
        if then and now and then != now:
            raise InputError(f"the checkpoint was made for the {what} {then}, the job says {now}", f"Name {then}.", "input.checkpoint_incompatible")


def _export_options(job: Job, manifest: Manifest, model: dict[str, Any]) -> dict[str, Any]:
    if job.command != "export":
        return {}
    format_ = str(job.export.get("format", ""))
    claim = manifest.export(format_, job.task, model, str(job.export.get("precision", "fp32")))
    extra = [word for word in job.export.get("dynamic", []) if word not in claim.get("dynamic", [])]
    if extra:
        raise Unsupported(f"{format_} with dynamic {', '.join(extra)} is not offered", None, "unsupported.combination")
    schema = manifest.resolve_pointer(claim.get("options"))
    if schema is None:
        return dict(job.export.get("options") or {})
    return resolve_config({**schema, "$defs": manifest.schema.get("$defs", {})}, job.export.get("options") or {}, job.task)


def _refuse_broken(job: Job, root: Path, format_: str, events: EventWriter, stop: StopFlag) -> None:
    """Names, labels and masks only: a corrupt image is a warning during training."""
    evaluate = str(job.evaluate.get("split", "val")) if job.command == "evaluate" else None
    problems = find_problems(root, format_, False, stop.check, evaluate)
    found = [problem for problem in problems if problem.severity == "error" and problem.code != "dataset.corrupt_image"]
    if found:
        more = f" ({len(found)} problems in all)" if len(found) > 1 else ""
        first = found[0]
        where = f"{first.path}: " if first.path and first.path not in first.message else ""
        raise DatasetError(f"{where}{first.message}{more}", first.hint or "Run validate for the whole list.", first.code)
    for problem in problems:
        if problem.severity == "warning" and job.command == "train":
            fields = {"code": problem.code, "message": problem.message, "hint": problem.hint}
            events.emit("warning", **{key: value for key, value in fields.items() if value is not None})


def _check_resume(job: Job, store: CheckpointStore, manifest: Manifest) -> None:
    if not job.resume:
        return
    path = job.path(str(job.resume.get("checkpoint", "")))
    if not path.exists():
        raise InputError(f"the checkpoint {path.name} to resume from is missing", "Start the run anew.")
    entry = store.find(path.name)
    if entry is None:
        raise InputError(f"{path.name} is not in checkpoints/index.json", "Start the run anew.", "input.checkpoint_incompatible")
    for file in entry["files"]:
        if not (path / file["path"]).is_file() or file_digest(path / file["path"]) != file["sha256"]:
            raise InputError(f"{path.name}/{file['path']} is damaged", "Start the run anew.", "input.digest_mismatch")
    origin = read_origin(path)
    _check_origin(origin, job, manifest)
    pairs = (
        ("config", job.config_digest, origin.get("configDigest")),
        ("dataset", (job.dataset or {}).get("digest"), origin.get("datasetDigest")),
    )
    for what, now, then in pairs:
        if now and then and now != then:
            hint = "A resume needs the same config and dataset; start a new run instead."
            raise InputError(f"the {what} changed since the checkpoint", hint, "input.checkpoint_incompatible")
