"""What is on an image, whatever the format: boxes, rings, runs, points and turned boxes, all in pixels of the original image."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Box = tuple[float, float, float, float]
Point = tuple[float, float]


@dataclass(frozen=True)
class Object:
    """One labelled thing. `box` is always there (x1 y1 x2 y2); the rest is what the format has.

    `polygon`: rings as flat lists x1 y1 x2 y2 …, the form of predictions.jsonl and of COCO; `rle`: COCO runs as `{"size": [h, w], "counts": [...]}`;
    `keypoints`: (x, y, v) with v 0 absent, 1 hidden, 2 visible; `obb`: four corners in order around the box.
    """

    cls: int
    box: Box
    polygon: list[list[float]] | None = None
    keypoints: list[tuple[float, float, int]] | None = None
    obb: list[Point] | None = None
    rle: dict[str, Any] | None = None
    crowd: bool = False


@dataclass(frozen=True)
class Keypoints:
    """The points of a pose dataset. `flip_index[i]` is the point that takes the place of i in a mirrored image."""

    names: tuple[str, ...]
    skeleton: tuple[tuple[int, int], ...]
    flip_index: tuple[int, ...]
    sigmas: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.names)


def keypoints_of(raw: dict[str, Any] | None) -> Keypoints | None:
    """Of dataset.json's `keypoints`; sigmas default to 0.05, flipIndex to identity."""
    if not raw:
        return None
    names = tuple(str(name) for name in raw.get("names", []))
    flip = tuple(int(index) for index in raw.get("flipIndex", range(len(names))))
    skeleton = tuple((int(pair[0]), int(pair[1])) for pair in raw.get("skeleton", []))
    sigmas = tuple(float(value) for value in raw.get("sigmas") or [0.05] * len(names))
    return Keypoints(names, skeleton, flip, sigmas)


def bounds(xs: Sequence[float], ys: Sequence[float]) -> Box:
    return (min(xs), min(ys), max(xs), max(ys))


def unpack_counts(text: str) -> list[int]:
    """COCO's packed run lengths: six bits a character, differences to the run before last from the third on."""
    counts: list[int] = []
    at = 0
    while at < len(text):
        value = shift = 0
        while True:
            if at >= len(text):
                raise ValueError("The packed runs are cut off.")
            bits = ord(text[at]) - 48
            if not 0 <= bits <= 63:
                raise ValueError("The packed runs hold a strange character.")
            at += 1
            value |= (bits & 0x1F) << shift
            shift += 5
            if not bits & 0x20:
                if bits & 0x10:
                    value -= 1 << shift
                break
        counts.append(value + counts[-2] if len(counts) > 2 else value)
    return counts


def pack_counts(counts: Sequence[int]) -> str:
    """The opposite of `unpack_counts`."""
    text: list[str] = []
    for index, count in enumerate(counts):
        value = count - counts[index - 2] if index > 2 else count
        while True:
            bits = value & 0x1F
            value >>= 5
            more = value != -1 if bits & 0x10 else value != 0
            text.append(chr((bits | 0x20 if more else bits) + 48))
            if not more:
                break
    return "".join(text)


def check_runs(size: Sequence[int], counts: Sequence[int]) -> None:
    """Raises ValueError when the runs do not fill the size."""
    total = sum(counts)
    if any(isinstance(run, bool) or run != int(run) or run < 0 for run in counts) or total != size[0] * size[1]:
        raise ValueError(f"The runs cover {total} of {size[0] * size[1]} pixels.")


def runs_box(size: Sequence[int], counts: Sequence[int]) -> Box:
    """Bounds of the object's pixels; all zero when there are none."""
    height = size[0]
    x1, y1, x2, y2 = size[1], height, 0, 0
    at = 0
    for index, run in enumerate(counts):
        if index % 2 and run:
            first, last = at // height, (at + run - 1) // height
            x1, x2 = min(x1, first), max(x2, last + 1)
            top, bottom = (at % height, (at + run - 1) % height + 1) if first == last else (0, height)
            y1, y2 = min(y1, top), max(y2, bottom)
        at += run
    return (float(x1), float(y1), float(x2), float(y2)) if x2 else (0.0, 0.0, 0.0, 0.0)


def encode_rle(mask: Any) -> dict[str, Any]:
    """`{"size": [h, w], "counts": "…"}` (packed) of a two-dimensional mask: a NumPy array, or rows of values; not 0 = object."""
    if hasattr(mask, "shape") and hasattr(mask, "nonzero"):
        return _encode_array(mask)
    rows = [bytes(1 if value else 0 for value in row) for row in mask]
    height, width = len(rows), len(rows[0]) if rows else 0
    flat = b"".join(bytes(row[x] for row in rows) for x in range(width))
    counts: list[int] = [0] if flat[:1] == b"\x01" else []
    counts += [len(list(group)) for _, group in itertools.groupby(flat)]
    return {"size": [height, width], "counts": pack_counts(counts or [0])}


def _encode_array(mask: Any) -> dict[str, Any]:
    height, width = (int(side) for side in mask.shape)
    flat = mask.astype(bool).T.reshape(-1)
    changes = [int(index) + 1 for index in (flat[1:] != flat[:-1]).nonzero()[0]]
    edges = [0, *changes, height * width]
    counts = [end - start for start, end in zip(edges, edges[1:], strict=False)]
    if height * width and bool(flat[0]):
        counts.insert(0, 0)
    return {"size": [height, width], "counts": pack_counts(counts)}


def decode_rle(rle: dict[str, Any]) -> list[bytes]:
    """Rows of 0 and 1. Raises ValueError when the runs do not fill the size."""
    height, width = (int(side) for side in rle["size"])
    counts = unpack_counts(rle["counts"]) if isinstance(rle["counts"], str) else rle["counts"]
    check_runs((height, width), counts)
    flat = bytearray()
    for index, run in enumerate(counts):
        flat += (b"\x01" if index % 2 else b"\0") * int(run)
    return [bytes(flat[y::height]) for y in range(height)]
