"""Finds all problems of an `imagefolder@1` dataset without a framework (contract.md 6.3)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._dataset import Dataset, Split, label_of, open_dataset, safe_path
from ._errors import DatasetError
from ._images import ImageProblem, check_image

MAX_PROBLEMS = 200


@dataclass(frozen=True)
class Problem:
    code: str
    severity: str
    message: str
    hint: str | None = None
    path: str | None = None

    def as_dict(self) -> dict[str, Any]:
        fields = {"code": self.code, "severity": self.severity, "message": self.message, "hint": self.hint, "path": self.path}
        return {key: value for key, value in fields.items() if value is not None}


def _error(code: str, message: str, path: str | None = None, hint: str | None = None) -> Problem:
    return Problem(code, "error", message, hint, path)


def find_problems(root: Path, format_: str | None, decode: bool, safe_point: Callable[[], None]) -> list[Problem]:
    """At most 200 problems, errors first. `decode` also reads every image; without it only names, labels and counts are judged."""
    try:
        dataset = open_dataset(root, format_)
    except DatasetError as error:
        return [_error(error.code, error.message, "dataset.json", error.hint)]
    problems: list[Problem] = []
    for name in ("train", "val"):
        if name not in dataset.raw["splits"]:
            problems.append(_error("dataset.empty_split", f"split {name} is missing", "dataset.json"))
    digests: dict[str, dict[str, str]] = {}
    for name in dataset.raw["splits"]:
        try:
            split = dataset.split(name)
            digests[name] = _split_problems(dataset, split, decode, problems, safe_point)
        except DatasetError as error:
            problems.append(_error(error.code, error.message, None, error.hint))
    problems += _overlaps(digests)
    problems.sort(key=lambda problem: problem.severity != "error")
    return problems[:MAX_PROBLEMS]


def _split_problems(
    dataset: Dataset, split: Split, decode: bool, problems: list[Problem], safe_point: Callable[[], None]
) -> dict[str, str]:
    dirs = {entry.dir: entry.index for entry in dataset.classes}
    counts = [0] * len(dataset.classes)
    digests: dict[str, str] = {}
    listed: set[str] = set()
    if not split.paths:
        problems.append(_error("dataset.empty_split", f"split {split.name} has no image"))
        return digests
    expected = split.entry.get("count")
    if isinstance(expected, int) and expected != len(split.paths):
        message = f"split {split.name} lists {len(split.paths)} images, dataset.json says {expected}"
        problems.append(_error("dataset.format", message, "dataset.json"))
    for image in split.paths:
        safe_point()
        if image in listed:
            problems.append(_error("dataset.format", f"{image} is listed twice in {split.name}", image, "Keep one line."))
            continue
        listed.add(image)
        label = label_of(image, dirs)
        if label is None:
            hint = f"Class folders: {', '.join(list(dirs)[:10])}."
            problems.append(_error("dataset.class_mismatch", f"{image} is in no class folder of dataset.json", image, hint))
        else:
            counts[label] += 1
        file = dataset.root / safe_path(image)
        if not file.is_file():
            problems.append(_error("dataset.missing", f"image {image} is missing", image))
            continue
        if not decode:
            continue
        try:
            check_image(file)
        except (ImageProblem, OSError) as error:
            problems.append(_error("dataset.corrupt_image", f"{image} cannot be decoded: {error}", image, "Replace or remove it."))
        digests.setdefault(hashlib.sha256(file.read_bytes()).hexdigest(), image)
    problems += _missing_classes(dataset, split.name, counts)
    return digests


def _missing_classes(dataset: Dataset, split: str, counts: list[int]) -> list[Problem]:
    absent = [entry.name for entry in dataset.classes if counts[entry.index] == 0]
    if split == "train":
        hint = "Add images of it to train or remove it from dataset.json."
        return [_error("dataset.no_labels", f"class {name} has no image in train", None, hint) for name in absent]
    if split == "val":
        return [Problem("class_missing_in_val", "warning", f"class {name} has no image in val") for name in absent]
    return []


def _overlaps(digests: dict[str, dict[str, str]]) -> list[Problem]:
    found: list[Problem] = []
    names = list(digests)
    for position, first in enumerate(names):
        for second in names[position + 1 :]:
            for digest in digests[first].keys() & digests[second].keys():
                a, b = digests[first][digest], digests[second][digest]
                message = f"{a} in {first} and {b} in {second} are the same image"
                found.append(_error("dataset.format", message, b, "Remove it from one of the two splits."))
    return found
