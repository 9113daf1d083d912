"""Does the exported file give what the checkpoint gives? Tolerances by meaning of each number, agreement by task (contract.md 8.6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ._errors import VerificationError

Arrays = list[Any]
#: Largest allowed difference by kind of number: fp32, fp16. int8 is judged by agreement alone.
TOLERANCE: Mapping[str, tuple[float, float]] = {
    "logits": (1e-3, 5e-2), "scores": (1e-4, 5e-3), "pixels": (1e-2, 1.0), "angle": (1e-3, 1e-2), "dense": (1e-2, 1e-1), "other": (1e-2, 1.0),
}  # fmt: skip
#: Least share of images, instances or pixels that must agree: fp32, fp16, int8.
_AGREEMENT = {"classes": (1.0, 0.98, 0.9), "instances": (0.99, 0.98, 0.9), "mask": (0.99, 0.98, 0.9)}
_COLUMN = {"fp32": 0, "fp16": 1, "int8": 2}
_SETS = ("detr", "detr-concat", "yolo-end2end")
#: Rows of a fixed-length list below this score are filling.
_FILLING = 0.01


@dataclass(frozen=True)
class Part:
    """Rows of one output that mean the same: `pick(array)` takes them."""

    name: str
    kind: str
    pick: Callable[[Any], Any]


def parts_of(meta: Mapping[str, Any], index: int, rank: int) -> list[Part]:
    """`meta` = metadata.json (task, labels, outputs, postprocess)."""
    entry = meta["outputs"][index]
    kind, name = str(entry["semantics"]), str(entry["name"])
    decode = next((op for op in meta["postprocess"] if op["op"] == "decode"), {})
    classes = int(decode.get("classes", len(meta["labels"])))
    points = decode.get("keypoints") or [0, 3]
    depth = int(points[1]) if isinstance(points, (list, tuple)) else 3

    def rows(label: str, what: str, start: int, end: int | None, step: int = 1) -> Part:
        return Part(f"{name}:{label}", what, lambda array: array[:, start:end:step])

    def columns(label: str, what: str, start: int, end: int | None, step: int = 1) -> Part:
        return Part(f"{name}:{label}", what, lambda array: array[..., start:end:step])

    def whole(what: str) -> list[Part]:
        return [Part(name, what, lambda array: array)]

    if kind in ("logits", "probs"):
        return whole("logits" if kind == "logits" else "scores")
    if kind == "detr":
        return whole("scores" if "box" in name else "logits")
    if kind == "detr-concat":
        return whole("scores")
    if kind == "semantic-logits" or rank == 4:
        return whole("dense")
    if kind == "masks-queries":
        return whole("logits")
    if kind in ("yolo-raw", "yolo-seg-raw", "yolo-pose-raw", "yolo-obb-raw"):
        rest = 4 + classes
        found = [rows("boxes", "pixels", 0, 4), rows("scores", "scores", 4, rest)]
        if kind == "yolo-seg-raw":
            found.append(rows("coefficients", "dense", rest, None))
        elif kind == "yolo-obb-raw":
            found.append(rows("angle", "angle", rest, None))
        elif kind == "yolo-pose-raw":
            found += [rows("keypoints x", "pixels", rest, None, depth), rows("keypoints y", "pixels", rest + 1, None, depth)]
            found += [rows("visibility", "scores", rest + 2, None, depth)] if depth == 3 else []
        return found
    if kind == "yolo-end2end":
        found = [columns("boxes", "pixels", 0, 4), columns("scores", "scores", 4, 5), columns("classes", "scores", 5, 6)]
        task = meta["model"]["task"]
        if task == "obb":
            found.append(columns("angle", "angle", 6, None))
        elif task == "pose":
            found += [columns("keypoints x", "pixels", 6, None, depth), columns("keypoints y", "pixels", 7, None, depth)]
            found += [columns("visibility", "scores", 8, None, depth)] if depth == 3 else []
        elif task == "segment":
            found.append(columns("coefficients", "dense", 6, None))
        return found
    return whole("other")


def compare_outputs(meta: Mapping[str, Any], pairs: Sequence[tuple[Arrays, Arrays]], precision: str) -> list[dict[str, Any]]:
    """`pairs` = (checkpoint's outputs, file's outputs) by image. Gives `{name, maxAbs, meanAbs, tolerance}` by part; raises VerificationError."""
    import numpy

    column = _COLUMN.get(precision, 1)
    count = len(meta["outputs"])
    found: dict[str, dict[str, Any]] = {}
    for wanted, got in pairs:
        if len(wanted) != len(got) or len(got) != count:
            raise VerificationError(f"the file has {len(got)} outputs, the checkpoint {len(wanted)}, the description {count}")
        for index, (a, b) in enumerate(zip(wanted, got, strict=True)):
            if a.shape != b.shape:
                raise VerificationError(f"output {index} has the shape {list(b.shape)}, the checkpoint's {list(a.shape)}")
            if not numpy.isfinite(b).all():
                raise VerificationError(f"output {index} of the file holds values that are no numbers", "Export it in fp32.")
        wanted, got = _in_one_order(meta, wanted, got)
        for index, (a, b) in enumerate(zip(wanted, got, strict=True)):
            for part in parts_of(meta, index, a.ndim):
                delta = numpy.abs(part.pick(a).astype("float64") - part.pick(b).astype("float64"))
                if delta.size == 0:
                    continue
                allowed = TOLERANCE[part.kind][column] if column < 2 else None
                entry = found.setdefault(part.name, {"name": part.name, "maxAbs": 0.0, "meanAbs": 0.0, "tolerance": allowed})
                entry["maxAbs"] = max(entry["maxAbs"], float(delta.max()))
                entry["meanAbs"] += float(delta.mean()) / len(pairs)
    for entry in found.values():
        if entry["tolerance"] is not None and entry["maxAbs"] > entry["tolerance"]:
            hint = "The exported model computes something else; keep the checkpoint and report this."
            raise VerificationError(f"output {entry['name']} differs by {entry['maxAbs']:.3g}, allowed is {entry['tolerance']:g}", hint)
    return list(found.values())


def _in_one_order(meta: Mapping[str, Any], wanted: Arrays, got: Arrays) -> tuple[Arrays, Arrays]:
    """Lists of candidates are sets: near-equal scores may change places, and filling rows mean nothing."""
    import numpy

    kinds = {str(entry["semantics"]) for entry in meta["outputs"]}
    if not kinds & set(_SETS):
        return wanted, got
    lists = [index for index, array in enumerate(wanted) if array.ndim == 3]
    if "yolo-end2end" in kinds:
        wanted, got = list(wanted), list(got)
        for arrays in (wanted, got):
            arrays[lists[0]] = numpy.where(arrays[lists[0]][..., 4:5] >= _FILLING, arrays[lists[0]], 0)
    result = [array.copy() for array in got]
    for item in range(wanted[lists[0]].shape[0]):
        a = numpy.concatenate([wanted[index][item] for index in lists], axis=1).astype("float64")
        b = numpy.concatenate([got[index][item] for index in lists], axis=1).astype("float64")
        order = numpy.abs(a[:, None] - b[None]).sum(-1).argmin(1)
        if len(set(order.tolist())) == len(order):
            for index in lists:
                result[index][item] = got[index][item][order]
    return wanted, result


def agreement_of(predict: Callable[[Arrays], dict[str, Any]] | None, meta: Mapping[str, Any], pairs: Sequence[tuple[Arrays, Arrays]]) -> tuple[float, str] | None:
    """Share that agrees, and of what: `classes` (top-1), `instances`, or pixels of the `mask`. `predict` makes a prediction of outputs."""
    kind = str(meta["outputs"][0]["semantics"])
    if kind in ("logits", "probs"):
        same = [bool((a[0].argmax(-1) == b[0].argmax(-1)).all()) for a, b in pairs]
        return sum(same) / max(len(same), 1), "classes"
    if predict is None or kind.startswith("x-"):
        return None
    both = [(predict(a), predict(b)) for a, b in pairs]
    if "mask" in both[0][0]:
        return sum(float((a["mask"] == b["mask"]).mean()) for a, b in both) / len(both), "mask"
    if "instances" not in both[0][0]:
        return None
    sure = max((float(op["score"]) for op in meta["postprocess"] if op["op"] == "threshold"), default=0.0) + 0.02
    hits = total = 0
    for a, b in both:
        for these, others in ((a["instances"], b["instances"]), (b["instances"], a["instances"])):
            for item in these:
                if item["score"] >= sure:
                    total += 1
                    hits += any(other["class"] == item["class"] and box_iou(item["box"], other["box"]) >= 0.95 for other in others)
    return (hits / total if total else 1.0), "instances"


def check_agreement(found: tuple[float, str] | None, precision: str) -> float | None:
    if found is None:
        return None
    share, what = found
    least = _AGREEMENT[what][_COLUMN.get(precision, 1)]
    if share < least:
        names = {"classes": "images", "mask": "pixels"}
        text = f"the exported model agrees on {share:.1%} of the {names.get(what, what)} only, {least:.0%} are needed"
        raise VerificationError(text, "Use a higher precision or keep the checkpoint.", "verification.accuracy_drop")
    return share


def box_iou(a: Sequence[float], b: Sequence[float]) -> float:
    shared = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union > 0 else 1.0
