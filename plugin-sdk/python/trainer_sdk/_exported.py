"""evaluate and predict with an exported model instead of the checkpoint: the same wrapper that users get runs it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._dataset import Sample
from ._errors import InputError, Unsupported
from ._export import MODEL_FILES
from ._graph import LoadedGraph, load_graph
from ._images import ImageProblem
from ._job import Job
from ._wrapper import rgb_of, wrapper

if TYPE_CHECKING:
    from ._run import Run


def bundle_folder(job: Job) -> Path:
    """Folder of the bundle that `modelArtifact` names; its metadata.json is there. Raises InputError (66)."""
    path = job.path(str((job.model_artifact or {}).get("path", "input/model")))
    if not path.exists():
        raise InputError("the exported model is missing", "The runner must put it into the job folder.", "input.checkpoint_missing")
    folder = path if path.is_dir() else path.parent
    inner = [entry for entry in folder.iterdir() if entry.is_dir()]
    if not (folder / "metadata.json").is_file() and len(inner) == 1:
        folder = inner[0]
    if not (folder / "metadata.json").is_file():
        hint = "An exported model is the whole folder that export wrote, with its metadata.json."
        raise InputError("the exported model has no metadata.json", hint, "input.checkpoint_incompatible")
    return folder


def bundle_origin(job: Job) -> dict[str, Any]:
    """What the bundle says of where it comes from, in the words of a checkpoint's trainyard.json."""
    try:
        meta = json.loads((bundle_folder(job) / "metadata.json").read_text(encoding="utf-8"))
        model, labels = meta["model"], [str(name) for name in meta["labels"]]
        origin = {"trainer": model.get("trainer"), "task": model["task"], "model": model["id"], "classes": labels}
    except (OSError, ValueError, KeyError, TypeError) as error:
        hint = "Export the model again."
        raise InputError(f"the exported model's metadata.json cannot be read: {error}", hint, "input.checkpoint_incompatible") from error
    asked, found = (job.model_artifact or {}).get("format"), meta.get("artifact", {}).get("format")
    if asked is not None and asked != found:
        raise InputError(f"the exported model is {found}, the job says {asked}", None, "input.checkpoint_incompatible")
    return origin


def open_exported(run: Run) -> Any:
    """The wrapper's Predictor with the thresholds of this verb, or None when the job names a checkpoint. Raises 66 or 69."""
    if run.job.model_artifact is None:
        return None
    try:
        module = wrapper()
    except ImportError as error:
        raise Unsupported(f"an exported model needs NumPy to run: {error}", "Use the checkpoint instead.", "unsupported.format") from error
    predictor = module.Predictor(bundle_folder(run.job))
    asked = run.job.predict if run.job.command == "predict" else run.job.evaluate
    for op in predictor.metadata["postprocess"]:
        if op["op"] == "threshold":
            op["score"] = run.threshold
        elif op["op"] == "nms":
            op["maxDetections"] = run.max_detections
            op["iou"] = asked.get("iou", op["iou"])
        elif op["op"] == "topk":
            op["k"] = max(run.top_k, 5)
    format_ = str(predictor.metadata["artifact"]["format"])
    try:
        _ = predictor.session
    except module.BundleError as error:
        text = str(error).replace(str(predictor.bundle), predictor.bundle.name)
        raise Unsupported(f"the exported model cannot be run here: {text}", "Use the checkpoint instead.", "unsupported.format") from error
    except Exception as error:
        hint = "The file is damaged or was made for another runtime."
        raise InputError(f"the exported {format_} file does not load: {error}"[:1500], hint, "input.checkpoint_incompatible") from error
    return predictor


def exported_predictions(run: Run) -> Iterator[tuple[Sample, dict[str, Any]]]:
    """Runs the exported model over the images of the verb; each prediction is written and given back with its image."""
    predictor = open_exported(run)
    if predictor is None:
        raise InputError("the job names no exported model", "Name modelArtifact in job.json.")
    for sample in run.images:
        try:
            rgb = rgb_of(sample.path)
        except ImageProblem as error:
            run.skip(sample, str(error))
            continue
        line = predictor.predict(rgb)
        size = (int(rgb.shape[1]), int(rgb.shape[0]))
        run.prediction(
            sample, classes=line.get("classes"), instances=line.get("instances"), mask=line.get("mask"), ms=line.get("ms"), size=size
        )
        yield sample, line


def exported_graph(job: Job) -> LoadedGraph | None:
    """The exported ONNX file of the job, run in plain Python (see _graph.py), or None when the job names a checkpoint. Raises 66."""
    if job.model_artifact is None:
        return None
    file = bundle_folder(job) / MODEL_FILES["onnx"]
    try:
        return load_graph(file)
    except (OSError, ValueError, KeyError, IndexError) as error:
        hint = "Use a model.onnx that this trainer exported."
        raise InputError(f"the exported model cannot be read: {error}", hint, "input.checkpoint_incompatible") from error
