"""Canonical metrics by class index: top-k, COCO average precision, pixels (contract.md 7.1)."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from trainer_sdk import Sample
from trainer_sdk._metrics import classification_metrics

from huggingface_trainer.images import IGNORED, open_mask
from huggingface_trainer.outputs import Found

#: Of each class in each picture, as COCO has it.
_MOST = 100
_LOWEST = 0.001
#: Scores drawn in the confusion matrix.
_DRAWN = 0.25


class ClassScorer:
    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.rows: list[tuple[int, list[int]]] = []

    def add(self, sample: Sample, size: tuple[int, int], found: Found) -> None:
        scores = found.scores or []
        ranked = sorted(range(len(scores)), key=lambda index: -scores[index])[:5]
        self.rows.append((sample.label or 0, ranked))

    def result(self) -> dict[str, Any]:
        return classification_metrics(self.names, self.rows)


class PixelScorer:
    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.matrix = numpy.zeros((len(names), len(names)), dtype="int64")

    def add(self, sample: Sample, size: tuple[int, int], found: Found) -> None:
        truth, count = numpy.asarray(open_mask(sample.mask)), len(self.names)
        if truth.shape != found.mask.shape:
            return
        good = (truth != IGNORED) & (truth < count) & (found.mask < count)
        pairs = truth[good].astype("int64") * count + found.mask[good]
        self.matrix += numpy.bincount(pairs, minlength=count * count).reshape(count, count)

    def result(self) -> dict[str, Any]:
        hits, support, called = numpy.diag(self.matrix), self.matrix.sum(1), self.matrix.sum(0)
        seen = (support + called) > 0
        iou = hits / numpy.maximum(support + called - hits, 1)
        dice = 2 * hits / numpy.maximum(support + called, 1)
        rows = zip(self.names, support.tolist(), iou.tolist(), dice.tolist(), strict=True)
        return {
            "metrics": {
                "miou": float(iou[seen].mean()) if seen.any() else 0.0,
                "pixel_accuracy": float(hits.sum() / max(support.sum(), 1)),
                "dice": float(dice[seen].mean()) if seen.any() else 0.0,
            },
            "perClass": [
                {"index": index, "name": name, "support": count, "iou": a, "dice": b} for index, (name, count, a, b) in enumerate(rows)
            ],
            "confusion": {"labels": list(self.names), "matrix": self.matrix.tolist()},
        }


class BoxScorer:
    """Entries are per class index, never per class name (trap of contract.md 13.3)."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.images: list[dict[str, Any]] = []
        self.truth: list[dict[str, Any]] = []
        self.found: list[dict[str, Any]] = []
        count = len(names) + 1
        self.matrix = numpy.zeros((count, count), dtype="int64")

    def add(self, sample: Sample, size: tuple[int, int], found: Found) -> None:
        number = len(self.images) + 1
        self.images.append({"id": number, "width": size[0], "height": size[1]})
        for thing in sample.objects:
            x1, y1, x2, y2 = thing.box
            box = [x1, y1, x2 - x1, y2 - y1]
            self.truth.append({
                "id": len(self.truth) + 1, "image_id": number, "category_id": thing.cls + 1, "bbox": box, "area": box[2] * box[3],
                "iscrowd": int(thing.crowd),
            })  # fmt: skip
        kept = [entry for entry in found.instances or [] if entry["score"] >= _LOWEST]
        for entry in kept:
            x1, y1, x2, y2 = entry["box"]
            box = [x1, y1, x2 - x1, y2 - y1]
            self.found.append({"image_id": number, "category_id": entry["class"] + 1, "bbox": box, "score": entry["score"]})
        self._confuse(sample, [entry for entry in kept if entry["score"] >= _DRAWN])

    def _confuse(self, sample: Sample, found: list[dict[str, Any]]) -> None:
        """Pairs whatever their class, most overlap first; what is left over pairs with the background."""
        truth, last = [thing for thing in sample.objects if not thing.crowd], len(self.names)
        overlaps = _overlaps([entry["box"] for entry in found], [thing.box for thing in truth])
        free_found, free_truth = set(range(len(found))), set(range(len(truth)))
        for flat in numpy.argsort(-overlaps, axis=None, kind="stable"):
            i, j = divmod(int(flat), max(len(truth), 1))
            if overlaps[i, j] < 0.5:
                break
            if i in free_found and j in free_truth:
                free_found.remove(i)
                free_truth.remove(j)
                self.matrix[truth[j].cls, found[i]["class"]] += 1
        for j in free_truth:
            self.matrix[truth[j].cls, last] += 1
        for i in free_found:
            self.matrix[last, found[i]["class"]] += 1

    def result(self) -> dict[str, Any]:
        count = len(self.names)
        support = [sum(1 for e in self.truth if e["category_id"] == index + 1 and not e["iscrowd"]) for index in range(count)]
        judge = self._coco()
        #: precision: overlap x recall x class
        precision = judge.eval["precision"][:, :, :, 0, 0] if judge is not None else numpy.zeros((10, 101, count))
        present = [index for index in range(count) if support[index] > 0]
        ap = {index: numpy.clip(precision[:, :, index], 0, None).mean(axis=1) for index in present}
        point = operating_point(self._judged(judge), support)
        per_class: list[dict[str, Any]] = []
        for index, name in enumerate(self.names):
            entry: dict[str, Any] = {"index": index, "name": name, "support": support[index]}
            if index in ap:
                entry |= {"ap50": float(ap[index][0]), "ap50_95": float(ap[index].mean())}
            per_class.append({**entry, **point["perClass"][index]})
        recalls = [round(step / 100, 2) for step in range(101)]
        curves = [{"class": i, "x": recalls, "y": numpy.clip(precision[0, :, i], 0, None).round(5).tolist()} for i in present]
        return {
            "metrics": {
                "map50_95": float(numpy.mean([values.mean() for values in ap.values()])) if ap else 0.0,
                "map50": float(numpy.mean([values[0] for values in ap.values()])) if ap else 0.0,
                "precision": point["precision"], "recall": point["recall"], "f1": point["f1"],
            },
            "perClass": per_class,
            "confusion": {"labels": [*self.names, "background"], "matrix": self.matrix.tolist()},
            "curves": {"pr": curves},
            "threshold": point["threshold"],
        }  # fmt: skip

    def _coco(self) -> Any:
        if not self.found or not self.truth:
            return None
        with contextlib.redirect_stdout(io.StringIO()):
            truth = COCO()
            categories = [{"id": index + 1, "name": str(index)} for index in range(len(self.names))]
            truth.dataset = {"images": self.images, "annotations": self.truth, "categories": categories, "info": {}}
            truth.createIndex()
            judge = COCOeval(truth, truth.loadRes(self.found), "bbox")
            judge.params.maxDets, judge.params.areaRng, judge.params.areaRngLbl = [_MOST], [[0, 1e10]], ["all"]
            judge.evaluate()
            judge.accumulate()
        return judge

    def _judged(self, judge: Any) -> list[tuple[float, int, bool]]:
        """(score, class, hit) at overlap 0.50 of what counts, best first."""
        rows: list[tuple[float, int, bool]] = []
        for image in judge.evalImgs if judge is not None else []:
            if image is None:
                continue
            hits, skips = image["dtMatches"][0], image["dtIgnore"][0]
            index = image["category_id"] - 1
            rows += [(float(score), index, hit > 0) for score, hit, skip in zip(image["dtScores"], hits, skips, strict=True) if not skip]
        return sorted(rows, key=lambda row: -row[0])


def operating_point(judged: Sequence[tuple[float, int, bool]], support: Sequence[int]) -> dict[str, Any]:
    """Precision, recall and F1 as means over the classes that occur, at the score where the mean F1 is best."""
    hits, called, f1s = [0] * len(support), [0] * len(support), [0.0] * len(support)
    present, total, best = max(sum(1 for count in support if count), 1), 0.0, (-1.0, 1.0, list(hits), list(called))
    for at, (score, index, hit) in enumerate(judged):
        called[index] += 1
        hits[index] += hit
        if support[index]:
            f1 = _f1(hits[index] / called[index], hits[index] / support[index])
            total += f1 - f1s[index]
            f1s[index] = f1
        # Equal scores stand or fall together.
        if at + 1 < len(judged) and judged[at + 1][0] == score:
            continue
        if total / present > best[0] + 1e-12:
            best = (total / present, score, list(hits), list(called))
    _, threshold, hits, called = best
    per_class = []
    for index, count in enumerate(support):
        precision, recall = hits[index] / max(called[index], 1), hits[index] / max(count, 1)
        per_class.append({"precision": precision, "recall": recall, "f1": _f1(precision, recall)})
    counted = [entry for entry, count in zip(per_class, support, strict=True) if count]
    means = {key: sum(entry[key] for entry in counted) / max(len(counted), 1) for key in ("precision", "recall", "f1")}
    return {**means, "threshold": threshold, "perClass": per_class}


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def _overlaps(a: list[Any], b: list[Any]) -> Any:
    x, y = numpy.asarray(a, dtype=float).reshape(-1, 1, 4), numpy.asarray(b, dtype=float).reshape(1, -1, 4)
    sides = numpy.clip(numpy.minimum(x[..., 2:], y[..., 2:]) - numpy.maximum(x[..., :2], y[..., :2]), 0, None)
    shared = sides.prod(-1)
    whole = (x[..., 2:] - x[..., :2]).prod(-1) + (y[..., 2:] - y[..., :2]).prod(-1) - shared
    return shared / numpy.maximum(whole, 1e-9)


def scorer_of(task: str, names: Sequence[str]) -> Any:
    return {"classify": ClassScorer, "detect": BoxScorer, "semantic": PixelScorer}[task](names)
