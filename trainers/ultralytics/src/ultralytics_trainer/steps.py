"""The op lists before and after a network (contract.md 8.3 to 8.5), and what its outputs mean."""

from __future__ import annotations

from typing import Any

from ultralytics_trainer.catalogue import Network

Op = dict[str, Any]
_RAW = {"detect": "yolo-raw", "segment": "yolo-seg-raw", "pose": "yolo-pose-raw", "obb": "yolo-obb-raw"}


def before(task: str, network: Network, size: int) -> list[Op]:
    """Classify: the shorter edge to size, its middle, as Pillow filters. RT-DETR: stretched. The others: letterbox, grey 114 around."""
    steps: list[Op] = [{"op": "decode", "color": "rgb"}]
    if task == "classify":
        steps += [
            {"op": "resize", "mode": "shorter-edge", "size": size, "interpolation": "bilinear", "antialias": True, "round": "uint8"},
            {"op": "crop", "mode": "center", "size": [size, size]},
        ]
    elif network.rtdetr:
        steps.append({"op": "resize", "mode": "stretch", "size": [size, size], "interpolation": "bilinear", "antialias": False, "round": "uint8"})
    else:
        steps.append(
            {
                "op": "resize", "mode": "letterbox", "size": [size, size], "interpolation": "bilinear", "antialias": False, "round": "uint8",
                "align": "center", "scaleUp": True, "padValue": [114, 114, 114],
            }
        )  # fmt: skip
    return [*steps, {"op": "rescale", "factor": 1 / 255}, {"op": "transpose", "layout": "NCHW"}]


def semantics_of(task: str, network: Network, end_to_end: bool) -> list[str]:
    """One for each output. `end_to_end`: the file holds the NMS, or the head needs none."""
    if task == "classify":
        return ["probs"]
    if task == "semantic":
        return ["semantic-logits"]
    first = "yolo-end2end" if end_to_end or network.end_to_end or network.rtdetr else _RAW[task]
    return [first, first] if task == "segment" else [first]


def after(
    task: str, network: Network, data: dict[str, Any], classes: int, end_to_end: bool,
    threshold: float = 0.25, iou: float | None = None, most: int | None = None, top: int = 5,
) -> list[Op]:  # fmt: skip
    if task == "classify":
        return [{"op": "decode", "scheme": "probs"}, {"op": "topk", "k": min(top, classes)}]
    if task == "semantic":
        return [{"op": "upsample", "to": "input", "interpolation": "bilinear", "alignCorners": False}, {"op": "argmax", "axis": 1}, {"op": "scale-back"}]
    scheme = semantics_of(task, network, end_to_end)[0]
    decode: Op = {"op": "decode", "scheme": scheme, "classes": classes}
    if task == "pose" and data.get("keypoints"):
        decode["keypoints"] = list(data["keypoints"])
    steps: list[Op] = [decode, {"op": "threshold", "score": threshold}]
    most = most or int(data["max_det"])
    if scheme == "yolo-end2end":
        steps.append({"op": "topk", "k": most})
    else:
        nms: Op = {"op": "nms", "iou": float(data["iou"] if iou is None else iou), "classAgnostic": False, "maxDetections": most}
        steps.append({**nms, "metric": "probiou"} if task == "obb" else nms)
    if task == "segment":
        steps.append({"op": "mask-assemble", "threshold": 0.5})
    return [*steps, {"op": "scale-back"}]
