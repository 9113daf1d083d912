"""Image files → tensors: decoding that survives odd files, timm's transforms, a loader whose order depends on seed and epoch only."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from typing import Any

import numpy
import torch
from PIL import Image, UnidentifiedImageError
from timm.data import create_transform
from torch.utils.data import DataLoader, Dataset
from trainer_sdk import Sample

#: Sixteen to compare an export on, one for its self-test.
HELD_OUT = 17
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


class Images(Dataset):
    """Yields (tensor, label, position), or None for a file that cannot be read. Small sets are decoded once and kept."""

    def __init__(self, samples: list[Sample], transform: Any, keep: bool) -> None:
        self.samples = samples
        self.transform = transform
        self._room = _CACHE_BYTES if keep else 0
        self._kept: dict[int, Image.Image] = {}

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, position: int) -> tuple[Any, int, int] | None:
        image = self._kept.get(position)
        if image is None:
            try:
                image = open_rgb(self.samples[position].path)
            except Unreadable:
                return None
            size = image.width * image.height * 3
            if size <= self._room:
                self._room -= size
                self._kept[position] = image
        return self.transform(image), self.samples[position].label or 0, position


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


def collate(rows: list[tuple[Any, int, int] | None]) -> tuple[Any, Any, list[int], int]:
    good = [row for row in rows if row is not None]
    if not good:
        return torch.empty(0), torch.empty(0, dtype=torch.long), [], len(rows)
    images = torch.stack([row[0] for row in good])
    labels = torch.tensor([row[1] for row in good])
    return images, labels, [row[2] for row in good], len(rows) - len(good)


class EpochBatches:
    """Batches of one epoch in an order made from seed and epoch; `skip` leaves out those done before a stop."""

    def __init__(self, count: int, batch: int, seed: int) -> None:
        self.count, self.batch, self.seed = count, batch, seed
        self.epoch = self.skip = 0

    def __len__(self) -> int:
        full, rest = divmod(self.count, self.batch)
        # Batch norm cannot learn from a single image.
        return full + (rest > 1 or (rest == 1 and full == 0))

    def __iter__(self) -> Iterator[list[int]]:
        order = torch.randperm(self.count, generator=torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)).tolist()
        for index in range(self.skip, len(self)):
            yield order[index * self.batch : (index + 1) * self.batch]


def seed_worker(_worker: int) -> None:
    seed = torch.initial_seed() % 2**32
    random.seed(seed)
    numpy.random.seed(seed)


def loader_of(images: Images, batches: Any, workers: int, cuda: bool) -> DataLoader:
    extra: dict[str, Any] = {"persistent_workers": True, "worker_init_fn": seed_worker} if workers else {}
    # A generator of its own: starting an epoch must not draw from the global one, or a resumed run would see other augmentations.
    extra["generator"] = torch.Generator()
    return DataLoader(images, batch_sampler=batches, num_workers=workers, collate_fn=collate, pin_memory=cuda, **extra)


def eval_transform(data: dict[str, Any]) -> Any:
    size = data["size"]
    shown = {key: data[key] for key in ("mean", "std", "interpolation", "crop_pct", "crop_mode")}
    return create_transform((3, size, size), is_training=False, **shown)


def train_transform(data: dict[str, Any], config: Any) -> Any:
    size = data["size"]
    jitter = {"color_jitter": config.color_jitter or None, "color_jitter_prob": config.color_jitter_prob}
    return create_transform(
        (3, size, size), is_training=True, no_aug=config.no_aug, scale=tuple(config.scale), ratio=tuple(config.ratio),
        hflip=config.hflip, vflip=config.vflip, auto_augment=config.aa, re_prob=config.reprob, re_mode=config.remode,
        re_count=config.recount, train_crop_mode=config.train_crop_mode, mean=data["mean"], std=data["std"],
        interpolation=data["interpolation"] if config.no_aug else config.train_interpolation, **jitter,
    )  # fmt: skip


def preprocess_ops(data: dict[str, Any]) -> list[dict[str, Any]]:
    """The evaluation transform as the contract's op list."""
    size = data["size"]
    scaled = int(size / data["crop_pct"])
    stretch = data["crop_mode"] == "squash"
    resize = {"op": "resize", "mode": "stretch" if stretch else "shorter-edge", "size": [scaled, scaled] if stretch else scaled}
    return [
        {"op": "decode", "color": "rgb"},
        {**resize, "interpolation": data["interpolation"], "antialias": True, "round": "uint8"},
        {"op": "crop", "mode": "center", "size": [size, size]},
        {"op": "rescale", "factor": 1 / 255},
        {"op": "normalize", "mean": list(data["mean"]), "std": list(data["std"])},
        {"op": "transpose", "layout": "NCHW"},
    ]
