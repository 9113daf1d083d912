"""Writes coco-fixture.jsonl beside this file: random answers and what pycocotools 2.0.11 makes of them.

Run once in an environment with pycocotools and numpy: python make_coco_fixture.py
"""

import contextlib
import io
import json
from pathlib import Path

import numpy
from pycocotools import mask as masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

CLASSES = 4  # the last one has no truth
POINTS = 3
SIGMAS = [0.05, 0.08, 0.12]
WIDTH, HEIGHT = 40, 30


def draw(rng, box):
    """An ellipse in a box with a few holes, as a mask."""
    x1, y1, x2, y2 = box
    ys, xs = numpy.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    inside = ((xs - (x1 + x2) / 2) / ((x2 - x1) / 2)) ** 2 + ((ys - (y1 + y2) / 2) / ((y2 - y1) / 2)) ** 2 <= 1
    return numpy.asfortranarray((inside & (rng.random((HEIGHT, WIDTH)) > 0.02)).astype(numpy.uint8))


def counts_of(mask):
    flat = mask.flatten(order="F")
    runs, last, run = [], 0, 0
    for value in flat:
        if value != last:
            runs.append(run)
            run, last = 0, int(value)
        run += 1
    return [*runs, run]


def random_box(rng):
    w, h = rng.uniform(6, 18), rng.uniform(6, 14)
    x, y = rng.uniform(0, WIDTH - w), rng.uniform(0, HEIGHT - h)
    return [float(round(value, 2)) for value in (x, y, x + w, y + h)]


def jitter(rng, box, amount):
    moved = numpy.array(box) + rng.normal(0, amount, 4)
    x1, x2 = sorted(numpy.clip(moved[[0, 2]], 0, WIDTH))
    y1, y2 = sorted(numpy.clip(moved[[1, 3]], 0, HEIGHT))
    return [float(round(value, 2)) for value in (x1, y1, max(x2, x1 + 1), max(y2, y1 + 1))]


def scene(rng):
    """(truths, found) of one picture."""
    truths, found = [], []
    for _ in range(rng.integers(0, 5)):
        box = random_box(rng)
        points = [[float(round(rng.uniform(box[0], box[2]), 2)), float(round(rng.uniform(box[1], box[3]), 2)), int(rng.choice([0, 1, 2], p=[0.2, 0.2, 0.6]))] for _ in range(POINTS)]
        truth = {"class": int(rng.integers(0, CLASSES - 1)), "box": box, "crowd": bool(rng.random() < 0.12), "points": points}
        truth["mask"] = counts_of(draw(rng, box))
        truths.append(truth)
        for _ in range(rng.integers(0, 4)):
            other = jitter(rng, box, rng.choice([0.3, 1.0, 2.5]))
            spread = rng.choice([0.3, 1.5, 4])
            found.append(
                {
                    "class": truth["class"] if rng.random() < 0.85 else int(rng.integers(0, CLASSES)),
                    "score": float(rng.random()),
                    "box": other,
                    "mask": counts_of(draw(rng, other)),
                    "points": [[float(round(x + rng.normal(0, spread), 2)), float(round(y + rng.normal(0, spread), 2))] for x, y, _ in points],
                }
            )
    for _ in range(rng.integers(0, 3)):
        box = random_box(rng)
        found.append({"class": int(rng.integers(0, CLASSES)), "score": float(rng.random() * 0.7), "box": box, "mask": counts_of(draw(rng, box)), "points": [[box[0], box[1]] for _ in range(POINTS)]})
    return {"truths": truths, "found": found}


def rle_of(counts):
    return masks.frPyObjects({"size": [HEIGHT, WIDTH], "counts": counts}, HEIGHT, WIDTH)


def xywh(box):
    return [box[0], box[1], box[2] - box[0], box[3] - box[1]]


def evaluate(scenes, kind, most):
    """AP of each class at 0.50 and over all overlaps, -1 where there is no truth."""
    truth = {"info": {}, "images": [{"id": i + 1, "width": WIDTH, "height": HEIGHT} for i in range(len(scenes))], "categories": [{"id": c + 1, "name": str(c)} for c in range(CLASSES)], "annotations": []}
    found = []
    for i, item in enumerate(scenes):
        for entry in item["truths"]:
            x, y, w, h = xywh(entry["box"])
            # The part of its box that our OKS takes for the object, where there is no outline.
            area = 0.53 * w * h if kind == "keypoints" else w * h
            truth["annotations"].append(
                {
                    "id": len(truth["annotations"]) + 1, "image_id": i + 1, "category_id": entry["class"] + 1, "bbox": [x, y, w, h], "area": area,
                    "iscrowd": int(entry["crowd"] and kind != "keypoints"), "segmentation": rle_of(entry["mask"]),
                    "keypoints": [value for point in entry["points"] for value in point], "num_keypoints": sum(point[2] > 0 for point in entry["points"]),
                }
            )
        for entry in item["found"]:
            line = {"image_id": i + 1, "category_id": entry["class"] + 1, "score": entry["score"]}
            if kind == "bbox":
                line["bbox"] = xywh(entry["box"])
            elif kind == "segm":
                line["segmentation"] = rle_of(entry["mask"])
            else:
                line["keypoints"] = [value for point in entry["points"] for value in (*point, 1)]
            found.append(line)
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        runner = COCOeval(coco, coco.loadRes(found), kind)
        runner.params.maxDets = [most]
        runner.params.areaRng = [[0, 1e10]]
        runner.params.areaRngLbl = ["all"]
        if kind == "keypoints":
            runner.params.kpt_oks_sigmas = numpy.array(SIGMAS)
        runner.evaluate()
        runner.accumulate()
    precision = runner.eval["precision"]  # overlaps × recalls × classes × 1 × 1
    return [{"ap50": float(precision[0, :, c, 0, 0].mean()), "ap50_95": float(precision[:, :, c, 0, 0].mean())} for c in range(CLASSES)]


def main():
    rng = numpy.random.default_rng(20261125)
    scenes = [scene(rng) for _ in range(24)]
    kinds = [("bbox", 100), ("bbox", 2), ("segm", 100), ("keypoints", 20)]
    answer = {
        "width": WIDTH, "height": HEIGHT, "classes": CLASSES, "sigmas": SIGMAS, "scenes": scenes,
        "expected": [{"kind": kind, "maxDetections": most, "classes": evaluate(scenes, kind, most)} for kind, most in kinds],
    }
    Path(__file__).with_name("coco-fixture.jsonl").write_text(json.dumps(answer, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
