"""ONNX files (a protobuf) without the onnx package: names, types and shapes as the file says them, and small graphs written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

_TYPES = {1: "float32", 2: "uint8", 3: "int8", 5: "int16", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64", 16: "bfloat16"}


def read_onnx(file: Path) -> dict[str, Any]:
    """`{opset, inputs, outputs}`; each tensor `{name, dtype, shape}` with symbolic sizes as texts."""
    result: dict[str, Any] = {"opset": None, "inputs": [], "outputs": []}
    graph = memoryview(b"")
    for number, value in _fields(memoryview(file.read_bytes())):
        if number == 7 and isinstance(value, memoryview):
            graph = value
        elif number == 8 and isinstance(value, memoryview):
            pairs = dict(_fields(value))
            if not bytes(_bytes(pairs.get(1))):
                result["opset"] = pairs.get(2)
    weights: set[str] = set()
    tensors: list[tuple[str, dict[str, Any]]] = []
    for number, value in _fields(graph):
        if number == 5 and isinstance(value, memoryview):
            weights.update(str(bytes(_bytes(inner)), "utf-8") for key, inner in _fields(value) if key == 8)
        elif number in (11, 12) and isinstance(value, memoryview):
            tensors.append(("inputs" if number == 11 else "outputs", _tensor(value)))
    for side, tensor in tensors:
        if tensor["name"] not in weights:
            result[side].append(tensor)
    return result


def _bytes(value: int | memoryview | None) -> memoryview:
    return value if isinstance(value, memoryview) else memoryview(b"")


def _tensor(info: memoryview) -> dict[str, Any]:
    found: dict[str, Any] = {"name": "", "dtype": "float32", "shape": []}
    for number, value in _fields(info):
        if number == 1:
            found["name"] = str(bytes(_bytes(value)), "utf-8")
        elif number == 2:
            for kind, tensor in _fields(_bytes(value)):
                if kind != 1:
                    continue
                for key, inner in _fields(_bytes(tensor)):
                    if key == 1 and isinstance(inner, int):
                        found["dtype"] = _TYPES.get(inner, f"onnx-{inner}")
                    elif key == 2:
                        found["shape"] = [_dimension(_bytes(dim)) for which, dim in _fields(_bytes(inner)) if which == 1]
    return found


def _dimension(dim: memoryview) -> int | str | None:
    for number, value in _fields(dim):
        if number == 1 and isinstance(value, int):
            return value
        if number == 2:
            return str(bytes(_bytes(value)), "utf-8")
    return None


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    for number, value, _ in fields(data):
        yield number, value


def fields(data: memoryview) -> Iterator[tuple[int, int | memoryview, memoryview]]:
    """Number, value and the bytes of each field with its key. Fixed-size values come as their bytes."""
    at = 0
    while at < len(data):
        start = at
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        value: int | memoryview
        if kind == 0:
            value, at = _varint(data, at)
        elif kind == 2:
            size, at = _varint(data, at)
            value = data[at : at + size]
            at += size
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value = data[at : at + size]
            at += size
        else:
            raise ValueError("not an ONNX file")
        yield number, value, data[start:at]


def varint(value: int) -> bytes:
    out = bytearray()
    value &= (1 << 64) - 1
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def message(number: int, body: bytes) -> bytes:
    """A field that holds bytes: a text or another message."""
    return varint(number << 3 | 2) + varint(len(body)) + body


def text_field(number: int, text: str) -> bytes:
    return message(number, text.encode())


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
