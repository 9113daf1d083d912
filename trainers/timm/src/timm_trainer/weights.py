"""Initial weights from a file: everything but the classifier must fit, by name or, for torchvision's files, in order."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from trainer_sdk import InputError
from trainer_sdk._state import load_state, read_tensors

State = dict[str, torch.Tensor]
#: What timm's modules call the function that turns a published file into their own names.
_FILTERS = ("checkpoint_filter_fn", "pretrained_filter_fn", "_filter_fn", "_filter_torchvision_pretrained")
_COUNTER = ".num_batches_tracked"


def load_weights(net: Any, model: str, path: Path) -> None:
    """Fills all of `net` but its classifier. Raises InputError (66) when the file cannot be read or does not fit."""
    state = state_of(path)
    own: State = net.state_dict()
    body = {name: tensor for name, tensor in own.items() if not name.startswith(_heads(net)) and not name.endswith(_COUNTER)}
    for named in _namings(net, state, own):
        if all(name in named and named[name].shape == tensor.shape for name, tensor in body.items()):
            net.load_state_dict({name: named[name] for name in own if name in body or (name.endswith(_COUNTER) and name in named)}, strict=False)
            return
    misfits = [name for name, tensor in body.items() if name not in state or state[name].shape != tensor.shape]
    first = misfits[0]
    found = f"has shape {list(state[first].shape)} there" if first in state else "is not in it"
    raise InputError(
        f"the weights do not fit {model}: {len(misfits)} of its {len(body)} tensors are missing or differ, first {first} "
        f"{list(body[first].shape)}, which {found}",
        f"Choose weights of {model}, or the architecture that the file was made for.", "input.checkpoint_incompatible",
    )  # fmt: skip


def state_of(path: Path) -> State:
    """Tensors by name from a checkpoint folder of ours, a safetensors file or a file of torch.save. Raises InputError (66)."""
    try:
        if path.is_dir():
            found: Any = load_state(path)["net"]
        elif _is_safetensors(path):
            found = read_tensors(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
            found = found.get("state_dict", found.get("model", found))
        state = {str(name).removeprefix("module."): value for name, value in found.items() if isinstance(value, torch.Tensor)}
    except InputError:
        raise
    except Exception as error:
        # torch's own text advises to run the code inside the file; its first sentence is enough.
        text = " ".join(str(error).partition("weights_only")[0].split()).partition(". ")[0][:500]
        hint = "Use a safetensors file or one that torch.save wrote with tensors alone."
        raise InputError(f"the weights cannot be read: {text}", hint, "input.checkpoint_incompatible") from error
    if not state:
        raise InputError("the weights hold no tensors", "Use a file with the network's state.", "input.checkpoint_incompatible")
    return state


def _is_safetensors(path: Path) -> bool:
    """By its header, a length and then JSON: a mirrored or uploaded file may have any name."""
    with path.open("rb") as file:
        return file.read(9)[8:] == b"{"


def _heads(net: Any) -> tuple[str, ...]:
    named = net.pretrained_cfg.get("classifier") or ()
    return tuple(f"{name}." for name in ((named,) if isinstance(named, str) else named)) or ("\0",)


def _namings(net: Any, state: State, own: State) -> Iterator[Mapping[str, torch.Tensor]]:
    yield state
    home = sys.modules[type(net).__module__]
    for name in _FILTERS:
        function = getattr(home, name, None)
        if function is None:
            continue
        try:
            yield function(dict(state), net)
        except Exception:  # noqa: S112 - a file of another kind; the next naming or the refusal follows
            continue
    mapped = in_order(state, own, _heads(net))
    if mapped is not None:
        yield mapped


def in_order(state: State, own: State, heads: tuple[str, ...]) -> State | None:
    """torchvision's files name the same tensors differently but in the same order. None unless number, kind and shape of all agree."""
    theirs = [(name, value) for name, value in state.items() if not name.endswith(_COUNTER)]
    ours = [(name, value) for name, value in own.items() if not name.endswith(_COUNTER)]
    if len(theirs) != len(ours):
        return None
    for (their, value), (our, wanted) in zip(theirs, ours, strict=True):
        # The classifier has another number of classes, nothing else.
        same = value.shape[1:] == wanted.shape[1:] and value.ndim == wanted.ndim if our.startswith(heads) else value.shape == wanted.shape
        if not same or their.rpartition(".")[2] != our.rpartition(".")[2]:
            return None
    return {our: value for (our, _), (_, value) in zip(ours, theirs, strict=True)}
