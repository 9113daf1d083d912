"""evaluate: the framework's validator, its loop carried out here, so that checkpoint and exported model go the same way and the
predictions it judged are the ones that are written."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from trainer_sdk import Run, Sample

from ultralytics_trainer.metric_names import declared_names, val_values
from ultralytics_trainer.models import Model, open_model
from ultralytics_trainer.scoring import classification_rows, dice, judge_whole_masks, val_batch
from ultralytics_trainer.surroundings import scratch
from ultralytics_trainer.view import View, build_view

_CURVE_POINTS = 101
#: Scores from here on count in the confusion matrix when the job names no threshold.
_THRESHOLD = 0.25
_MASKS_AT_ONCE = 50


def evaluate(run: Run) -> None:
    model = open_model(run)
    view = build_view(run, (run.split,), model.single_class)
    validator = _validator(run, model, view)
    lines, milliseconds = _loop(run, model, validator)
    _report(run, validator)
    for sample in run.images:
        line = lines.get(sample.image)
        if line is None:
            run.skip(sample, "the framework cannot read it")
            continue
        run.prediction(sample, size=line.pop("size"), ms=milliseconds, **line)


def _validator(run: Run, model: Model, view: View) -> Any:
    from ultralytics.models import yolo
    from ultralytics.models.rtdetr.val import RTDETRValidator

    base: Any = {
        "detect": yolo.detect.DetectionValidator, "segment": yolo.segment.SegmentationValidator, "pose": yolo.pose.PoseValidator,
        "obb": yolo.obb.OBBValidator, "classify": yolo.classify.ClassificationValidator,
        "semantic": yolo.semantic.SemanticSegmentationValidator,
    }[run.task]  # fmt: skip
    if model.network.rtdetr:
        base = RTDETRValidator
    mixin = {"classify": _CatchClasses, "semantic": _CatchMasks}.get(run.task, _CatchObjects)

    class Validator(mixin, base):  # type: ignore[misc, valid-type]
        pass

    data, wanted = model.data, run.job.evaluate
    arguments = {
        "task": run.task, "mode": "val", "model": f"{run.model}.yaml", "imgsz": data["size"], "device": "cpu", "plots": False, "verbose": False,
        "batch": val_batch(run.task, data["batch"]), "workers": 0, "split": run.split,
        "conf": 0.001, "iou": float(wanted.get("iou") or data["iou"]), "max_det": data["max_det"], "single_cls": model.single_class,
        "overlap_mask": data["overlap_mask"], "mask_ratio": 1, "rect": model.any_size and not model.network.rtdetr,
        "nms": False if model.end_to_end else None, "project": str(scratch()), "name": "val", "exist_ok": True,
    }  # fmt: skip
    validator = Validator(args=arguments, save_dir=scratch() / "val")
    if run.task == "segment":
        judge_whole_masks(validator)
    validator.training = False
    validator.catch(run, view, float(wanted.get("threshold") or _THRESHOLD))
    validator.device = torch.device(model.device)
    validator.data, validator.names, validator.stride = view.data, view.data["names"], model.stride
    validator.dataloader = validator.get_dataloader(view.data[run.split], arguments["batch"])
    return validator


def _loop(run: Run, model: Model, validator: Any) -> tuple[dict[str, dict[str, Any]], dict[str, float]]:
    names = validator.names
    validator.init_metrics(SimpleNamespace(names=names, end2end=model.end_to_end and not model.network.rtdetr, format="own"))
    validator.jdict = []
    spent = {"pre": 0.0, "infer": 0.0, "post": 0.0}
    total = len(validator.dataloader.dataset)

    def timed(part: str, work: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = work()
        spent[part] += time.perf_counter() - began
        return result

    with torch.inference_mode():
        for batch in validator.dataloader:
            run.safe_point()
            ready = timed("pre", lambda batch=batch: validator.preprocess(batch))
            raw = timed("infer", lambda ready=ready: model.forward(ready["img"]))
            found = timed("post", lambda raw=raw: validator.postprocess(raw))
            validator.update_metrics(found, ready)
        validator.stats_found = validator.get_stats()
        validator.finalize_metrics()
    return validator.lines, {key: value * 1000 / max(total, 1) for key, value in spent.items()}


class _CatchObjects:
    """Keeps each image's predictions, in pixels of the original, and counts the confusion matrix the framework counts only for plots."""

    def catch(self, run: Run, view: View, threshold: float) -> None:
        self.job, self.view, self.threshold = run, view, threshold
        self.lines: dict[str, dict[str, Any]] = {}

    def update_metrics(self, preds: list[dict[str, Any]], batch: dict[str, Any]) -> None:
        super().update_metrics(preds, batch)  # type: ignore[misc]
        for position, found in enumerate(preds):
            truth = self._prepare_batch(position, batch)
            self.confusion_matrix.process_batch(found, truth, conf=self.threshold)
            sample = self.view.sample_of(self.job.split, truth["im_file"])
            height, width = (int(side) for side in truth["ori_shape"][:2])
            scaled = self._scaled(found, truth) if len(found["cls"]) else None
            instances = instances_of(self.job.task, scaled, (height, width)) if scaled is not None else []
            self.lines[sample.image] = {"instances": instances, "size": (width, height)}

    def _scaled(self, found: dict[str, Any], truth: dict[str, Any]) -> dict[str, Any]:
        if self.job.task != "segment":
            return dict(self.scale_preds(found, truth))
        from ultralytics.models.yolo.detect import DetectionValidator
        from ultralytics.utils import ops

        masks: list[Any] = []
        for few in found["masks"].split(_MASKS_AT_ONCE):
            # The framework cuts fractions off here, which would thin every mask by half a pixel.
            masks.append((ops.scale_masks(few[None].float(), truth["ori_shape"], ratio_pad=truth["ratio_pad"])[0] > 0.5).cpu())
        return {**DetectionValidator.scale_preds(self, found, truth), "masks": torch.cat(masks)}


class _CatchClasses:
    def catch(self, run: Run, view: View, threshold: float) -> None:
        self.job, self.view = run, view
        self.lines: dict[str, dict[str, Any]] = {}
        self.order: list[Sample] = []

    def get_dataloader(self, path: Any, batch: int) -> Any:
        """In list order: the framework shuffles even here, and its batches do not name their files."""
        from ultralytics.data import build_dataloader

        dataset = self.build_dataset(path)
        dataset.samples.sort(key=lambda entry: Path(entry[0]).stem)
        self.order = [self.view.sample_of(self.job.split, entry[0]) for entry in dataset.samples]
        return build_dataloader(dataset, batch, 0, shuffle=False, rank=-1, device=self.device)

    def update_metrics(self, preds: Any, batch: dict[str, Any]) -> None:
        super().update_metrics(preds, batch)  # type: ignore[misc]
        for row in preds.tolist():
            sample = self.order[len(self.lines)]
            self.lines[sample.image] = {"scores": row, "size": sample.size}


class _CatchMasks:
    def catch(self, run: Run, view: View, threshold: float) -> None:
        self.job, self.view = run, view
        self.lines: dict[str, dict[str, Any]] = {}

    def update_metrics(self, preds: Any, batch: dict[str, Any]) -> None:
        from ultralytics.utils import ops

        super().update_metrics(preds, batch)  # type: ignore[misc]
        for mask, file, shape, pad in zip(preds, batch["im_file"], batch["ori_shape"], batch["ratio_pad"], strict=True):
            sample = self.view.sample_of(self.job.split, file)
            whole = ops.scale_masks(mask[None, None].float(), shape, ratio_pad=pad, mode="nearest")[0, 0]
            self.lines[sample.image] = {"mask": whole.byte().cpu().numpy(), "size": (int(shape[1]), int(shape[0]))}


def instances_of(task: str, found: dict[str, Any], size: tuple[int, int]) -> list[dict[str, Any]]:
    """The framework's tensors, already in pixels of the image, as instances of contract.md 7.3, best first."""
    from trainer_sdk._wrapper import wrapper
    from ultralytics.utils import ops

    order = found["conf"].argsort(descending=True).tolist()
    boxes = found["bboxes"]
    corners = ops.xywhr2xyxyxyxy(boxes).tolist() if task == "obb" else None
    lines: list[dict[str, Any]] = []
    for at in order:
        line: dict[str, Any] = {"class": int(found["cls"][at]), "score": round(float(found["conf"][at]), 6)}
        if corners is not None:
            points = corners[at]
            xs, ys = [point[0] for point in points], [point[1] for point in points]
            line["obb"] = [[round(x, 3), round(y, 3)] for x, y in points]
            box = [max(min(xs), 0.0), max(min(ys), 0.0), min(max(xs), size[1]), min(max(ys), size[0])]
        else:
            box = boxes[at].tolist()
        line["box"] = [round(float(value), 3) for value in box]
        if task == "segment":
            line["mask"] = {"rle": wrapper().encode_rle(found["masks"][at].cpu().numpy())}
        if task == "pose":
            line["keypoints"] = [[round(float(value), 3) for value in point] for point in found["keypoints"][at].tolist()]
        lines.append(line)
    return lines


def _report(run: Run, validator: Any) -> None:
    declared = declared_names(run.manifest.task(run.task))
    values: dict[str, float | None] = dict(val_values(validator.stats_found, run.task, declared))
    if run.task == "classify":
        from trainer_sdk._metrics import classification_metrics

        found = classification_metrics(run.classes, classification_rows(validator))
        run.report(found["metrics"], found["perClass"], found.get("confusion"))
        return
    if run.task == "semantic":
        matrix = validator.metrics.matrix
        values["dice"] = dice(matrix)
        per_class = [
            {"index": index, "name": name, "support": int(validator.metrics.nt_per_class[index]), "iou": float(validator.metrics.per_class_iou[index])}
            for index, name in enumerate(run.classes)
        ]
        run.report(values, per_class, {"labels": list(run.classes), "matrix": matrix.long().tolist()} if len(run.classes) <= 201 else None)
        return
    run.report(values, _per_class(run, validator), _confusion(validator, run), threshold=validator.threshold, **_curves(run, validator))


def _part(run: Run, metrics: Any) -> Any:
    return metrics.seg if run.task == "segment" else metrics.pose if run.task == "pose" else metrics.box


def _per_class(run: Run, validator: Any) -> list[dict[str, Any]]:
    metrics = validator.metrics
    part, rows = _part(run, metrics), []
    names = list(run.classes) if not validator.args.single_cls else ["item"]
    for position, index in enumerate(metrics.ap_class_index):
        precision, recall, ap50, ap = (float(value) for value in part.class_result(position))
        row = {"index": int(index), "name": names[int(index)], "support": int(metrics.nt_per_class[int(index)])}
        rows.append({**row, "ap50": ap50, "ap50_95": ap, "precision": precision, "recall": recall})
    return rows


def _confusion(validator: Any, run: Run) -> dict[str, Any] | None:
    """The framework counts [predicted, truth]; the contract wants rows of truth. The last row and column are the background."""
    matrix = validator.confusion_matrix.matrix
    names = list(run.classes) if not validator.args.single_cls else ["item"]
    if len(names) > 200 or matrix.shape[0] != len(names) + 1:
        return None
    return {"labels": [*names, "background"], "matrix": matrix.T.astype(int).tolist()}


def _curves(run: Run, validator: Any) -> dict[str, Any]:
    """Precision over recall of each class, at most 101 points."""
    part = _part(run, validator.metrics)
    values = getattr(part, "prec_values", None)
    if values is None or len(values) == 0 or len(validator.metrics.ap_class_index) > 200:
        return {}
    step = max(1, len(part.px) // (_CURVE_POINTS - 1))
    x = [round(float(value), 4) for value in part.px[::step]][:_CURVE_POINTS]
    lines = [
        {"class": int(index), "x": x, "y": [round(float(value), 4) for value in values[position][::step]][:_CURVE_POINTS]}
        for position, index in enumerate(validator.metrics.ap_class_index)
    ]
    return {"curves": {"pr": lines}}
