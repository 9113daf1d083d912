"""Mixed precision and the batch that fits, both only on a GPU."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from trainer_sdk import Run

from timm_trainer.plan import Plan

_SHARE = 0.6
_TRIAL = 8


def autocast_of(run: Run, plan: Plan, device: torch.device) -> tuple[Callable[[], Any], Any]:
    """A context for the forward pass and a gradient scaler (inactive unless fp16)."""
    if device.type != "cuda":
        if run.config.precision not in ("auto", "fp32"):
            run.warn("amp_disabled", "Mixed precision needs a GPU; fp32 is used.")
        return nullcontext, torch.amp.GradScaler("cpu", enabled=False)
    wanted = plan["precision"]
    if wanted == "amp-bf16" and not torch.cuda.is_bf16_supported():
        wanted = "amp-fp16"
        plan.put("precision", wanted, None, "this GPU has no bf16", "auto" if run.config.precision == "auto" else "overridden")
    scaler = torch.amp.GradScaler("cuda", enabled=wanted == "amp-fp16")
    if wanted == "fp32":
        return nullcontext, scaler
    kind = torch.bfloat16 if wanted == "amp-bf16" else torch.float16
    return lambda: torch.autocast("cuda", dtype=kind), scaler


def batch_for_gpu(net: Any, size: int, cast: Callable[[], Any]) -> int:
    """Largest power of two whose activations stay below 60 % of the free memory, from one trial step."""
    # A copy: the trial must not move the batch-norm statistics of the real network.
    net = copy.deepcopy(net).train()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    with cast():
        net(torch.zeros(_TRIAL, 3, size, size, device="cuda")).sum().backward()
    each = max(1, (torch.cuda.max_memory_allocated() - before) // _TRIAL)
    del net
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info()
    fits = max(2, int(free * _SHARE // each))
    return min(2048, 1 << (fits.bit_length() - 1))
