"""Rows of numbers as the four YOLO formats share them; the same rules as plugin-sdk/src/dataset/formats/yolo-*.ts."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from ._objects import Object, bounds
from ._problems import Report, error

_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_SHAPES = {
    "yolo-detect@1": "class cx cy w h",
    "yolo-segment@1": "class x1 y1 x2 y2 x3 y3 …",
    "yolo-obb@1": "class x1 y1 x2 y2 x3 y3 x4 y4",
}


def read_rows(format_: str, text: str, file: str, size: tuple[int, int], classes: int, points: int, report: Report) -> list[Object]:
    """Objects of one label file; every problem is reported with its line and its row is left out."""
    shape = _SHAPES.get(format_, f"class cx cy w h and x y v for each of {points} points")
    seen: dict[str, int] = {}
    kinds: set[bool] = set()
    found: list[Object] = []
    for number, raw in enumerate(text.split("\n"), 1):
        words = raw.split()
        if not words:
            continue
        where, row = f"{file}:{number}", " ".join(words)
        if row in seen:
            report(error("dataset.format", f"the row is the same as row {seen[row]}", where, "Keep one of them."))
            continue
        seen[row] = number
        kinds.add(len(words) == 5)
        values = [float(word) if _NUMBER.fullmatch(word) else math.nan for word in words]
        strange = next((word for word, value in zip(words, values, strict=True) if not math.isfinite(value)), None)
        if strange is not None:
            report(error("dataset.label_range", f'"{strange[:40]}" is not a finite number', where, "Write plain numbers such as 0.25."))
            continue
        if not _fits(format_, len(words)):
            mixed = len(kinds) == 2 and (len(words) == 5 or (len(words) >= 7 and len(words) % 2 == 1))
            text_ = "the file mixes box rows and polygon rows" if mixed else f"the row has {len(words)} columns; expected: {shape}"
            hint = "Use one kind of row in the whole dataset." if mixed else f"Write {shape}."
            report(error("dataset.format", text_, where, hint))
            continue
        index = values[0]
        if index != int(index) or not 0 <= index < classes:
            message = f"class {words[0]} is not in dataset.json, which has classes 0 to {classes - 1}"
            report(error("dataset.label_range", message, where, "Mend the number or add the class."))
            continue
        if (made := _object(format_, int(index), values[1:], size, points, where, report)) is not None:
            found.append(made)
    return found


def _fits(format_: str, columns: int) -> bool:
    if format_ == "yolo-detect@1":
        return columns == 5
    if format_ == "yolo-segment@1":
        return columns >= 7 and columns % 2 == 1
    if format_ == "yolo-obb@1":
        return columns == 9
    return columns >= 5 and (columns - 5) % 3 == 0


def _object(format_: str, index: int, values: list[float], size: tuple[int, int], points: int, where: str, report: Report) -> Object | None:
    width, height = size
    pose = format_ == "yolo-pose@1"
    outside = next((v for at, v in enumerate(values) if not (pose and at >= 4 and at % 3 == 0) and not 0 <= v <= 1), None)
    if outside is not None:
        hint = "Divide by the width or height of the image and cut at its border."
        report(error("dataset.label_range", f"the coordinate {outside:g} is outside 0 to 1", where, hint))
        return None
    if format_ in ("yolo-segment@1", "yolo-obb@1"):
        xs, ys = [x * width for x in values[::2]], [y * height for y in values[1::2]]
        if format_ == "yolo-obb@1":
            return Object(index, bounds(xs, ys), obb=list(zip(xs, ys, strict=True)))
        ring = [value for pair in zip(xs, ys, strict=True) for value in pair]
        return Object(index, bounds(xs, ys), polygon=[ring])
    box = _box(values, width, height)
    if not pose:
        return Object(index, box)
    if (count := (len(values) - 4) // 3) != points:
        hint = f"Write {points} points; 0 0 0 for one that is absent."
        report(error("dataset.format", f"the row has {count} points; dataset.json names {points}", where, hint))
        return None
    keypoints: list[tuple[float, float, int]] = []
    for at in range(4, len(values), 3):
        if values[at + 2] not in (0, 1, 2):
            message, hint = f"visibility {values[at + 2]:g} of a point is none of 0, 1, 2", "Write 0 for absent, 1 for hidden, 2 for visible."
            report(error("dataset.label_range", message, where, hint))
            return None
        keypoints.append((values[at] * width, values[at + 1] * height, int(values[at + 2])))
    return Object(index, box, keypoints=keypoints)


def _box(values: Sequence[float], width: int, height: int) -> tuple[float, float, float, float]:
    cx, cy, w, h = values[:4]
    return ((cx - w / 2) * width, (cy - h / 2) * height, (cx + w / 2) * width, (cy + h / 2) * height)
