"""Random changes of training images. Each is an object whose numbers can be read back; all randomness is torch's."""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image, ImageOps
from torchvision.transforms import v2


#: Linear share of an image that a random crop of a scene keeps.
_CROP = (0.5, 1.0)


def _between(low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand(()))


def _jitter(strength: float) -> Any:
    return v2.ColorJitter(brightness=strength, contrast=strength, saturation=strength) if strength > 0 else None


class Nothing:
    def __call__(self, image: Image.Image, label: Any) -> tuple[Image.Image, Any]:
        return image, label


class CropChanges:
    """classify: a random part of the image at the input size, mirrored, recoloured."""

    def __init__(self, size: int, scale: tuple[float, float], hflip: float, color: float, randaugment: bool) -> None:
        self.crop = v2.RandomResizedCrop(size, scale=scale, antialias=True)
        self.flip = v2.RandomHorizontalFlip(hflip)
        self.policy = v2.RandAugment() if randaugment else None
        self.color = _jitter(color)

    def __call__(self, image: Image.Image, label: int) -> tuple[Image.Image, int]:
        image = self.flip(self.crop(image))
        for change in (self.policy, self.color):
            image = change(image) if change is not None else image
        return image, label


class Window:
    """A window onto the image, of the image's own ratio: smaller = zoomed in, larger = zoomed out onto black."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def pick(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        share = _between(self.low, self.high)
        width, height = size[0] * share, size[1] * share
        left, top = (size[0] - width) * _between(0, 1), (size[1] - height) * _between(0, 1)
        return (left, top, left + width, top + height)


class BoxChanges:
    """detect: scaled and moved, mirrored, recoloured; boxes follow, and those mostly out of sight go."""

    def __init__(self, scale: tuple[float, float], visible: float, hflip: float, color: float) -> None:
        self.scale, self.visible, self.hflip = scale, visible, hflip
        # Objects get `s` times larger when the window shrinks to 1 / s.
        self.window = Window(1 / scale[1], 1 / scale[0])
        self.color = _jitter(color)

    def __call__(self, image: Image.Image, label: tuple[Any, Any]) -> tuple[Image.Image, tuple[Any, Any]]:
        boxes, classes = label
        left, top, right, bottom = (round(value) for value in self.window.pick(image.size))
        right, bottom = max(right, left + 1), max(bottom, top + 1)
        if (left, top, right, bottom) != (0, 0, *image.size):
            image = image.crop((left, top, right, bottom))
            moved = boxes - torch.tensor([left, top, left, top], dtype=torch.float32)
            edge = torch.tensor([right - left, bottom - top] * 2, dtype=torch.float32)
            cut = torch.minimum(moved.clamp(min=0), edge)
            kept = (_area(cut) > 0) & (_area(cut) >= self.visible * _area(moved))
            boxes, classes = cut[kept], classes[kept]
        if float(torch.rand(())) < self.hflip:
            image = ImageOps.mirror(image)
            boxes = torch.stack([image.width - boxes[:, 2], boxes[:, 1], image.width - boxes[:, 0], boxes[:, 3]], dim=1)
        return (self.color(image) if self.color is not None else image), (boxes, classes)


class MaskChanges:
    """semantic: a random part, mirrored, recoloured; the mask follows."""

    def __init__(self, crop: bool, hflip: float, color: float) -> None:
        self.window = Window(*_CROP) if crop else None
        self.hflip = hflip
        self.color = _jitter(color)

    def __call__(self, image: Image.Image, mask: Image.Image) -> tuple[Image.Image, Image.Image]:
        if self.window is not None:
            left, top, right, bottom = (round(value) for value in self.window.pick(image.size))
            part = (left, top, max(right, left + 1), max(bottom, top + 1))
            image, mask = image.crop(part), mask.crop(part)
        if float(torch.rand(())) < self.hflip:
            image, mask = ImageOps.mirror(image), ImageOps.mirror(mask)
        return (self.color(image) if self.color is not None else image), mask


def make_changes(task: str, size: int, config: Any) -> Any:
    if task == "classify":
        return CropChanges(size, tuple(config.rrc_scale), config.hflip, config.color_jitter, config.randaugment)
    if task == "detect":
        return BoxChanges(tuple(config.scale_jitter), config.min_visibility, config.hflip, config.color_jitter)
    return MaskChanges(config.random_crop, config.hflip, config.color_jitter)


def read_changes(task: str, changes: Any) -> dict[str, Any]:
    """Config values as the made objects hold them."""
    found: dict[str, Any] = {"color_jitter": round(changes.color.brightness[1] - 1, 6) if changes.color is not None else 0}
    if task == "classify":
        return {**found, "rrc_scale": list(changes.crop.scale), "hflip": changes.flip.p, "randaugment": changes.policy is not None}
    found["hflip"] = changes.hflip
    if task == "detect":
        window = changes.window
        return {**found, "scale_jitter": [round(1 / window.high, 6), round(1 / window.low, 6)], "min_visibility": changes.visible}
    return {**found, "random_crop": changes.window is not None}


def _area(boxes: torch.Tensor) -> torch.Tensor:
    return (boxes[:, 2] - boxes[:, 0]).clamp(min=0) * (boxes[:, 3] - boxes[:, 1]).clamp(min=0)
