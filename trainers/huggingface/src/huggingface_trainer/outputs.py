"""What a network says about a batch -> classes, instances or masks of the original images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy
import torch
from PIL import Image
from trainer_sdk import Sample

#: Of a picture; as many findings as queries have room in every model here.
MOST = 300
#: Logit of a class that is never predicted (reduce_labels).
NEVER = -1e4


@dataclass(frozen=True)
class Found:
    """One image: `scores` (classify), `instances` (detect) or `mask` (semantic, uint8 in the original size)."""

    scores: list[float] | None = None
    instances: list[dict[str, Any]] | None = None
    mask: Any = None


def found_of(line: dict[str, Any], classes: int) -> Found:
    """From what the wrapper of an exported model says; classes it does not name have no score."""
    if "classes" in line:
        scores = [0.0] * classes
        for entry in line["classes"]:
            scores[entry["class"]] = entry["score"]
        return Found(scores=scores)
    return Found(instances=line.get("instances"), mask=line.get("mask"))


def tensors_of(task: str, output: Any, reduce_labels: bool = False) -> list[torch.Tensor]:
    """The output tensors an export has, in its order: logits, and for detect boxes as cx cy w h in 0-1."""
    logits = _whole(output.logits)
    if task == "detect":
        return [logits, _whole(output.pred_boxes)]
    if task == "semantic" and reduce_labels:
        never = torch.full_like(logits[:, :1], NEVER)
        return [torch.cat([never, logits], dim=1)]
    return [logits]


def _whole(tensor: torch.Tensor) -> torch.Tensor:
    """fp32, without a conversion in an exported graph: runtimes drop one and show the name before it."""
    return tensor if tensor.dtype == torch.float32 else tensor.float()


def read_batch(task: str, tensors: Sequence[torch.Tensor], sizes: Sequence[tuple[int, int]], side: int, sigmoid: bool) -> list[Found]:
    """`sizes` are (width, height) of the originals; `side` is the network's input."""
    if task == "classify":
        return [Found(scores=row) for row in torch.softmax(tensors[0], dim=1).tolist()]
    if task == "semantic":
        grown = torch.nn.functional.interpolate(tensors[0], size=(side, side), mode="bilinear", align_corners=False)
        masks = grown.argmax(dim=1).to(torch.uint8).numpy()
        return [
            Found(mask=numpy.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST)))
            for mask, size in zip(masks, sizes, strict=True)
        ]
    pick = _pairs if sigmoid else _best
    return [Found(instances=_instances(*pick(logits, boxes), size)) for logits, boxes, size in zip(*tensors, sizes, strict=True)]


def _pairs(logits: torch.Tensor, boxes: torch.Tensor) -> tuple[Any, Any, Any]:
    """A query may speak for several classes: the best (query, class) pairs, as many as there are queries."""
    scores = logits.sigmoid()
    best, index = scores.flatten().topk(min(len(boxes), MOST))
    return best, index % scores.shape[1], boxes[index // scores.shape[1]]


def _best(logits: torch.Tensor, boxes: torch.Tensor) -> tuple[Any, Any, Any]:
    """The last logit means "no object"."""
    scores, classes = logits.softmax(dim=-1)[:, :-1].max(dim=-1)
    return scores, classes, boxes


def _instances(scores: Any, classes: Any, boxes: Any, size: tuple[int, int]) -> list[dict[str, Any]]:
    edge = torch.tensor([size[0], size[1]], dtype=torch.float32)
    corners = torch.cat([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], dim=1) * edge.repeat(2)
    corners = torch.minimum(corners.clamp(min=0), edge.repeat(2))
    rows = zip(classes.tolist(), scores.tolist(), corners.tolist(), strict=True)
    return [{"class": index, "score": score, "box": box} for index, score, box in rows]


def look(
    samples: Sequence[tuple[Sample, Image.Image]], processor: Any, forward: Callable[[torch.Tensor], list[torch.Tensor]], task: str,
    side: int, sigmoid: bool,
) -> Iterator[tuple[Sample, tuple[int, int], Found]]:  # fmt: skip
    """One batch of decoded images."""
    if not samples:
        return
    pixels = processor(images=[image for _, image in samples], return_tensors="pt")["pixel_values"]
    sizes = [(image.width, image.height) for _, image in samples]
    for (sample, _), size, found in zip(samples, sizes, read_batch(task, forward(pixels), sizes, side, sigmoid), strict=True):
        yield sample, size, found
