"""The library's image processors, made for one input size, and what they do written as operations (contract.md 8.3)."""

from __future__ import annotations

from typing import Any

from PIL import Image
from torchvision.transforms.v2 import functional
from transformers import BitImageProcessor, ConvNextImageProcessor, MobileViTImageProcessor, ViTImageProcessor

_MEAN, _STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
_NAMES = {Image.Resampling.NEAREST: "nearest", Image.Resampling.BILINEAR: "bilinear", Image.Resampling.BICUBIC: "bicubic"}

class _Centred:
    """Crops where contract.md 8.3 does: half a pixel is rounded to even; the library cuts it off."""

    def center_crop(self, image: Any, size: Any, **_: Any) -> Any:
        return functional.center_crop(image, [size.height, size.width])


class BitCentred(_Centred, BitImageProcessor):
    pass


class ConvNextCentred(_Centred, ConvNextImageProcessor):
    pass


class MobileViTCentred(_Centred, MobileViTImageProcessor):
    pass


_CLASSES: dict[str, Any] = {"stretch": ViTImageProcessor, "crop": BitCentred, "shrink": ConvNextCentred, "flipped": MobileViTCentred}
#: ConvNeXT's processor stretches from here on instead of cropping.
_WARPS_FROM = 384


def make_processor(kind: str, size: int, task: str) -> Any:
    """`size` is the side of the square that reaches the network."""
    square = {"height": size, "width": size}
    if kind == "stretch":
        if task == "detect":
            return ViTImageProcessor(size=square, resample=Image.Resampling.BILINEAR, do_normalize=False)
        if task == "semantic":
            return ViTImageProcessor(size=square, resample=Image.Resampling.BILINEAR, image_mean=_MEAN, image_std=_STD)
        return ViTImageProcessor(size=square)
    if kind == "crop":
        return BitCentred(size={"shortest_edge": round(size * 256 / 224)}, crop_size=square, image_mean=_MEAN, image_std=_STD)
    if kind == "shrink":
        return ConvNextCentred(size={"shortest_edge": size}, crop_pct=0.875, image_mean=_MEAN, image_std=_STD)
    edge = {"shortest_edge": round(size * 288 / 256)}
    return MobileViTCentred(size=edge, crop_size=square, resample=Image.Resampling.BILINEAR)


def restore_processor(saved: dict[str, Any]) -> Any:
    """A processor from what `to_dict` wrote into a checkpoint."""
    options = {key: value for key, value in saved.items() if key not in ("image_processor_type", "kind")}
    return _CLASSES[saved["kind"]](**options)


def saved_processor(kind: str, processor: Any) -> dict[str, Any]:
    keys = (
        "size", "crop_size", "crop_pct", "resample", "image_mean", "image_std", "rescale_factor", "do_resize", "do_center_crop",
        "do_rescale", "do_normalize", "do_flip_channel_order",
    )  # fmt: skip
    found: dict[str, Any] = {"kind": kind}
    for key in keys:
        value = getattr(processor, key, None)
        if value is None:
            continue
        if key in ("size", "crop_size"):
            value = {name: int(side) for name, side in dict(value).items() if side is not None}
        found[key] = int(value) if key == "resample" else list(value) if isinstance(value, tuple) else value
    return found


def input_size(processor: Any) -> int:
    """Side of the square that leaves the processor."""
    if getattr(processor, "do_center_crop", None):
        return int(processor.crop_size["height"])
    size = dict(processor.size)
    return int(size.get("height") or size["shortest_edge"])


def without_resize(processor: Any) -> dict[str, Any]:
    """Call options for images that already have the input size."""
    return {"do_resize": False, "do_center_crop": False} if getattr(processor, "do_center_crop", None) else {"do_resize": False}


def preprocess_ops(processor: Any) -> list[dict[str, Any]]:
    """torchvision resizes bytes with a filter and rounds: antialias and uint8."""
    flipped = bool(getattr(processor, "do_flip_channel_order", False))
    ops: list[dict[str, Any]] = [{"op": "decode", "color": "bgr" if flipped else "rgb"}, *_resize_ops(processor)]
    if processor.do_rescale:
        ops.append({"op": "rescale", "factor": float(processor.rescale_factor)})
    if processor.do_normalize:
        ops.append({"op": "normalize", "mean": list(map(float, processor.image_mean)), "std": list(map(float, processor.image_std))})
    return [*ops, {"op": "transpose", "layout": "NCHW"}]


def _resize_ops(processor: Any) -> list[dict[str, Any]]:
    side = input_size(processor)
    resize: dict[str, Any] = {
        "op": "resize", "mode": "stretch", "size": [side, side], "interpolation": _NAMES[Image.Resampling(int(processor.resample))],
        "antialias": True, "round": "uint8",
    }  # fmt: skip
    edge = dict(processor.size).get("shortest_edge")
    if edge is None:
        return [resize]
    crop_pct = getattr(processor, "crop_pct", None)
    if crop_pct is not None and isinstance(processor, ConvNextImageProcessor):
        if edge >= _WARPS_FROM:
            return [resize]
        edge = int(edge / crop_pct)
    return [{**resize, "mode": "shorter-edge", "size": int(edge)}, {"op": "crop", "mode": "center", "size": [side, side]}]
