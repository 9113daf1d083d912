"""Small copies of validation images that travel in the checkpoint: an export has no dataset, yet is to be compared on real images."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy
from PIL import Image
from trainer_sdk import Sample

#: Sixteen to compare an export on, one for its self-test.
COUNT = 17


def read_rgb(path: Path) -> Any:
    """uint8 height x width x 3, decoded as the framework does (8 bits, orientation applied). Raises OSError."""
    from ultralytics.utils.patches import imread

    found = imread(str(path))
    if found is None:
        raise OSError("the image cannot be decoded")
    return cv2.cvtColor(found, cv2.COLOR_BGR2RGB)


def held_out(samples: Sequence[Sample], size: int) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for sample in samples[:: max(1, len(samples) // COUNT)]:
        try:
            image = Image.fromarray(read_rgb(sample.path))
        except (OSError, ValueError, cv2.error):
            continue
        image.thumbnail((size, size))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=95)
        found[f"held-out-{len(found):02}.jpg"] = buffer.getvalue()
        if len(found) == COUNT:
            break
    return found


def kept(folder: Path | None, size: int) -> list[Any]:
    """RGB arrays, COUNT of them: those of the checkpoint, smooth patterns where a small split left too few."""
    files = sorted((folder / "files").glob("held-out-*.jpg")) if folder is not None else []
    found = [numpy.asarray(Image.open(file).convert("RGB")) for file in files]
    random = numpy.random.default_rng(0)
    while len(found) < COUNT:
        coarse = Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype="uint8"))
        found.insert(0, numpy.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC)))
    return found
