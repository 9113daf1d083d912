"""The contract's closed lists, in the words of plugin-sdk/src/vocabulary.ts and exit-codes.ts (a test compares them)."""

from __future__ import annotations

import re
from typing import Final

CONTRACT_VERSION: Final = "1.0"
SDK_VERSION: Final = "1.0.0"

VERBS: Final = ("describe", "validate", "train", "evaluate", "predict", "export")

#: task -> (dataset formats, prediction kind, primary metric, other canonical metrics)
TASKS: Final = {
    "classify": (("imagefolder@1",), "classification@1", "top1"),
    "detect": (("yolo-detect@1", "coco@1"), "instances@1", "map50_95"),
    "segment": (("yolo-segment@1", "coco@1"), "instances@1", "mask_map50_95"),
    "semantic": (("mask-png@1",), "semantic@1", "miou"),
    "pose": (("yolo-pose@1", "coco@1"), "instances@1", "pose_map50_95"),
    "obb": (("yolo-obb@1",), "instances@1", "map50_95"),
}

EXPORT_FORMATS: Final = ("onnx", "torchscript", "openvino", "ncnn", "executorch", "tflite", "coreml", "tensorrt")

MINIMISED: Final = ("loss", "box_loss", "cls_loss", "dfl_loss", "seg_loss", "pose_loss", "kobj_loss")
METRIC_NAME: Final = re.compile(r"[a-z][a-z0-9_/.-]{0,127}")

EXIT: Final = {
    "finished": 0,
    "usage": 64,
    "dataset": 65,
    "input": 66,
    "unsupported": 69,
    "internal": 70,
    "resource": 71,
    "output": 73,
    "io": 74,
    "stopped": 75,
    "diverged": 76,
    "verification": 77,
    "config": 78,
}

IMAGE_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


def direction_of(metric: str) -> str:
    """`min` for losses, else `max`."""
    return "min" if metric in MINIMISED else "max"
