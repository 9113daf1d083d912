"""Values the framework's validators count but do not report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trainer_sdk._metrics import classification_metrics


def classification_rows(validator: Any) -> list[tuple[int, list[int]]]:
    truth = [int(value) for part in validator.targets for value in part]
    ranked = [[int(value) for value in row] for part in validator.pred for row in part]
    return list(zip(truth, ranked, strict=True))


def classification_values(validator: Any, names: Sequence[str]) -> dict[str, float]:
    """top1, top5 and the macro means, from the validator's own ranking."""
    found = classification_metrics(names, classification_rows(validator))["metrics"]
    return {key: float(value) for key, value in found.items()}


def dice(matrix: Any) -> float:
    """Mean over the classes that occur in truth or prediction; rows are the truth."""
    if matrix is None:
        return 0.0
    counts = matrix.detach().cpu().double()
    both = counts.diagonal()
    total = counts.sum(0) + counts.sum(1)
    present = total > 0
    return float((2 * both[present] / total[present]).mean()) if bool(present.any()) else 0.0


#: Masks of the whole picture are large: few pictures at a time.
_MASK_BATCH = 4


def val_batch(task: str, batch: int) -> int:
    """Pictures at once in validation; the same in training and in evaluate, because it decides how far pictures are padded."""
    if task == "segment":
        return min(batch, _MASK_BATCH)
    return batch if task in ("obb", "semantic", "classify") else batch * 2


def judge_whole_masks(validator: Any) -> None:
    """The framework judges masks at a quarter of the size, which flatters their edges (0.45 for 0.36 in mask mAP 50-95 on small parts): here
    they are judged at the size of the input, as anybody who reads predictions.jsonl would."""
    from ultralytics.utils import ops

    begin = validator.init_metrics

    def with_whole(model: Any) -> None:
        begin(model)
        validator.process = ops.process_mask_native

    validator.init_metrics = with_whole
