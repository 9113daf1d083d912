"""What each verb does around the trainer's own function."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ._errors import DatasetError, TrainerError, Unsupported
from ._files import write_json
from ._run import Run, read_origin
from ._validate import MAX_PROBLEMS, find_problems

Handler = Callable[..., Any]
Result = dict[str, Any]


@dataclass
class Handlers:
    train: Handler | None = None
    evaluate: Handler | None = None
    predict: Handler | None = None
    validate: Handler | None = None
    models: Callable[[], Sequence[dict[str, Any]]] | None = None
    exports: dict[str, Handler] = field(default_factory=dict)


def run_verb(run: Run, handlers: Handlers) -> Result:
    """Fields of the `finished` event; `run.document` is what the verb prints, if it prints one."""
    command = run.job.command
    if command == "validate":
        return _validate(run, handlers)
    if command == "train":
        return _train(run, _needed(handlers.train, "train"), handlers.evaluate)
    if command == "export":
        return _export(run, handlers)
    function = _needed(handlers.evaluate if command == "evaluate" else handlers.predict, command)
    return {"metrics": _look(run, function, command)}


def _needed(function: Handler | None, verb: str) -> Handler:
    if function is None:
        raise Unsupported(f"the trainer has no {verb} function")
    return function


def _look(run: Run, function: Handler, command: str) -> dict[str, float | None]:
    """evaluate or predict: the function fills predictions, metrics follow from them."""
    with run.phase("predict" if command == "predict" else "evaluate"):
        function(run)
        file = run.finish_predictions()
    if file is not None:
        run.artifact(file, "predictions")
    if command == "predict":
        return {}
    primary, direction = run.manifest.primary(run.task)
    found = run.write_metrics(primary, direction)
    declared = {entry if isinstance(entry, str) else entry["name"] for entry in run.manifest.task(run.task)["metrics"]["declared"]}
    return {name: value for name, value in found.items() if name in declared or name.startswith("x/")}


def _train(run: Run, function: Handler, evaluate: Handler | None) -> Result:
    with run.phase("train"):
        function(run)
    run.warn_unused_weights()
    run.stop.settle()
    run.on_stop(lambda: None)
    run.write_effective(complete=True)
    best = run.store.find(run.store.best or run.store.last or "")
    if best is None:
        raise TrainerError("the trainer wrote no checkpoint", "Call run.checkpoint() at least once.", "internal.protocol")
    metrics: dict[str, float | None] = {}
    if evaluate is not None:
        run.checkpoint_folder = run.store.folder / best["id"]
        run.origin = read_origin(run.checkpoint_folder)
        metrics = _look(run, evaluate, "evaluate")
    value = best.get("metric") or {"name": run.eval_metric, "value": None}
    return {"metrics": metrics, "best": {"step": best["step"], "checkpoint": best["id"], "metric": value}}


def _export(run: Run, handlers: Handlers) -> Result:
    format_ = str(run.job.export.get("format"))
    function = handlers.exports.get(format_)
    if function is None:
        raise Unsupported(f"export to {format_} is not offered", None, "unsupported.format")
    out = run.job.output / "export"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    try:
        with run.phase("export"):
            function(run, out)
    except BaseException:
        # Half an export must not look like one.
        shutil.rmtree(out, ignore_errors=True)
        raise
    if not (out / "metadata.json").is_file():
        shutil.rmtree(out, ignore_errors=True)
        raise TrainerError("the export was not described", "Call run.describe_export().", "internal.protocol")
    return {"metrics": {}}


def _validate(run: Run, handlers: Handlers) -> Result:
    dataset = run.job.dataset or {}
    root = run.job.path(str(dataset.get("path", "dataset")))
    problems = find_problems(root, dataset.get("format"), True, run.safe_point)
    more = handlers.validate(run) if handlers.validate is not None else None
    problems = sorted([*problems, *(more or [])], key=lambda problem: problem.severity != "error")[:MAX_PROBLEMS]
    run.document = {"problems": [problem.as_dict() for problem in problems]}
    write_json(run.job.output / "validation.json", run.document)
    run.write_effective(complete=False)
    for problem in problems:
        if problem.severity == "warning":
            run.warn(problem.code, problem.message, problem.hint)
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        first = errors[0]
        where = f"{first.path}: " if first.path and first.path not in first.message else ""
        text = f"{len(errors)} problem{'s' if len(errors) > 1 else ''} in the dataset; the first: {where}{first.message}"
        raise DatasetError(text, errors[0].hint, errors[0].code)
    return {"metrics": {}}
