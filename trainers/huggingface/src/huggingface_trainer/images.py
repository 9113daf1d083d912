"""Image files as data sets of the trainer: decoding that survives odd files, changes that depend on seed, epoch and image only."""

from __future__ import annotations

import io
from typing import Any

import numpy
import torch
from PIL import Image, UnidentifiedImageError
from torch.utils.data import Dataset
from trainer_sdk import Sample

from huggingface_trainer.processors import input_size, without_resize

#: Sixteen to compare an export on, one for its self-test.
HELD_OUT = 17
IGNORED = 255
_CACHE_BYTES = 256 * 1024 * 1024
Unreadable = (OSError, UnidentifiedImageError, SyntaxError, ValueError, Image.DecompressionBombError)


def open_rgb(path: Any) -> Image.Image:
    """Three channels of 8 bits; 16-bit grey is scaled, transparency laid on black."""
    with Image.open(path) as image:
        image.load()
        if image.mode.startswith("I;16") or image.mode == "I":
            data = numpy.asarray(image).astype("float32")
            return Image.fromarray((data / max(65535.0, float(data.max())) * 255).astype("uint8")).convert("RGB")
        if image.mode in ("P", "LA", "PA") or "transparency" in image.info:
            return image.convert("RGBA").convert("RGB")
        return image.convert("RGB")


def open_mask(path: Any) -> Image.Image:
    """One class index a pixel; 255 is left out."""
    with Image.open(path) as image:
        image.load()
        return image.copy() if image.mode in ("L", "P") else image.convert("L")


def held_out(samples: list[Sample], size: int) -> dict[str, bytes]:
    """Small copies of validation images that travel in the checkpoint: an export has no dataset, yet is to be compared on real images."""
    found: dict[str, bytes] = {}
    for sample in samples[:: max(1, len(samples) // HELD_OUT)]:
        try:
            image = open_rgb(sample.path)
        except Unreadable:
            continue
        image.thumbnail((2 * size, 2 * size))
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        found[f"held-out-{len(found):02d}.png"] = buffer.getvalue()
        if len(found) == HELD_OUT:
            break
    return found


class Images(Dataset):
    """Yields (image, label) after the changes, or None for a file that cannot be read. Small sets are decoded once and kept.

    The random state is set from (seed, epoch, position) for each image, so neither the order of loading nor a resume changes what
    comes out. Nothing is written into a cache on disk (trap of contract.md 13.3: pixel tensors mapped into the dataset cache).
    """

    def __init__(self, samples: list[Sample], task: str, changes: Any, seed: int, keep: bool) -> None:
        self.samples, self.task, self.changes, self.seed = samples, task, changes, seed
        self.epoch = 0
        self.skipped = 0
        self._room = _CACHE_BYTES if keep else 0
        self._kept: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, position: int) -> tuple[Any, Any] | None:
        pair = self._kept.get(position)
        if pair is None:
            try:
                pair = self._read(self.samples[position])
            except Unreadable:
                self.skipped += 1
                return None
            size = pair[0].width * pair[0].height * 4
            if size <= self._room:
                self._room -= size
                self._kept[position] = pair
        generator = torch.default_generator
        outside = generator.get_state()
        generator.manual_seed((self.seed * 1_000_003 + self.epoch) * 1_000_003 + position)
        try:
            return self.changes(*pair)
        finally:
            generator.set_state(outside)

    def _read(self, sample: Sample) -> tuple[Image.Image, Any]:
        image = open_rgb(sample.path)
        if self.task == "classify":
            return image, sample.label or 0
        if self.task == "semantic":
            mask = open_mask(sample.mask)
            return image, mask if mask.size == image.size else mask.resize(image.size, Image.Resampling.NEAREST)
        things = [thing for thing in sample.objects if not thing.crowd]
        boxes = torch.tensor([thing.box for thing in things], dtype=torch.float32).reshape(-1, 4)
        return image, (boxes, torch.tensor([thing.cls for thing in things], dtype=torch.long))


class Collate:
    """A list of what `Images` yields -> the arguments of the model. Unreadable ones are left out; an empty batch is None."""

    def __init__(self, processor: Any, task: str, resized: bool, reduce_labels: bool = False) -> None:
        self.processor, self.task, self.reduce_labels = processor, task, reduce_labels
        self.options = without_resize(processor) if resized else {}
        self.size = input_size(processor)

    def __call__(self, rows: list[tuple[Any, Any] | None]) -> dict[str, Any]:
        good = [row for row in rows if row is not None]
        if not good:
            return {}
        pixels = self.processor(images=[image for image, _ in good], return_tensors="pt", **self.options)["pixel_values"]
        return {"pixel_values": pixels, "labels": self._labels(good)}

    def _labels(self, rows: list[tuple[Any, Any]]) -> Any:
        if self.task == "classify":
            return torch.tensor([label for _, label in rows])
        if self.task == "semantic":
            return torch.stack([self._mask(mask) for _, mask in rows])
        return [{"class_labels": classes, "boxes": _unit(boxes, image.size)} for image, (boxes, classes) in rows]

    def _mask(self, mask: Image.Image) -> torch.Tensor:
        values = numpy.array(mask.resize((self.size, self.size), Image.Resampling.NEAREST), dtype="int64")
        if self.reduce_labels:
            values = numpy.where((values == 0) | (values == IGNORED), IGNORED, values - 1)
        return torch.from_numpy(values)


def _unit(boxes: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """x1 y1 x2 y2 in pixels -> cx cy w h in 0-1."""
    scaled = boxes / torch.tensor([size[0], size[1]] * 2, dtype=torch.float32)
    return torch.cat([(scaled[:, :2] + scaled[:, 2:]) / 2, scaled[:, 2:] - scaled[:, :2]], dim=1)
