"""Lines of predictions.jsonl (contract.md 7.3): classes, instances and masks in one form, whatever the framework gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ._errors import TrainerError
from ._images import write_png
from ._objects import encode_rle

Line = dict[str, Any]


def class_entries(scores: Sequence[float] | None, classes: Sequence[Any] | None, top: int) -> tuple[list[Line], list[int]]:
    """Entries, best first, at most `top`, and the five best classes. `classes` = (class, score) pairs or `{class, score}` entries."""
    if scores is not None:
        pairs = [(index, float(score)) for index, score in enumerate(scores)]
    else:
        pairs = [(int(e["class"]), float(e["score"])) if isinstance(e, Mapping) else (int(e[0]), float(e[1])) for e in classes or []]
    pairs.sort(key=lambda pair: -pair[1])
    entries = [{"class": index, "score": _score(score)} for index, score in pairs[:top]]
    return entries, [index for index, _ in pairs[:5]]


def instance_entries(instances: Sequence[Mapping[str, Any]], threshold: float, most: int, size: tuple[int, int]) -> list[Line]:
    """Instances at or above the threshold, best first, at most `most`. A `mask` may be `{rle}`, `{polygon}` or a two-dimensional array."""
    kept = sorted((entry for entry in instances if float(entry["score"]) >= threshold), key=lambda entry: -float(entry["score"]))
    return [_instance(entry, size) for entry in kept[:most]]


def _score(value: Any) -> float:
    return min(1.0, max(0.0, round(float(value), 6)))


def _instance(entry: Mapping[str, Any], size: tuple[int, int]) -> Line:
    unknown = set(entry) - {"class", "score", "box", "mask", "keypoints", "obb"}
    if unknown:
        raise _wrong(f"an instance has the field {sorted(unknown)[0]}", "Fields: class, score, box, mask, keypoints, obb.")
    line: Line = {"class": int(entry["class"]), "score": _score(entry["score"])}
    if entry.get("box") is not None:
        line["box"] = [round(float(value), 3) for value in entry["box"]]
        if len(line["box"]) != 4:
            raise _wrong(f"a box has {len(line['box'])} numbers", "Write x1 y1 x2 y2 in pixels of the original image.")
    if entry.get("mask") is not None:
        line["mask"] = _mask(entry["mask"], size)
    if entry.get("keypoints") is not None:
        line["keypoints"] = [[round(float(x), 3), round(float(y), 3), _score(score)] for x, y, score in entry["keypoints"]]
    if entry.get("obb") is not None:
        line["obb"] = [[round(float(x), 3), round(float(y), 3)] for x, y in entry["obb"]]
        if len(line["obb"]) != 4:
            raise _wrong(f"an obb has {len(line['obb'])} corners", "Write four corners in order around the box.")
    return line


def _mask(mask: Any, size: tuple[int, int]) -> Line:
    if isinstance(mask, Mapping):
        if "polygon" in mask:
            return {"polygon": [[round(float(value), 2) for value in ring] for ring in mask["polygon"]]}
        rle = mask["rle"]
        counts = rle["counts"].decode() if isinstance(rle["counts"], bytes) else rle["counts"]
        sides = [int(side) for side in rle["size"]]
        rle = {"size": sides, "counts": counts if isinstance(counts, str) else [int(run) for run in counts]}
    else:
        rle = encode_rle(mask)
    if size != (0, 0) and tuple(rle["size"]) != (size[1], size[0]):
        raise _wrong(f"a mask is {rle['size'][1]} x {rle['size'][0]}, the image {size[0]} x {size[1]}", "Masks have the size of the original image.")
    return {"rle": rle}


def _wrong(message: str, hint: str) -> TrainerError:
    return TrainerError(f"run.prediction: {message}", hint, "internal.protocol")


class MaskFolder:
    """masks/NNNN.png of one verb, numbered in the order of the images."""

    def __init__(self, output: Path) -> None:
        self._folder = output / "masks"
        self._count = 0

    def write(self, mask: Any, size: tuple[int, int]) -> str:
        """`mask`: uint8 of shape height x width (NumPy array, tensor on the CPU, or rows of values). Gives the path for predictions.jsonl."""
        if hasattr(mask, "tobytes") and hasattr(mask, "astype"):
            height, width = (int(side) for side in mask.shape)
            data = mask.astype("uint8").tobytes()
        else:
            rows = [bytes(int(value) for value in row) for row in (mask.tolist() if hasattr(mask, "tolist") else mask)]
            height, width, data = len(rows), len(rows[0]) if rows else 0, b"".join(rows)
        if size != (0, 0) and (width, height) != size:
            raise _wrong(f"the mask is {width} x {height}, the image {size[0]} x {size[1]}", "Scale it back to the original size, without smoothing.")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._count += 1
        name = f"{self._count:04d}.png"
        write_png(self._folder / name, width, height, data)
        return f"masks/{name}"
