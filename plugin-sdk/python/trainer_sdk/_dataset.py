"""dataset.json and its files: class order, splits as lists, samples of `imagefolder@1` (contract.md 6)."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from ._errors import DatasetError
from ._images import image_size
from ._vocabulary import IMAGE_SUFFIXES


@dataclass(frozen=True)
class ClassEntry:
    index: int
    name: str
    dir: str


@dataclass(frozen=True)
class Sample:
    """One image. `image` is the path relative to the dataset (or to the images of `predict`); label is None when there is none."""

    image: str
    path: Path
    label: int | None = None

    @property
    def size(self) -> tuple[int, int]:
        return image_size(self.path)


@dataclass(frozen=True)
class Split:
    name: str
    root: Path
    entry: dict[str, Any]
    classes: tuple[ClassEntry, ...]

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """Image paths in the order of the split's list; without a list, the files below its folders in name order."""
        listed = self.entry.get("list")
        if listed is not None:
            file = self.root / safe_path(str(listed))
            if not file.is_file():
                raise DatasetError(f"the list {listed} of split {self.name} is missing", None, "dataset.missing")
            lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
            return tuple(line for line in lines if line)
        base = self.root / safe_path(str(self.entry.get("images", self.name)))
        files = sorted(file for file in base.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file())
        return tuple(file.relative_to(self.root).as_posix() for file in files)

    def samples(self) -> Iterator[Sample]:
        """Labelled samples; raises DatasetError for an image outside the folders of dataset.json."""
        dirs = {entry.dir: entry.index for entry in self.classes}
        for image in self.paths:
            label = label_of(image, dirs)
            if label is None:
                known = ", ".join(list(dirs)[:10])
                raise DatasetError(f"{image} is in no class folder", f"Class folders: {known}.", "dataset.class_mismatch")
            yield Sample(image, self.root / safe_path(image), label)

    def __len__(self) -> int:
        return len(self.paths)


@dataclass(frozen=True)
class Dataset:
    root: Path
    raw: dict[str, Any]
    classes: tuple[ClassEntry, ...]

    def split(self, name: str) -> Split:
        splits = self.raw.get("splits", {})
        if name not in splits:
            hint = f"Splits here: {', '.join(splits)}."
            raise DatasetError(f"the dataset has no split {name}", hint, "dataset.empty_split")
        return Split(name, self.root, splits[name], self.classes)

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
    except ValueError as error:
        raise DatasetError(f"dataset.json is not JSON: {error}") from None
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
    return Dataset(root, raw, tuple(classes))
