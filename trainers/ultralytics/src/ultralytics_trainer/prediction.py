"""predict: the steps that an export of the model would carry, so that a checkpoint and its exports give the same."""

from __future__ import annotations

import time

from trainer_sdk import Run

from ultralytics_trainer.models import open_model
from ultralytics_trainer.pictures import read_rgb


def predict(run: Run) -> None:
    model = open_model(run)
    wanted = {"threshold": run.threshold, "iou": run.iou if "iou" in run.job.predict else None, "most": run.max_detections, "top": run.top_k}
    for sample in run.images:
        began = time.perf_counter()
        try:
            rgb = read_rgb(sample.path)
        except (OSError, ValueError) as error:
            run.skip(sample, str(error))
            continue
        read = time.perf_counter()
        line = model.predict(rgb, wanted)
        spent = {"pre": (read - began) * 1000, "infer": (time.perf_counter() - read) * 1000}
        size = (int(line.pop("width")), int(line.pop("height")))
        if "classes" in line:
            line["classes"] = [(entry["class"], entry["score"]) for entry in line["classes"]]
        run.prediction(sample, size=size, ms=spent, **line)
