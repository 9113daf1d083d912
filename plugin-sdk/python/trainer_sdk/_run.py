"""What a trainer's function gets: the job, the config, the dataset, and the calls that report."""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ._checkpoints import CheckpointStore
from ._config import Values, greyed_keys
from ._dataset import Dataset, Sample
from ._errors import Diverged, InputError
from ._events import EventWriter
from ._export import ExportSpec, describe_export
from ._exported import exported_graph, exported_predictions, open_exported
from ._files import digest_of, file_digest, write_json
from ._graph import LoadedGraph
from ._inference import Inference
from ._job import Job
from ._manifest import Manifest
from ._rng import restore_rng, rng_state
from ._state import load_state, save_state
from ._stop import StopFlag
from ._weights import InitialWeights

_ORIGIN = "trainyard.json"
_MEDIA = {".png": "image/png", ".svg": "image/svg+xml", ".csv": "text/csv", ".json": "application/json"}


@dataclass(frozen=True)
class ResumeState:
    """Where training goes on: completed epochs, steps done, and the saved values. `resumed` is false on a fresh start."""

    epoch: int
    step: int
    values: Mapping[str, Any]
    resumed: bool

    def get(self, name: str, default: Any = None) -> Any:
        return self.values.get(name, default)


class Run(Inference):
    """One verb of one job. Not thread-safe, except `warn` and `metric`."""

    def __init__(
        self, job: Job, manifest: Manifest, model: dict[str, Any], config: dict[str, Any], events: EventWriter,
        stop: StopFlag, store: CheckpointStore, dataset: Dataset | None, origin: dict[str, Any], folder: Path | None,
        options: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(job, events, stop, dataset, origin)
        self.manifest = manifest
        self.model_entry = model
        self.config = Values(config)
        self.options = Values(options or {})
        self.store = store
        self.checkpoint_folder = folder
        self.task, self.model, self.seed, self.attempt = job.task, job.model, job.seed, job.attempt
        self.device, self.limits = job.device_kind, dict(job.limits)
        self.step = 0
        self.epoch: float | None = None
        self.images_per_second: float | None = None
        #: What a verb prints on stdout (validate only).
        self.document: dict[str, Any] | None = None
        self._on_stop: Callable[[], None] | None = None
        self._effective: dict[str, dict[str, Any]] = {}
        self._scores: dict[str, float] = {}
        self._began: tuple[float, float] | None = None
        self._weights = InitialWeights(job)
        metric = config.get("eval_metric") or manifest.primary(job.task)[0]
        self.eval_metric = str(metric)
        self.direction = manifest.direction(self.eval_metric)

    # Inputs

    def exported(self) -> Any:
        """evaluate, predict: the exported model of the job (`modelArtifact`) as a Predictor with `.predict(rgb)` and `.metadata`, or None."""
        return open_exported(self)

    def exported_predictions(self) -> Iterator[tuple[Sample, dict[str, Any]]]:
        """Runs the exported model of the job over `images` and writes each prediction; gives (sample, prediction) for the metrics."""
        return exported_predictions(self)

    def exported_graph(self) -> LoadedGraph | None:
        """The same without NumPy, for networks that `Graph` wrote: `.side`, `.logits(values)`."""
        return exported_graph(self.job)

    def weights_path(self) -> Path | None:
        """Initial weights, checked by digest; None = random or bundled in the image. Ask before the first step."""
        return self._weights.ask()

    def check_weights(self) -> None:
        """Refuses weights that are missing or not the announced ones, also where the trainer never asks for them."""
        _ = self._weights.path

    def warn_unused_weights(self) -> None:
        """Once, when steps are done and the trainer has not asked for the weights it was given."""
        unused = self._weights.unused()
        if unused is not None:
            text = f"The weights {unused} were given, but the trainer did not load them: it does not start from them."
            self.warn("x-weights-unused", text, "Choose no weights, or a trainer that calls run.weights_path() before its first step.")

    @cached_property
    def checkpoint_digest(self) -> str | None:
        return digest_of(self.checkpoint_folder) if self.checkpoint_folder is not None else None

    def load(self, build: Callable[..., Any] | None = None, name: str = "net") -> Any:
        """The checkpoint's values; with `build`, the network built for the model and filled with state `name`."""
        if self.checkpoint_folder is None:
            raise InputError("the job names no checkpoint", "Pass the checkpoint of a finished run.")
        values = load_state(self.checkpoint_folder)
        if build is None:
            return values
        net = build(self.model, classes=len(self.classes))
        try:
            net.load_state_dict(values[name])
        except (KeyError, RuntimeError) as error:
            hint = "It was made for another model or another number of classes."
            raise InputError(f"the checkpoint does not fit {self.model}: {error}"[:1500], hint, "input.checkpoint_incompatible") from error
        return net

    # Reporting

    def effective(self, key: str, value: Any, target: str | None = None, note: str | None = None, source: str | None = None) -> None:
        """What a config key became, read back from the framework (contract.md 4.8)."""
        requested = self.config.get(key)
        if source is None:
            default = self.manifest.schema["properties"].get(key, {}).get("default")
            source = "default" if requested == default else "user"
            if value != requested:
                source = "auto" if requested in (None, "auto") else "overridden"
        if source in ("auto", "overridden", "ignored") and note is None:
            note = "chosen by the trainer" if source == "auto" else "the framework uses this value"
        entry = {"requested": requested, "effective": value, "target": target or key, "source": source}
        self._effective[key] = {**entry, "note": note} if note is not None else entry

    def write_effective(self, complete: bool) -> None:
        """One entry per key in scope. `complete` = the trainer had its chance: keys it did not report are a warning."""
        greyed = greyed_keys(self.manifest.schema, self.config.as_dict(), self.task)
        missing: list[str] = []
        for key in self.config:
            if key in self._effective:
                continue
            if key in greyed:
                self.effective(key, None, None, greyed[key], "ignored")
            else:
                missing.append(key)
                self.effective(key, self.config[key])
        write_json(self.job.output / "config.effective.json", {"schema": "config.effective@1", "values": self._effective})
        if complete and missing:
            text = f"The trainer did not say what became of: {', '.join(missing)}."
            if os.environ.get("TRAINYARD_STRICT"):
                raise AssertionError(text)
            self.warn("x-effective-missing", text)

    def metric(self, split: str, step: int | None = None, epoch: float | None = None, **values: Any) -> None:
        """Reports values. Without `step`, a train call counts one optimizer step and other splits use the current step."""
        if step is not None:
            self.step = max(self.step, step)
        elif split == "train":
            self.step += 1
        if split == "train":
            self.warn_unused_weights()
        if split == "val":
            self._scores = {name: float(value) for name, value in values.items()}
        self.events.metric(split, self.step, epoch if epoch is not None else self.epoch, values)

    def check_finite(self, loss: Any, name: str = "loss") -> float:
        """The value as a float; NaN or infinite: the series gets a gap and Diverged (76) ends the training."""
        value = float(loss)
        if not math.isfinite(value):
            self.metric("train", self.step, **{name: value})
            self.events.flush()
            hint = "Divide learning_rate by 10, train in fp32, or look for wrong labels."
            raise Diverged(f"the {name} is {value} after step {self.step}", hint)
        return value

    def epochs(self, start: int = 0, total: int | None = None) -> Iterator[int]:
        """Epoch numbers from 0; progress and stop are handled between them."""
        total = int(self.config.epochs) if total is None else total
        self.stop.settle()
        for epoch in range(start, total):
            self.safe_point()
            self.epoch = epoch + 1
            self.progress(epoch, total)
            yield epoch
            self.progress(epoch + 1, total)
        self.events.flush()

    def progress(self, current: float, total: float, unit: str = "epoch") -> None:
        now = time.monotonic()
        if self._began is None:
            self._began = (now, current)
        done = current - self._began[1]
        eta = round((now - self._began[0]) / done * (total - current), 1) if done > 0 else None
        self.events.progress(unit, current, total, eta)

    def on_stop(self, save: Callable[[], None]) -> None:
        """`save` writes a checkpoint when a stop interrupts between two of them."""
        self._on_stop = save

    def save_for_stop(self) -> None:
        if self._on_stop is not None:
            save, self._on_stop = self._on_stop, None
            save()

    def artifact(self, path: Path, kind: str, title: str | None = None) -> None:
        relative = path.relative_to(self.job.output).as_posix()
        fields = {"title": title} if title else {}
        media = _MEDIA.get(path.suffix, "application/x-ndjson" if path.suffix == ".jsonl" else "application/octet-stream")
        digest, size = file_digest(path), path.stat().st_size
        self.events.emit("artifact", kind=kind, path=f"output/{relative}", mediaType=media, bytes=size, sha256=digest, **fields)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        self.events.emit("phase", name=name, state="begin")
        try:
            yield
        finally:
            self.events.emit("phase", name=name, state="end")

    # Checkpoints

    @property
    def best_value(self) -> float | None:
        entry = self.store.find(self.store.best) if self.store.best else None
        value = (entry or {}).get("metric", {}).get("value")
        return float(value) if value is not None else None

    def is_better(self, value: float | None) -> bool:
        if value is None or value != value:
            return False
        best = self.best_value
        return best is None or (value < best if self.direction == "min" else value > best)

    def checkpoint(
        self, metric: float | None = None, files: Sequence[Path] | Path | None = None, periodic: bool = False,
        resumable: bool = True, completed: int | None = None, blobs: Mapping[str, bytes] | None = None, **state: Any,
    ) -> str:  # fmt: skip
        """Saves state, foreign files, named bytes; gives the id. `completed` = whole epochs done (default: the current one)."""
        epoch = completed if completed is not None else int(self.epoch or 0)
        origin = {
            "schema": "trainyard-checkpoint@1", "trainer": f"{self.manifest.name}@{self.manifest.version}", "task": self.task,
            "model": self.model, "classes": list(self.classes), "config": self.config.as_dict(), "step": self.step, "epoch": epoch,
            "metrics": self._scores if metric is not None else {}, "configDigest": self.job.config_digest,
            "datasetDigest": (self.job.dataset or {}).get("digest"),
        }  # fmt: skip

        def fill(folder: Path) -> str:
            format_ = save_state(folder, {**state, "rng": rng_state()})
            for file in [files] if isinstance(files, Path) else files or []:
                target = folder / "files" / file.name
                target.parent.mkdir(exist_ok=True)
                shutil.copytree(file, target) if file.is_dir() else shutil.copyfile(file, target)
                format_ = "pickle" if file.suffix in (".pt", ".pth", ".bin", ".pkl") else format_
            for name, data in (blobs or {}).items():
                (folder / "files").mkdir(exist_ok=True)
                (folder / "files" / name).write_bytes(data)
            write_json(folder / _ORIGIN, origin)
            return format_

        fields: dict[str, Any] = {"step": self.step, "epoch": epoch}
        if metric is not None:
            fields["metric"] = {"name": self.eval_metric, "value": metric if metric == metric else None}
        if self.job.config_digest:
            fields["configDigest"] = self.job.config_digest
        with self.stop:
            entry = self.store.write(fill, fields, self.is_better(metric), periodic, resumable)
            shown = ("id", "path", "kinds", "step", "epoch", "bytes", "sha256", "resumable", "format", "metric")
            self.events.emit("checkpoint", **{key: entry[key] for key in shown if key in entry})
        return str(entry["id"])

    def resume(self, **targets: Any) -> ResumeState:
        """Fills objects that have `load_state_dict`; a fresh start gives epoch 0."""
        folder = self.resume_folder()
        if folder is None:
            return ResumeState(0, 0, {}, False)
        values = load_state(folder)
        for name, target in targets.items():
            if name in values and hasattr(target, "load_state_dict"):
                try:
                    target.load_state_dict(values[name])
                except (RuntimeError, ValueError, KeyError) as error:
                    raise InputError(
                        f"{name} does not fit the checkpoint: {error}"[:1500], None, "input.checkpoint_incompatible"
                    ) from error
        restore_rng(values.get("rng"))
        self.step = int(self.resumed_from["step"])
        return ResumeState(int(self.resumed_from["epoch"]), self.step, values, True)

    def resume_folder(self) -> Path | None:
        """Folder of the checkpoint this attempt continues from, already checked by digest."""
        request = self.job.resume
        return self.job.path(str(request["checkpoint"])) if request else None

    def resume_files(self) -> Path | None:
        """Folder of the foreign files given to `checkpoint(files=…)`."""
        folder = self.resume_folder()
        return folder / "files" if folder is not None else None

    @cached_property
    def resumed_from(self) -> dict[str, Any]:
        folder = self.resume_folder()
        return read_origin(folder) if folder is not None else {}

    def describe_export(self, spec: ExportSpec) -> dict[str, Any]:
        return describe_export(self, self.job.output / "export", spec)


def read_origin(folder: Path) -> dict[str, Any]:
    """Where a checkpoint comes from: model, classes, config, step. Unreadable: 66."""
    import json

    file = folder / _ORIGIN
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        hint = "The checkpoint is damaged or was written by another trainer."
        raise InputError(f"the checkpoint cannot be read: {error}", hint, "input.checkpoint_incompatible") from error
    return dict(raw)
