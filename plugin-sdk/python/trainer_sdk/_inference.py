"""The part of a run that looks at images: which ones, what was predicted, which metrics follow."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ._dataset import Dataset, Sample
from ._errors import InputError, Unsupported
from ._events import EventWriter, finite
from ._files import write_json
from ._images import ImageProblem, read_pixels
from ._job import Job
from ._metrics import MAX_CONFUSION, classification_metrics, short_curves
from ._predictions import MaskFolder, class_entries, instance_entries
from ._problems import Problem
from ._stop import StopFlag
from ._vocabulary import IMAGE_SUFFIXES


class Inference:
    def __init__(self, job: Job, events: EventWriter, stop: StopFlag, dataset: Dataset | None, origin: dict[str, Any]) -> None:
        self.job = job
        self.events = events
        self.stop = stop
        self.origin = origin
        self._dataset = replace(dataset, on_skip=self._skip_problem) if dataset is not None else None
        self._file: Any = None
        self._rows: list[tuple[int, list[int]]] = []
        self._count = 0
        self._masks = MaskFolder(job.output)
        self._left_out: set[str] = set()
        self._skipped = 0
        self.report_metrics: dict[str, float | None] = {}
        self.reported: dict[str, Any] | None = None
        self.split = "val" if job.command != "evaluate" else str(job.evaluate.get("split", "val"))
        self.quiet = job.command == "train"

    @property
    def dataset(self) -> Dataset:
        if self._dataset is None:
            raise InputError("the job has no dataset", "Name a dataset for this verb.", "dataset.missing")
        return self._dataset

    @property
    def has_dataset(self) -> bool:
        return self._dataset is not None

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Names in the order of dataset.json; without a dataset, those the checkpoint was trained on."""
        trained = tuple(self.origin.get("classes", ()))
        if self._dataset is None:
            return trained
        if trained and trained != self._dataset.names:
            hint = f"The checkpoint knows: {', '.join(trained[:20])}."
            raise InputError("the dataset's classes differ from the checkpoint's", hint, "input.checkpoint_incompatible")
        return self._dataset.names

    def safe_point(self) -> None:
        """Raises Stop when a stop was asked for: call it wherever leaving is safe."""
        self.stop.check()

    @property
    def stopping(self) -> bool:
        return self.stop.asked

    def warn(self, code: str, message: str, hint: str | None = None, **data: Any) -> None:
        fields: dict[str, Any] = {"code": code, "message": message}
        if hint is not None:
            fields["hint"] = hint
        if data:
            fields["data"] = data
        self.events.emit("warning", **fields)

    @property
    def images(self) -> Iterator[Sample]:
        """Images of this verb, in list order; progress and stop are handled between them."""
        samples = self._samples()
        for position, sample in enumerate(samples):
            self.stop.check()
            if not self.quiet:
                self.events.progress("image", position, len(samples), None)
            yield sample
        if not self.quiet:
            self.events.progress("image", len(samples), len(samples), 0)

    def _samples(self) -> list[Sample]:
        if self.job.command != "predict":
            return list(self.dataset.split(self.split).samples())
        source = self.job.path(str(self.job.predict.get("source", "input/images")))
        if not source.is_dir():
            raise InputError(f"the folder of images {source.name} is missing", None, "input.checkpoint_missing")
        files = sorted(file for file in source.rglob("*") if file.is_file() and file.suffix.lower() in IMAGE_SUFFIXES)
        return [Sample(file.relative_to(source).as_posix(), file) for file in files]

    @property
    def threshold(self) -> float:
        """Lowest score that is kept: what the job asks for, else 0.001 for evaluate (average precision needs the low ones) and 0.25 for
        predict; 0 for classes."""
        asked = (self.job.predict if self.job.command == "predict" else self.job.evaluate).get("threshold")
        if asked is not None:
            return float(asked)
        if self.job.task in ("classify", "semantic"):
            return 0.0
        return 0.25 if self.job.command == "predict" else 0.001

    @property
    def iou(self) -> float:
        """Overlap above which two boxes of a class count as one: what the job asks for, else 0.7."""
        asked = (self.job.predict if self.job.command == "predict" else self.job.evaluate).get("iou")
        return 0.7 if asked is None else float(asked)

    @property
    def max_detections(self) -> int:
        return int(self.job.predict.get("maxDetections") or 300)

    @property
    def top_k(self) -> int:
        return int(self.job.predict.get("topK") or 5)

    def prediction(
        self, image: Sample, scores: Sequence[float] | None = None, classes: Sequence[Any] | None = None,
        instances: Sequence[Mapping[str, Any]] | None = None, mask: Any = None,
        ms: Mapping[str, float] | None = None, size: tuple[int, int] | None = None, **fields: Any,
    ) -> None:  # fmt: skip
        """One line of predictions.jsonl, in pixels of the original image.

        classify: `scores` (one probability per class) or `classes` ((class, score) pairs). detect, segment, pose, obb: `instances`, each
        `{class, score, box?, mask?, keypoints?, obb?}`; they are sorted, cut at `threshold` and `max_detections` here. semantic: `mask`, uint8 of
        height x width in the size of the original; it becomes masks/NNNN.png. `ms`: milliseconds of pre, infer, post.
        """
        width, height = size or self.size_of(image)
        line: dict[str, Any] = {"image": image.image, "width": width, "height": height}
        if ms is not None:
            line["ms"] = {key: round(value, 3) for key, value in ms.items()}
        if scores is not None or classes is not None:
            line["classes"], ranked = class_entries(scores, classes, self.top_k)
            if image.label is not None and ranked:
                self._rows.append((image.label, ranked))
        if instances is not None:
            line["instances"] = instance_entries(instances, self.threshold, self.max_detections, (width, height))
        if mask is not None:
            line["mask"] = mask if isinstance(mask, str) else self._masks.write(mask, (width, height))
        line.update(fields)
        if self._file is None:
            self._file = (self.job.output / "predictions.jsonl").open("w", encoding="utf-8")
        self._file.write(json.dumps(finite(line), separators=(",", ":")) + "\n")
        self._count += 1

    def size_of(self, image: Sample) -> tuple[int, int]:
        """Width and height of an image; (0, 0) when it cannot be read."""
        try:
            return image.size
        except (ImageProblem, OSError):
            return 0, 0

    def grey(self, image: Sample, side: int) -> list[float] | None:
        """`side`×`side` grey values in 0–1; None (and a counted warning) when it cannot be read. Other files than PNG need Pillow."""
        try:
            return read_pixels(image.path).grey(side)
        except (ImageProblem, OSError) as error:
            self.skip(image, str(error))
            return None

    def grey_images(self, side: int) -> Iterator[tuple[Sample, list[float]]]:
        """`images` with their grey values; unreadable ones are skipped and counted."""
        for image in self.images:
            values = self.grey(image, side)
            if values is not None:
                yield image, values

    def grey_samples(self, split: str, side: int) -> list[tuple[list[float], int]]:
        """(grey values, label) of every readable image of a split."""
        pairs = ((self.grey(sample, side), sample.label) for sample in self.dataset.split(split).samples())
        return [(values, label) for values, label in pairs if values is not None and label is not None]

    def skip(self, image: Sample, why: str) -> None:
        """An image that could not be read: counted, warned about once at the end, and never a reason to fail."""
        self._tell_skipped(f"{image.image} was skipped: {why}")

    def _skip_problem(self, problem: Problem) -> None:
        if problem.path not in self._left_out:
            self._left_out.add(problem.path or "")
            self._tell_skipped(problem.message.replace("cannot be decoded", "was skipped"))

    def _tell_skipped(self, message: str) -> None:
        self._skipped += 1
        if self._skipped <= 3:
            self.warn("images_skipped", message, "Replace or remove the file.")

    def report(
        self, metrics: Mapping[str, float | None], per_class: Any = None, confusion: Any = None, curves: Any = None, **more: Any
    ) -> None:
        """The trainer's own result; for classify alone it may be left out, the SDK computes it from the predictions.

        `per_class`: entries `{index, name, support, ap50, …}`; `confusion`: `{labels, matrix}`, rows = truth; `curves`: name -> list of
        `{class, x, y}`, cut to 201 points here; `threshold` and others go into metrics.json as they are.
        """
        if confusion is not None and len(confusion["matrix"]) > MAX_CONFUSION:
            confusion = None
        extra = {"perClass": per_class, "confusion": confusion, "curves": short_curves(curves), **more}
        self.reported = {"metrics": dict(metrics), **{key: value for key, value in extra.items() if value is not None}}

    def finish_predictions(self) -> Path | None:
        if self._file is None:
            return None
        self._file.close()
        self._file = None
        if self._skipped > 3:
            self.warn("images_skipped", f"{self._skipped} images were skipped.")
        return self.job.output / "predictions.jsonl"

    def write_metrics(self, primary: str, direction: str) -> dict[str, float | None]:
        """metrics.json of what was predicted or reported."""
        result = self.reported
        if result is None or not result["metrics"]:
            if self.job.task != "classify":
                hint = "Call run.report(metrics) in the evaluate function; only classify is computed from the predictions."
                raise Unsupported(f"the trainer reported no metrics of {self.job.task}", hint)
            computed = classification_metrics(self.classes, self._rows)
            result = {**computed, **{key: value for key, value in (result or {}).items() if key != "metrics"}}
        self.report_metrics = dict(result["metrics"])
        value = self.report_metrics.get(primary)
        write_json(
            self.job.output / "metrics.json",
            {
                "schema": "metrics@1", "task": self.job.task, "split": self.split, "images": self._count or len(self._samples()),
                "primary": {"name": primary, "value": value, "direction": direction}, **result,
            },
        )  # fmt: skip
        return self.report_metrics
