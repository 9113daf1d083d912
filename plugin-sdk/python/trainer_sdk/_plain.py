"""What describe_export does for a trainer without NumPy (its arrays are `Tensor`): the same comparison, self-test and refusals, for classes."""

from __future__ import annotations

import json
import math
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ._errors import TrainerError, VerificationError
from ._graph import Tensor, load_graph, save_npy
from ._images import image_size, write_png
from ._parity import TOLERANCE
from ._predictions import class_entries

Outputs = Callable[[Tensor], Sequence[Tensor]]


def plain_runner(model: Path) -> Outputs:
    """The exported file, read back. Raises VerificationError when this SDK's reader cannot."""
    try:
        return load_graph(model)
    except (ValueError, KeyError, IndexError) as error:
        raise VerificationError(f"the exported file does not load: {error}", None, "verification.unloadable") from error


def compare_plain(meta: dict[str, Any], pairs: Sequence[tuple[Sequence[Tensor], Sequence[Tensor]]]) -> tuple[list[dict[str, Any]], float]:
    """Differences by output and the share of equal best classes; raises VerificationError (77)."""
    kind = str(meta["outputs"][0]["semantics"])
    if kind not in ("logits", "probs") or len(meta["outputs"]) != 1:
        raise TrainerError(f"an export of {kind} needs NumPy", "Add numpy to the trainer's environment.", "internal.protocol")
    allowed = TOLERANCE["logits" if kind == "logits" else "scores"][0]
    worst = mean = 0.0
    agreed = 0
    for wanted, got in pairs:
        a, b = wanted[0], got[0]
        if a.shape != b.shape or not all(map(math.isfinite, b.values)):
            raise VerificationError(f"output 0: shape {list(b.shape)} or values differ from the checkpoint's {list(a.shape)}")
        deltas = [abs(x - y) for x, y in zip(a.values, b.values, strict=True)]
        worst, mean = max(worst, *deltas), mean + sum(deltas) / len(deltas) / len(pairs)
        agreed += a.values.index(max(a.values)) == b.values.index(max(b.values))
    name = meta["outputs"][0]["name"]
    if worst > allowed:
        hint = "The exported model computes something else; keep the checkpoint and report this."
        raise VerificationError(f"output {name} differs by {worst:.3g}, allowed is {allowed:g}", hint)
    if agreed < len(pairs):
        raise VerificationError(f"the exported model agrees on {agreed} of {len(pairs)} images only", None, "verification.accuracy_drop")
    return [{"name": name, "maxAbs": worst, "meanAbs": mean, "tolerance": allowed}], 1.0


def write_plain_selftest(folder: Path, image: Path, tensor: Tensor, outputs: Sequence[Tensor], meta: dict[str, Any], expected: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if image != folder / "input.png":
        shutil.copyfile(image, folder / "input.png")
    width, height = image_size(folder / "input.png")
    save_npy(folder / "input.npy", tensor)
    for index, output in enumerate(outputs):
        save_npy(folder / f"output-{index}.npy", output)
    if expected is None:
        values = outputs[0].values
        top = next((int(op["k"]) for op in meta["postprocess"] if op["op"] == "topk"), 5)
        entries = class_entries(softmax(values) if meta["outputs"][0]["semantics"] == "logits" else values, None, top)[0]
        expected = {"classes": entries}
    line = {"image": "selftest/input.png", "width": width, "height": height, **expected}
    (folder / "expected.json").write_text(json.dumps(line) + "\n", encoding="utf-8")


def softmax(values: Sequence[float]) -> list[float]:
    top = max(values)
    powers = [math.exp(value - top) for value in values]
    return [power / sum(powers) for power in powers]


def draw_picture(path: Path, width: int = 47, height: int = 38, seed: int = 1) -> Path:
    """A drawing of a few strokes on a shaded ground, as RGB PNG: a self-test image for trainers that keep no held-out image."""
    rng = random.Random(seed)
    data = bytearray(value for at in range(width * height) for value in (60 + 40 * at // (width * height) + rng.randrange(20),) * 3)
    for _ in range(4):
        x, y, angle = rng.random() * width, rng.random() * height, rng.random() * 2 * math.pi
        ink = bytes(rng.randrange(120, 256) for _ in range(3))
        while 0 <= x < width and 0 <= y < height:
            at = 3 * (int(y) * width + int(x))
            data[at : at + 3] = ink
            x, y = x + math.cos(angle) / 2, y + math.sin(angle) / 2
    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(path, width, height, bytes(data), 3)
    return path
