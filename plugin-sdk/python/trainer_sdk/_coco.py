"""coco@1: images, and one JSON file of annotations by split; categories by name. The same rules as plugin-sdk/src/dataset/formats/coco*.ts."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from ._objects import Object, bounds, check_runs, runs_box, unpack_counts
from ._problems import Problem, Report, error

Entry = Mapping[str, Any]
_SLACK = 0.5


class _Complaint(Exception):
    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.code, self.message, self.hint = code, message, hint


@dataclass
class CocoSplit:
    """One annotation file, opened: `objects(image)` gives what is on a listed image."""

    file: str
    text: str
    task: str
    points: int
    images: str
    report: Report
    classes: dict[Any, int] = field(default_factory=dict)
    by_image: dict[Any, list[tuple[int, Entry]]] = field(default_factory=dict)
    id_by_name: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def _lines(self) -> dict[str, list[int]]:
        return {name: _lines_of(self.text, name) for name in ("annotations", "categories")}

    def complain(self, list_: str, at: int, code: str, message: str, hint: str) -> None:
        lines = self._lines[list_]
        path = f"{self.file}:{lines[at]}" if at < len(lines) else self.file
        self.report(error(code, message, path, hint, f"/{list_}/{at}"))

    def objects(self, image: str, size: tuple[int, int]) -> list[Object]:
        relative = image[len(self.images) + 1 :] if image.startswith(f"{self.images}/") else image
        names = (relative, image, PurePosixPath(image).name)
        id_ = next((self.id_by_name[name] for name in names if name in self.id_by_name), None)
        found: list[Object] = []
        seen: set[str] = set()
        for at, entry in self.by_image.get(id_, []):
            same = json.dumps({key: value for key, value in entry.items() if key != "id"}, sort_keys=True)
            if same in seen:
                self.complain("annotations", at, "dataset.format", "the annotation is the same as an earlier one", "Keep one of them.")
                continue
            seen.add(same)
            index = self.classes.get(_key(entry.get("category_id")))
            if index is None:
                continue
            try:
                found.append(_object(entry, index, size, self.task, self.points))
            except _Complaint as wrong:
                self.complain("annotations", at, wrong.code, wrong.message, wrong.hint)
        return found


def open_coco(file: str, read: Callable[[str], str | None], names: Sequence[str], task: str, points: int, images: str, report: Report) -> CocoSplit | None:
    """None, after a report, when the file is missing or is no COCO file."""
    text = read(file)
    raw = _parse(text) if text is not None else None
    if text is None or raw is None:
        message = "the annotations are missing" if text is None else "this is not a COCO file"
        code = "dataset.missing" if text is None else "dataset.format"
        report(Problem(code, "error", message, "Write a JSON file with images, annotations and categories.", file))
        return None
    split = CocoSplit(file, text, task, points, images, report)
    by_name = {unicodedata.normalize("NFC", name): index for index, name in enumerate(names)}
    categories = set()
    for at, category in enumerate(raw["categories"]):
        name = category.get("name") if isinstance(category.get("name"), str) else ""
        index = by_name.get(unicodedata.normalize("NFC", name))
        key = _key(category.get("id"))
        categories.add(key)
        if index is not None:
            split.classes[key] = index
        else:
            split.complain("categories", at, "dataset.class_mismatch", f'the category "{name}" is no class of dataset.json', "Add the class or take it out.")
    ids = {_key(image.get("id")) for image in raw["images"]}
    for at, entry in enumerate(raw["annotations"]):
        category, image = entry.get("category_id"), entry.get("image_id")
        if _key(category) not in categories:
            split.complain("annotations", at, "dataset.label_range", f"category {json.dumps(category)} is not in the list of categories", "Mend the id or add the category.")
        if _key(image) not in ids:
            split.complain("annotations", at, "dataset.missing", f"image {json.dumps(image)} is not in the list of images", "Mend the id or add the image.")
        split.by_image.setdefault(_key(image), []).append((at, entry))
    for image in raw["images"]:
        split.id_by_name[str(image.get("file_name", ""))] = _key(image.get("id"))
    return split


def _key(value: Any) -> Any:
    """Ids as dictionary keys: 1 and true are different, lists are text."""
    return (type(value).__name__ if isinstance(value, bool) else "", value) if isinstance(value, (int, float, str)) else json.dumps(value)


def _parse(text: str) -> dict[str, list[Entry]] | None:
    def refuse(word: str) -> None:
        raise ValueError(f"{word} is not JSON")

    try:
        raw = json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        return None
    if not isinstance(raw, dict) or not isinstance(raw.get("images"), list) or not isinstance(raw.get("categories"), list):
        return None
    lists = {name: raw.get(name) for name in ("images", "annotations", "categories")}
    return {name: [entry if isinstance(entry, dict) else {} for entry in (value if isinstance(value, list) else [])] for name, value in lists.items()}


def _numbers(value: Any) -> list[float] | None:
    if not isinstance(value, list) or any(isinstance(item, bool) or not isinstance(item, (int, float)) for item in value):
        return None
    return value


def _object(entry: Entry, index: int, size: tuple[int, int], task: str, points: int) -> Object:
    box = _box(entry.get("bbox"), size)
    crowd = entry.get("iscrowd") == 1
    if task == "pose":
        if box is None:
            raise _missing("bbox")
        return Object(index, box, keypoints=_points(entry.get("keypoints"), points, size), crowd=crowd)
    shape = entry.get("segmentation")
    if task != "detect" and isinstance(shape, dict):
        rle = _runs(shape, size)
        return Object(index, box or runs_box(rle["size"], rle["counts"]), rle=rle, crowd=crowd)
    if task != "detect" and isinstance(shape, list) and shape:
        rings = [_ring(part, size) for part in shape]
        flat = [value for ring in rings for value in ring]
        return Object(index, bounds(flat[::2], flat[1::2]), polygon=rings, crowd=crowd)
    if task != "detect" or box is None:
        raise _missing("bbox" if task == "detect" else "segmentation")
    return Object(index, box, crowd=crowd)


def _missing(name: str) -> _Complaint:
    return _Complaint("dataset.format", f"the annotation has no {name}", f"Add {name} to each annotation.")


def _check(values: Sequence[float], size: tuple[int, int]) -> None:
    """`values` are x y x y …"""
    strange = next((value for value in values if not math.isfinite(value)), None)
    if strange is not None:
        raise _Complaint("dataset.label_range", f"{strange} is not a finite number", "Write plain numbers of pixels.")
    outside = next((value for at, value in enumerate(values) if not -_SLACK <= value <= size[at % 2] + _SLACK), None)
    if outside is not None:
        message = f"the coordinate {outside:g} lies outside the image of {size[0]} x {size[1]}"
        raise _Complaint("dataset.label_range", message, "Cut the shape at the border of the image.")


def _box(value: Any, size: tuple[int, int]) -> tuple[float, float, float, float] | None:
    if value is None:
        return None
    numbers = _numbers(value)
    if numbers is None or len(numbers) != 4:
        raise _Complaint("dataset.format", "bbox is not x y width height", "Write four numbers.")
    x, y, w, h = numbers
    _check([x, y, x + w, y + h], size)
    if w < 0 or h < 0:
        hint = "Write x y of the upper left corner, then the size."
        raise _Complaint("dataset.label_range", "bbox has a negative width or height", hint)
    return (float(x), float(y), float(x + w), float(y + h))


def _points(value: Any, count: int, size: tuple[int, int]) -> list[tuple[float, float, int]]:
    numbers = _numbers(value)
    if numbers is None or len(numbers) != 3 * count:
        message = f"the annotation has {len(numbers or []) / 3:g} points; dataset.json names {count}"
        raise _Complaint("dataset.format", message, f"Write x y v for {count} points; 0 0 0 for an absent one.")
    found: list[tuple[float, float, int]] = []
    for at in range(0, len(numbers), 3):
        x, y, seen = numbers[at : at + 3]
        if seen not in (0, 1, 2):
            message = f"visibility {seen:g} of a point is none of 0, 1, 2"
            raise _Complaint("dataset.label_range", message, "Write 0 absent, 1 hidden, 2 visible.")
        _check([x, y], size)
        found.append((float(x), float(y), int(seen)))
    return found


def _ring(part: Any, size: tuple[int, int]) -> list[float]:
    numbers = _numbers(part)
    if numbers is None or len(numbers) < 6 or len(numbers) % 2:
        raise _Complaint("dataset.format", "a polygon is not a list of three or more x y pairs", "Write x1 y1 x2 y2 x3 y3 …")
    _check(numbers, size)
    return [float(value) for value in numbers]


def _runs(packed: Entry, size: tuple[int, int]) -> dict[str, Any]:
    counts, sides = packed.get("counts"), _numbers(packed.get("size")) or []
    try:
        runs = unpack_counts(counts) if isinstance(counts, str) else [int(run) for run in _numbers(counts) or []]
        if len(sides) != 2 or (sides[1], sides[0]) != size:
            shown = f"{sides[1]:g} x {sides[0]:g}" if len(sides) == 2 else "without size"
            message = f"the mask is {shown}, the image {size[0]} x {size[1]}"
            raise _Complaint("dataset.format", message, "Encode the mask in the size of the image.")
        check_runs((size[1], size[0]), runs)
    except ValueError as wrong:
        raise _Complaint("dataset.format", str(wrong), "Encode the runs again; they fill the whole image.") from None
    return {"size": [size[1], size[0]], "counts": runs}


def _lines_of(text: str, name: str) -> list[int]:
    """Line of each entry of a top-level list; the text is valid JSON."""
    decoder = json.JSONDecoder()

    def skip(at: int) -> int:
        while text[at] in " \t\r\n,:":
            at += 1
        return at

    at = skip(0) + 1
    while text[at := skip(at)] != "}":
        key, at = decoder.raw_decode(text, at)
        at = skip(at)
        if key != name:
            _, at = decoder.raw_decode(text, at)
            continue
        lines: list[int] = []
        line, counted = 1, 0
        at += 1
        while text[at := skip(at)] != "]":
            line, counted = line + text.count("\n", counted, at), at
            lines.append(line)
            _, at = decoder.raw_decode(text, at)
        return lines
    return []
