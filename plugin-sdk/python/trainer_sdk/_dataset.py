"""dataset.json and its files: class order, splits as lists, samples of all seven formats (contract.md 6)."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from ._coco import open_coco
from ._errors import DatasetError
from ._images import ImageProblem, image_size
from ._objects import Keypoints, Object, keypoints_of
from ._problems import Problem, Report, error, raise_problem
from ._vocabulary import IMAGE_SUFFIXES
from ._yolo import read_rows


@dataclass(frozen=True)
class ClassEntry:
    index: int
    name: str
    dir: str


@dataclass(frozen=True)
class Sample:
    """One image. `image` is the path relative to the dataset (or to the images of `predict`); everything else lies in pixels of the original.

    `label`: class index (imagefolder@1); `objects`: what is on it (yolo-*@1, coco@1; empty = background); `mask`: file of `mask-png@1`.
    """

    image: str
    path: Path
    label: int | None = None
    objects: tuple[Object, ...] = ()
    mask: Path | None = None
    known_size: tuple[int, int] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, from the header."""
        return self.known_size or image_size(self.path)


@dataclass(frozen=True)
class Split:
    name: str
    root: Path
    entry: dict[str, Any]
    classes: tuple[ClassEntry, ...]
    dataset: Dataset

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """Image paths in the order of the split's list; without a list, the files below its folders in name order."""
        return tuple(path for path, _ in self.lines)

    @cached_property
    def lines(self) -> tuple[tuple[str, int], ...]:
        """The same with the line in the list, from 1."""
        listed = self.entry.get("list")
        if listed is not None:
            file = self.root / safe_path(str(listed))
            if not file.is_file():
                raise DatasetError(f"the list {listed} of split {self.name} is missing", "Write the image paths into it.", "dataset.missing")
            lines = ((line.strip(), number) for number, line in enumerate(file.read_text(encoding="utf-8").split("\n"), 1))
            return tuple(line for line in lines if line[0])
        base = self.root / safe_path(str(self.entry.get("images", self.name)))
        files = sorted(file for file in base.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file())
        return tuple((file.relative_to(self.root).as_posix(), number) for number, file in enumerate(files, 1))

    def samples(self) -> Iterator[Sample]:
        """Labelled samples in list order. An image that cannot be read is left out and told to `dataset.on_skip`; everything else that is
        wrong raises DatasetError, naming file and line."""

        def report(problem: Problem) -> None:
            if problem.code != "dataset.corrupt_image":
                raise_problem(problem)
            elif self.dataset.on_skip is not None:
                self.dataset.on_skip(problem)

        return self.read(report)

    def read(self, report: Report, sizes: bool = False) -> Iterator[Sample]:
        """Every problem goes to `report`, what it belongs to is left out. `sizes` = read the header even where the labels need no size."""
        dataset, format_ = self.dataset, self.dataset.format
        coco = self._open_coco(report) if format_ == "coco@1" else None
        if format_ == "coco@1" and coco is None:
            return
        dirs = {entry.dir: entry.index for entry in self.classes}
        points = len(dataset.keypoints) if dataset.keypoints is not None else 0
        for image, path, size in self._present(report, sizes or format_ != "imagefolder@1"):
            if format_ == "imagefolder@1":
                label = label_of(image, dirs)
                if label is None:
                    hint = f"Class folders: {', '.join(list(dirs)[:10])}."
                    report(error("dataset.class_mismatch", f"{image} is in no class folder of dataset.json", image, hint))
                else:
                    yield Sample(image, path, label, known_size=size)
            elif coco is not None:
                yield Sample(image, path, objects=tuple(coco.objects(image, size or (0, 0))), known_size=size)
            elif format_ == "mask-png@1":
                mask = self._mask(image, size or (0, 0), report)
                if mask is not None:
                    yield Sample(image, path, mask=mask, known_size=size)
            else:
                relative = self.beside(image, "labels", "txt")
                text = self._text(relative)
                rows = read_rows(format_, text, relative, size or (0, 0), len(self.classes), points, report) if text is not None else []
                yield Sample(image, path, objects=tuple(rows), known_size=size)

    def beside(self, image: str, folder: str, ending: str) -> str:
        """The annotation file of an image: `images/train/a/x.jpg` → `labels/train/a/x.txt`."""
        images, annotations = self.entry.get("images"), self.entry.get("annotations")
        stem = re.sub(r"\.[^./]+$", "", image)
        if images is not None and annotations is not None and stem.startswith(f"{images}/"):
            return f"{annotations}{stem[len(images):]}.{ending}"
        return re.sub(r"(^|/)images/", rf"\1{folder}/", stem, count=1) + f".{ending}"

    def _present(self, report: Report, sizes: bool) -> Iterator[tuple[str, Path, tuple[int, int] | None]]:
        listed: dict[str, int] = {}
        source = str(self.entry.get("list", "dataset.json"))
        for image, line in self.lines:
            if image in listed:
                report(error("dataset.format", f"{image} is listed twice in {self.name}", f"{source}:{line}", "Keep one of the lines."))
                continue
            listed[image] = line
            path = self.root / safe_path(image)
            if not path.is_file():
                hint = f"Add it or take line {line} off {source}."
                report(error("dataset.missing", f"image {image} is missing ({source}:{line})", image, hint))
                continue
            try:
                size = _size(path) if sizes else None
            except (ImageProblem, OSError) as wrong:
                report(corrupt(image, f"{wrong}"))
                continue
            yield image, path, size

    def _mask(self, image: str, size: tuple[int, int], report: Report) -> Path | None:
        relative = self.beside(image, "masks", "png")
        path = self.root / safe_path(relative)
        if not path.is_file():
            hint = "Save it as an 8-bit PNG with one channel whose values are class indices."
            report(error("dataset.missing", f"the mask of {image} is missing", relative, hint))
            return None
        try:
            width, height = _size(path)
        except (ImageProblem, OSError) as wrong:
            report(error("dataset.format", f"the mask of {image} cannot be read: {wrong}", relative, "Save it as an 8-bit PNG with one channel."))
            return None
        if (width, height) != size:
            message = f"the mask is {width} x {height}, the image {image} is {size[0]} x {size[1]}"
            report(error("dataset.format", message, relative, "Save the mask in the size of the image, without smoothing."))
            return None
        return path

    def _open_coco(self, report: Report) -> Any:
        dataset = self.dataset
        points = len(dataset.keypoints) if dataset.keypoints is not None else 0
        file = str(self.entry.get("annotations", f"annotations/{self.name}.json"))
        return open_coco(file, self._text, dataset.names, dataset.task, points, str(self.entry.get("images", "")), report)

    def _text(self, relative: str) -> str | None:
        path = self.root / safe_path(relative)
        return path.read_bytes().decode("utf-8", "replace").lstrip("\ufeff") if path.is_file() else None

    def __len__(self) -> int:
        return len(self.paths)


@dataclass(frozen=True)
class Dataset:
    root: Path
    raw: dict[str, Any]
    classes: tuple[ClassEntry, ...]
    format: str = "imagefolder@1"
    #: Called for each image that `samples()` leaves out because it cannot be read.
    on_skip: Callable[[Problem], None] | None = field(default=None, compare=False)

    def split(self, name: str) -> Split:
        splits = self.raw.get("splits", {})
        if name not in splits:
            hint = f"Splits here: {', '.join(splits)}."
            raise DatasetError(f"the dataset has no split {name}", hint, "dataset.empty_split")
        return Split(name, self.root, splits[name], self.classes, self)

    @property
    def train(self) -> Split:
        return self.split("train")

    @property
    def val(self) -> Split:
        return self.split("val")

    @property
    def test(self) -> Split:
        return self.split("test")

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(entry.name for entry in self.classes)

    @property
    def task(self) -> str:
        """Task of this view of the data; decides what a coco@1 annotation must hold."""
        return str(self.raw.get("task", ""))

    @cached_property
    def keypoints(self) -> Keypoints | None:
        """Pose only: names, skeleton, flip_index, sigmas."""
        return keypoints_of(self.raw.get("keypoints"))


def corrupt(image: str, why: str) -> Problem:
    return error("dataset.corrupt_image", f"{image} cannot be decoded: {why}", image, f"Replace or remove {image}.")


def _size(path: Path) -> tuple[int, int]:
    try:
        return image_size(path)
    except (ValueError, IndexError, ArithmeticError) as wrong:
        raise ImageProblem(str(wrong)) from None


def safe_path(relative: str) -> PurePosixPath:
    pure = PurePosixPath(relative)
    if pure.is_absolute() or ".." in pure.parts or "\\" in relative:
        raise DatasetError(f"the path {relative} leaves the dataset", "Use paths below the dataset's folder.")
    return pure


def label_of(image: str, dirs: dict[str, int]) -> int | None:
    """Class index by the image's folder: `<split>/<dir>/<file>`, where dir may itself have several parts."""
    parts = PurePosixPath(image).parts[:-1]
    for start in range(1, len(parts)):
        found = dirs.get("/".join(parts[start:]))
        if found is not None:
            return found
    return dirs.get(parts[-1]) if parts else None


def open_dataset(root: Path, format_: str | None = None) -> Dataset:
    """Reads dataset.json; raises DatasetError when it is missing or breaks its rules."""
    file = root / "dataset.json"
    if not file.is_file():
        raise DatasetError("dataset.json is missing", "The dataset folder must hold dataset.json.", "dataset.missing")
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as wrong:
        raise DatasetError(f"dataset.json is not JSON: {wrong}") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("classes"), list) or not isinstance(raw.get("splits"), dict):
        raise DatasetError("dataset.json lacks classes or splits")
    if format_ is not None and raw.get("format", format_) != format_:
        raise DatasetError(f"the dataset is {raw['format']}, the job says {format_}")
    classes: list[ClassEntry] = []
    seen: set[str] = set()
    for position, entry in enumerate(raw["classes"]):
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise DatasetError(f"class {position} of dataset.json has no name", None, "dataset.class_mismatch")
        if entry.get("index") != position:
            hint = "Class indices run from 0 without gaps, in order."
            raise DatasetError(f"class {entry['name']} has index {entry.get('index')}, expected {position}", hint, "dataset.class_mismatch")
        name = unicodedata.normalize("NFC", entry["name"])
        if name in seen:
            raise DatasetError(f"class name {name} is given twice", None, "dataset.class_mismatch")
        seen.add(name)
        classes.append(ClassEntry(position, entry["name"], str(entry.get("dir", entry["name"]))))
    if not classes:
        raise DatasetError("dataset.json names no class", None, "dataset.no_labels")
    dataset = Dataset(root, raw, tuple(classes), str(raw.get("format") or format_ or "imagefolder@1"))
    try:
        points = dataset.keypoints
    except (AttributeError, IndexError, TypeError, ValueError):
        raise DatasetError("keypoints of dataset.json lacks names or has the wrong form", "Write names, flipIndex, skeleton and sigmas.") from None
    if dataset.format == "yolo-pose@1" and not points:
        raise DatasetError("dataset.json of a pose dataset names no keypoints", "Add keypoints with names and flipIndex.")
    if points and (sorted(points.flip_index) != list(range(len(points))) or len(points.sigmas) != len(points)):
        raise DatasetError("flipIndex or sigmas of dataset.json do not fit the names of the points", "One number for each point.")
    return dataset
