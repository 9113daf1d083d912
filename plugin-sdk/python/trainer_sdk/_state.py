"""State of a training ⇄ files of a checkpoint: tensors as safetensors (written and read here), everything else as JSON. No pickle."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ._errors import InputError

_DTYPES = {
    "torch.float32": "F32", "torch.float64": "F64", "torch.float16": "F16", "torch.bfloat16": "BF16", "torch.int64": "I64",
    "torch.int32": "I32", "torch.int16": "I16", "torch.int8": "I8", "torch.uint8": "U8", "torch.bool": "BOOL",
}  # fmt: skip


def save_state(folder: Path, state: Mapping[str, Any]) -> str:
    """Writes the files; gives the format word of the checkpoint event."""
    plain: dict[str, Any] = {}
    tensors = False
    for key, value in state.items():
        source = value.state_dict() if hasattr(value, "state_dict") else value
        found: dict[str, Any] = {}
        plain[key] = _pack(source, "", found)
        if found:
            tensors = True
            _write_tensors(folder / f"{key}.safetensors", found)
    (folder / "state.json").write_text(json.dumps(plain, allow_nan=True), encoding="utf-8")
    return "safetensors" if tensors else "json"


def load_state(folder: Path) -> dict[str, Any]:
    """The saved values; objects with `state_dict` come back as their state. Damaged: 66."""
    try:
        plain = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        state: dict[str, Any] = {}
        for key, value in plain.items():
            file = folder / f"{key}.safetensors"
            state[key] = _unpack(value, read_tensors(file) if file.exists() else {})
    except (OSError, ValueError, KeyError, struct.error) as error:
        hint = "The checkpoint is damaged or was written by another trainer."
        raise InputError(f"the checkpoint cannot be read: {error}", hint, "input.checkpoint_incompatible") from error
    return state


def _is_tensor(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _pack(value: Any, name: str, tensors: dict[str, Any]) -> Any:
    if _is_tensor(value):
        name = name or "value"
        while name in tensors:
            name += "_"
        tensors[name] = value
        return {"$tensor": name}
    if isinstance(value, Mapping):
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {key: _pack(item, f"{name}.{key}" if name else key, tensors) for key, item in value.items()}
        return {"$items": [[key, _pack(item, f"{name}.{key}" if name else str(key), tensors)] for key, item in value.items()]}
    if isinstance(value, tuple):
        return {"$tuple": [_pack(item, f"{name}.{index}", tensors) for index, item in enumerate(value)]}
    if isinstance(value, list):
        if all(type(item) in (int, float) for item in value):
            return value
        return [_pack(item, f"{name}.{index}", tensors) for index, item in enumerate(value)]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"checkpoint state {name or '?'} holds a {type(value).__name__}, which is neither tensor nor JSON")


def _unpack(value: Any, tensors: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_unpack(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((kind, inner),) = value.items()
        if kind == "$tensor":
            return tensors[inner]
        if kind == "$items":
            return {key: _unpack(item, tensors) for key, item in inner}
        if kind == "$tuple":
            return tuple(_unpack(item, tensors) for item in inner)
    return {key: _unpack(item, tensors) for key, item in value.items()}


def _write_tensors(file: Path, tensors: Mapping[str, Any]) -> None:
    import torch

    header: dict[str, Any] = {}
    blobs: list[Any] = []
    at = 0
    for name, tensor in tensors.items():
        flat = tensor.detach().to("cpu").contiguous()
        # Bytes through a byte view: NumPy has no bfloat16.
        data = flat.reshape(-1).view(torch.uint8).numpy() if flat.numel() else b""
        size = flat.numel() * flat.element_size()
        header[name] = {"dtype": _DTYPES[str(flat.dtype)], "shape": list(flat.shape), "data_offsets": [at, at + size]}
        blobs.append(data)
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with file.open("wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for data in blobs:
            out.write(memoryview(data) if not isinstance(data, bytes) else data)


def read_tensors(file: Path) -> dict[str, Any]:
    """Tensors of a safetensors file, on the CPU."""
    import torch

    kinds = {short: getattr(torch, name.split(".")[1]) for name, short in _DTYPES.items()}
    raw = file.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + length])
    body = bytearray(raw[8 + length :])
    found: dict[str, Any] = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, end = entry["data_offsets"]
        if end > len(body):
            raise ValueError(f"{file.name} is cut short")
        kind = kinds[entry["dtype"]]
        if end == start:
            found[name] = torch.empty(entry["shape"], dtype=kind)
        else:
            found[name] = torch.frombuffer(body[start:end], dtype=kind).reshape(entry["shape"])
    return found
