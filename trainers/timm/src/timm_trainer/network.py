"""Builds timm networks: size, dropout, initial weights from a file, never from the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import timm
import torch
from timm.data import resolve_data_config
from timm.models import get_pretrained_cfg
from trainer_sdk import InputError, Run, Unsupported

from timm_trainer.weights import load_weights


def build(model: str, classes: int, size: int, drop: float = 0.0, drop_path: float | None = None, weights: Path | None = None) -> Any:
    """The network; 69 when the architecture refuses the size, 66 when the weights do not fit."""
    cfg = get_pretrained_cfg(model)
    options: dict[str, Any] = {"num_classes": classes, "drop_rate": drop}
    if drop_path is not None:
        options["drop_path_rate"] = drop_path
    fixed = cfg is not None and cfg.fixed_input_size and cfg.input_size[-1] != size
    if fixed:
        options["img_size"] = size
    try:
        net = timm.create_model(model, **options)
        if cfg is not None and cfg.input_size[-1] != size:
            _try_size(net, model, size, cfg.input_size[-1])
        if weights is not None:
            load_weights(net, model, weights)
        return net
    except TypeError as error:
        if drop_path is not None and "drop_path" in str(error):
            return build(model, classes, size, drop, None, weights)
        raise Unsupported(
            f"{model} cannot be built with these settings: {error}", "Leave image_size and drop at their defaults."
        ) from error
    except (AssertionError, ValueError) as error:
        if not fixed:
            raise
        hint = f"Leave image_size empty: its own size is {cfg.input_size[-1]}." if cfg is not None else None
        raise Unsupported(f"{model} does not work at {size} px: {error}", hint) from error


def _try_size(net: Any, model: str, size: int, own: int) -> None:
    """One pass over an empty image: most networks tell only now that a size does not work."""
    try:
        with torch.inference_mode():
            net.eval()(torch.zeros(1, 3, size, size))
    except (RuntimeError, AssertionError, ValueError) as error:
        hint = f"Leave image_size empty: its own size is {own}."
        raise Unsupported(f"{model} does not work at {size} px: {error}"[:500], hint) from error
    finally:
        net.train()


def data_of(net: Any, size: int) -> dict[str, Any]:
    """How images become input, from the architecture's own config."""
    found = resolve_data_config({}, pretrained_cfg=net.pretrained_cfg)
    mode = "squash" if found.get("crop_mode") == "squash" else "center"
    interpolation = found["interpolation"] if found["interpolation"] in ("bilinear", "bicubic") else "bicubic"
    return {
        "size": size, "mean": list(found["mean"]), "std": list(found["std"]), "interpolation": interpolation,
        "crop_pct": float(found["crop_pct"]), "crop_mode": mode,
    }  # fmt: skip


def device_of(run: Run) -> torch.device:
    if run.device == "cuda" and not torch.cuda.is_available():
        raise Unsupported("a GPU was asked for, torch sees none", "Run it on the CPU or check the driver.", "unsupported.device")
    return torch.device(run.device)


def load_checkpoint(run: Run) -> tuple[Any, dict[str, Any]]:
    """Network (evaluation mode, CPU) and data settings of the job's checkpoint."""
    values = run.load()
    try:
        data = values["data"]
        net = build(run.model, len(run.classes), data["size"])
        net.load_state_dict(values["net"])
    except (KeyError, TypeError, RuntimeError) as error:
        hint = "It was made for another model or another number of classes."
        raise InputError(f"the checkpoint does not fit {run.model}: {error}"[:1500], hint, "input.checkpoint_incompatible") from error
    return net.eval(), data
