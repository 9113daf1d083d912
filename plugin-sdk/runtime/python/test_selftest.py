"""Checks an unpacked bundle: the picture in selftest/ must give the expected prediction. Exits 0 or 1 and says what differs.

python test_selftest.py [BUNDLE]      (also collected by pytest)
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from predict import BundleError, Predictor, decode_rle, load_rgb

Array = Any
BUNDLE = Path(__file__).resolve().parents[2]
#: beside the threshold scores may fall on either side
MARGIN = 0.02


def test_selftest() -> None:
    assert not check(BUNDLE), "\n".join(check(BUNDLE))


def check(bundle: Path) -> list[str]:
    """What differs; empty when the bundle gives what it promises. Raises BundleError when it cannot run at all."""
    folder = bundle / "selftest"
    predictor = Predictor(bundle)
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    rgb = load_rgb(folder / "input.png")
    faults: list[str] = []
    if (folder / "input.npy").is_file():
        faults += compare_input(predictor.preprocess(rgb), np.load(folder / "input.npy"), predictor.metadata)
    got = predictor.predict(rgb)
    if "mask" in expected:
        faults += compare_pixels(got.get("mask"), expected_pixels(bundle, expected["mask"]))
    return faults + compare(expected, got, threshold_of(predictor.metadata))


def threshold_of(metadata: dict[str, Any]) -> float:
    return max((float(op["score"]) for op in metadata["postprocess"] if op["op"] == "threshold"), default=0.0)


def compare_input(got: Array, wanted: Array, metadata: dict[str, Any]) -> list[str]:
    """The input tensor against the trainer's: mean 0.5, largest 2 steps of an 8-bit picture."""
    if got.shape != wanted.shape:
        return [f"input tensor: shape {list(got.shape)}, expected {list(wanted.shape)}"]
    factor, std = 1.0, np.ones(1)
    for op in metadata["preprocess"]:
        if op["op"] == "rescale":
            factor *= float(op["factor"])
        elif op["op"] == "normalize":
            std = np.asarray(op["std"], dtype=np.float64)
    nchw = any(op["op"] == "transpose" and op["layout"] == "NCHW" for op in metadata["preprocess"])
    steps = np.abs(got.astype(np.float64) - wanted.astype(np.float64)) * std.reshape((1, -1, 1, 1) if nchw else (1, 1, 1, -1)) / factor
    if steps.mean() > 0.5 or steps.max() > 2.0:
        return [f"input tensor: differs by {steps.mean():.3f} of 255 on average (allowed 0.5), at most {steps.max():.2f} (allowed 2)"]
    return []


def expected_pixels(bundle: Path, path: str) -> Array:
    from PIL import Image

    file = next((place / path for place in (bundle, bundle / "selftest") if (place / path).is_file()), None)
    if file is None:
        raise BundleError(f"expected.json names {path}, which is not in the bundle")
    with Image.open(file) as image:
        return np.asarray(image if image.mode in ("P", "L") else image.convert("L"))


def compare_pixels(got: Array | None, wanted: Array) -> list[str]:
    if got is None or got.shape != wanted.shape:
        return [f"mask: size {'none' if got is None else list(got.shape)}, expected {list(wanted.shape)}"]
    equal = float((got == wanted).mean())
    return [] if equal >= 0.99 else [f"mask: {equal:.2%} of the pixels are equal, expected 99 %"]


def compare(expected: dict[str, Any], got: dict[str, Any], threshold: float) -> list[str]:
    faults: list[str] = []
    if "classes" in expected:
        faults += compare_classes(expected["classes"], got.get("classes", []))
    if "instances" in expected:
        size = (int(got["height"]), int(got["width"]))
        faults += compare_instances(expected["instances"], got.get("instances", []), threshold + MARGIN, size)
    return faults


def compare_classes(expected: list[dict[str, Any]], got: list[dict[str, Any]]) -> list[str]:
    faults: list[str] = []
    scores = {entry["class"]: float(entry["score"]) for entry in got}
    least = min(scores.values(), default=1.0)
    for entry in expected:
        score = scores.get(entry["class"])
        if score is None:
            # The last places of a short list may go to either of two equals.
            if not got or entry["score"] > least + 1e-3:
                faults.append(f"class {entry['class']}: missing, expected with score {entry['score']:.4f}")
        elif abs(score - entry["score"]) > 0.01:
            faults.append(f"class {entry['class']}: score {score:.4f}, expected {entry['score']:.4f}")
    ranks = {entry["class"]: rank for rank, entry in enumerate(got)}
    for first, second in zip(expected, expected[1:], strict=False):
        a, b = ranks.get(first["class"]), ranks.get(second["class"])
        if a is not None and b is not None and a > b and first["score"] - second["score"] > 1e-3:
            faults.append(f"class {second['class']} comes before class {first['class']}, expected after it")
    return faults


def compare_instances(expected: list[dict[str, Any]], got: list[dict[str, Any]], sure: float, size: tuple[int, int]) -> list[str]:
    """Each side's sure instances need a partner on the other side."""
    faults: list[str] = []
    for side, these, others in (("missing", expected, got), ("not expected", got, expected)):
        taken: set[int] = set()
        for item in these:
            if item["score"] < sure:
                continue
            verdicts = {i: _unlike(item, other, size) for i, other in enumerate(others) if i not in taken and other["class"] == item["class"]}
            partner = next((i for i, why in verdicts.items() if why is None), None)
            if partner is not None:
                taken.add(partner)
                continue
            nearest = min(verdicts.values(), key=lambda why: why[0] if why else 0.0, default=None)
            reason = nearest[1] if nearest else "no other of this class"
            place = [round(float(value), 1) for value in np.ravel(item.get("box", item.get("obb", [])))]
            faults.append(f"instance of class {item['class']}, score {item['score']:.3f}, at {place}: {side} ({reason})")
    return faults


def _unlike(a: dict[str, Any], b: dict[str, Any], size: tuple[int, int]) -> tuple[float, str] | None:
    """None when both are the same instance; else how far apart the boxes are (0 to 1) and what differs."""
    if "obb" in a and "obb" in b:
        overlap, least = rotated_iou(a["obb"], b["obb"]), 0.9
    elif "box" in a and "box" in b:
        overlap, least = box_iou(a["box"], b["box"]), 0.95
    else:
        overlap, least = 1.0, 0.0
    if overlap < least:
        return 1 - overlap, f"nearest overlaps by {overlap:.3f}, needed {least}"
    if abs(a["score"] - b["score"]) > MARGIN:
        return 0.0, f"score {b['score']:.3f}"
    if "mask" in a and "mask" in b:
        one, two = pixels_of(a["mask"], size), pixels_of(b["mask"], size)
        union = int((one | two).sum())
        share = 1.0 if union == 0 else int((one & two).sum()) / union
        if share < 0.9:
            return 0.0, f"mask overlaps by {share:.3f}, needed 0.9"
    if "keypoints" in a and "keypoints" in b:
        one, two = np.asarray(a["keypoints"], dtype=np.float64), np.asarray(b["keypoints"], dtype=np.float64)
        box = a.get("box", [0, 0, 0, 0])
        allowed = max(1.0, 0.01 * max(box[2] - box[0], box[3] - box[1]))
        if one.shape != two.shape or float(np.abs(one[:, :2] - two[:, :2]).max(initial=0)) > allowed:
            return 0.0, f"keypoints differ by more than {allowed:.1f} pixels"
    return None


def box_iou(a: list[float], b: list[float]) -> float:
    shared = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union > 0 else 1.0


def rotated_iou(a: list[list[float]], b: list[list[float]]) -> float:
    shared = abs(_area(_clipped(_turning(a), _turning(b))))
    union = abs(_area(a)) + abs(_area(b)) - shared
    return shared / union if union > 0 else 1.0


def _area(points: list[list[float]]) -> float:
    return sum(p[0] * q[1] - q[0] * p[1] for p, q in zip(points, points[1:] + points[:1], strict=True)) / 2


def _turning(points: list[list[float]]) -> list[list[float]]:
    return points if _area(points) >= 0 else points[::-1]


def _clipped(subject: list[list[float]], clip: list[list[float]]) -> list[list[float]]:
    """Sutherland and Hodgman: a polygon cut by the edges of a convex one."""
    for p, q in zip(clip, clip[1:] + clip[:1], strict=True):
        inside = [(q[0] - p[0]) * (s[1] - p[1]) - (q[1] - p[1]) * (s[0] - p[0]) for s in subject]
        result: list[list[float]] = []
        for i, s in enumerate(subject):
            t, side, following = subject[(i + 1) % len(subject)], inside[i], inside[(i + 1) % len(subject)]
            if side >= 0:
                result.append(s)
            if (side >= 0) != (following >= 0):
                part = side / (side - following)
                result.append([s[0] + (t[0] - s[0]) * part, s[1] + (t[1] - s[1]) * part])
        subject = result
        if not subject:
            break
    return subject


def pixels_of(mask: dict[str, Any], size: tuple[int, int]) -> Array:
    if "rle" in mask:
        return decode_rle(mask["rle"]) != 0
    height, width = size
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    inside = np.zeros((height, width), dtype=bool)
    for ring in mask["polygon"]:
        points = np.asarray(ring, dtype=np.float64).reshape(-1, 2)
        for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
            if y0 != y1:
                inside ^= ((y0 > y) != (y1 > y)) & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return inside


def main() -> int:
    bundle = Path(sys.argv[1]) if len(sys.argv) > 1 else BUNDLE
    try:
        faults = check(bundle)
    except (BundleError, OSError, ValueError, KeyError) as error:
        print(f"Self-test could not run: {error}", file=sys.stderr)
        return 1
    for fault in faults:
        print(fault, file=sys.stderr)
    print("Self-test failed." if faults else "Self-test passed: the bundle predicts what it promises.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
