"""Networks from configs and files, never from the network: random, from given weights, from a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from trainer_sdk import InputError, Run, Unsupported
from trainer_sdk._state import load_state, read_tensors

from huggingface_trainer.architectures import CLASSES, config_of
from huggingface_trainer.catalog import MODELS
from huggingface_trainer.processors import make_processor, restore_processor

#: In logits; the share of it by which places differ stays above the precision of fp32 for ten thousand places.
_STEP = 1 / 64


def build(run: Run, size: int, reduce_labels: bool) -> tuple[Any, Any]:
    """Network and image processor for the job's model; 69 when the size does not suit, 66 when the weights do not fit."""
    entry = MODELS[run.model]
    names = run.classes[1:] if reduce_labels else run.classes
    if not names:
        raise Unsupported("reduce_labels leaves no class to learn", "Switch reduce_labels off.", "unsupported.combination")
    weights = run.weights_path()
    processor = make_processor(entry.processor, size, run.task)
    try:
        config = config_of(run.model, size, tuple(names))
        if weights is None:
            net = CLASSES[entry.family][1](config)
        else:
            net = _with_weights(run, entry.family, config, size, weights)
        _try_size(net, run.model, size)
    except (ValueError, AssertionError) as error:
        hint = f"Leave image_size empty: its own size is {entry.size}."
        raise Unsupported(f"{run.model} does not work at {size} px: {error}"[:600], hint, "unsupported.combination") from error
    return _steady(net), processor


def _steady(net: Any) -> Any:
    """RT-DETR and D-FINE give the places with the best scores to the decoder. Scores that differ by rounding alone must not change which:
    outside training they are taken in steps, and of equal ones the first. Checkpoint and exports then choose alike on every runtime."""
    for name, module in net.named_modules():
        if name.rpartition(".")[2] == "enc_score_head":
            module.register_forward_hook(_in_steps)
    return net


def _in_steps(module: torch.nn.Module, _: Any, scores: torch.Tensor) -> torch.Tensor:
    if module.training:
        return scores
    count = scores.shape[1]
    order = torch.arange(count, device=scores.device, dtype=scores.dtype)[None, :, None]
    return torch.round(scores / _STEP) * _STEP - order * (_STEP / 2 / count)


def _try_size(net: Any, model: str, size: int) -> None:
    """One pass over an empty image: most networks tell only now that a size does not work."""
    try:
        with torch.inference_mode():
            net.eval()(pixel_values=torch.zeros(1, 3, size, size))
    except RuntimeError as error:
        raise ValueError(str(error).split("\n")[0]) from error
    finally:
        net.train()


def _with_weights(run: Run, family: str, config: Any, size: int, path: Path) -> Any:
    """Weights of a directory (their config decides the shape) or of one file. A head for other classes starts anew, with a warning."""
    state, saved = _read_weights(path)
    kind = CLASSES[family]
    if saved:
        if saved.get("model_type", family) != family:
            hint = f"They are {saved.get('model_type')} weights, {run.model} is {family}."
            raise InputError("the weights belong to another family", hint, "input.checkpoint_incompatible")
        labels = {"id2label": config.id2label, "label2id": config.label2id}
        # Sizes that only shape position tables follow the job; everything else follows the weights.
        own = {key: value for key, value in saved.items() if key not in ("id2label", "label2id", "num_labels", "_num_labels")}
        config = kind[0].from_dict({**own, **labels})
        if getattr(config, "image_size", None) is not None:
            config.image_size = [size, size] if isinstance(config.image_size, (list, tuple)) else size
    try:
        net, info = kind[1].from_pretrained(
            None, config=config, state_dict=state, ignore_mismatched_sizes=run.config.ignore_mismatched_sizes, output_loading_info=True
        )
    except (RuntimeError, ValueError, KeyError) as error:
        hint = "Set ignore_mismatched_sizes, or give weights made for this model and these classes."
        raise InputError(f"the weights do not fit {run.model}: {error}"[:1500], hint, "input.checkpoint_incompatible") from error
    missing, changed = sorted(info["missing_keys"]), sorted(str(entry[0]) for entry in info["mismatched_keys"])
    total = len(net.state_dict())
    if len(missing) + len(changed) > total / 2:
        hint = f"{total - len(missing) - len(changed)} of {total} tensors fit."
        raise InputError(f"the weights do not fit {run.model}", hint, "input.checkpoint_incompatible")
    if missing or changed:
        names = ", ".join((changed or missing)[:4])
        run.warn("pretrained_head_replaced", f"{len(missing) + len(changed)} tensors start anew for {len(run.classes)} classes: {names}.")
    return net


def _read_weights(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tensors by name, and the config beside them (empty when there is none). Nothing but tensors is unpickled."""
    try:
        if path.is_file():
            return _read_file(path), {}
        if (path / "trainyard.json").is_file():
            values = load_state(path)
            return dict(values["net"]), dict(values["model_config"])
        file = path / "config.json"
        saved = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        files = sorted(path.glob("*.safetensors")) or sorted(path.glob("pytorch_model*.bin")) or sorted(path.glob("*.pt*"))
        if not files:
            raise InputError("the weights' folder holds no *.safetensors and no pytorch_model.bin", None, "input.weights_missing")
        state: dict[str, Any] = {}
        for part in files:
            state |= _read_file(part)
        return state, saved
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"the weights cannot be read: {error}"[:1500], None, "input.weights_missing") from error


def _read_file(path: Path) -> dict[str, Any]:
    if path.suffix == ".safetensors":
        return read_tensors(path)
    found = torch.load(path, map_location="cpu", weights_only=True)
    return dict(found.get("state_dict", found.get("model", found)))


def device_of(run: Run) -> torch.device:
    if run.device == "cuda" and not torch.cuda.is_available():
        raise Unsupported("a GPU was asked for, torch sees none", "Run it on the CPU or check the driver.", "unsupported.device")
    return torch.device(run.device)


def load_checkpoint(run: Run) -> tuple[Any, Any, bool]:
    """Network (evaluation mode, CPU), image processor and reduce_labels of the job's checkpoint."""
    values = run.load()
    family = MODELS[run.model].family
    try:
        net = CLASSES[family][1](CLASSES[family][0].from_dict(dict(values["model_config"])))
        net.load_state_dict(values["net"])
        return _steady(net.eval()), restore_processor(dict(values["processor"])), bool(values["reduce_labels"])
    except (KeyError, TypeError, RuntimeError, ValueError) as error:
        hint = "It was made for another model or another number of classes."
        raise InputError(f"the checkpoint does not fit {run.model}: {error}"[:1500], hint, "input.checkpoint_incompatible") from error


def model_config(net: Any) -> dict[str, Any]:
    """JSON of the network's config, without what names this machine."""
    found = json.loads(net.config.to_json_string(use_diff=False))
    for key in ("_name_or_path", "transformers_version", "name_or_path"):
        found.pop(key, None)
    return dict(found)
