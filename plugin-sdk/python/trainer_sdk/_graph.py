"""Small networks as ONNX files without any package: written, read back and run in plain Python. For trainers that bring no framework."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ._onnx import fields, message, read_onnx, text_field, varint

_IR_VERSION, _OPSET, _FLOAT = 8, 17, 1
_INT, _INTS = 2, 7


@dataclass(frozen=True)
class Tensor:
    """Numbers in C order. What NumPy arrays are to `ExportSpec`, for trainers without NumPy."""

    shape: tuple[int, ...]
    values: list[float]
    dtype: str = "float32"

    def __post_init__(self) -> None:
        if math.prod(self.shape) != len(self.values):
            raise ValueError(f"{len(self.values)} values do not fill the shape {list(self.shape)}")


def save_npy(path: Path, tensor: Tensor) -> None:
    """float32, C order."""
    shape = ", ".join(str(side) for side in tensor.shape) + ("," if len(tensor.shape) == 1 else "")
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    body = struct.pack(f"<{len(tensor.values)}f", *tensor.values)
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode("latin1") + body)


@dataclass
class Graph:
    """A chain of layers from `input` to `output`; each `add` takes what the one before gives."""

    input: str
    shape: Sequence[int | str]
    nodes: list[bytes] = field(default_factory=list)
    weights: list[bytes] = field(default_factory=list)
    last: str = ""

    def add(self, op: str, weights: Sequence[Tensor] = (), output: str | None = None, **attributes: int | Sequence[int]) -> Graph:
        """`op` of ONNX opset 17: Conv, Relu, AveragePool, MaxPool, Flatten, Gemm, or another one that takes one value and weights."""
        name = output or f"value{len(self.nodes)}"
        body = text_field(1, self.last or self.input)
        for index, tensor in enumerate(weights):
            label = f"{op.lower()}{len(self.nodes)}.{index}"
            body += text_field(1, label)
            data = struct.pack(f"<{len(tensor.values)}f", *tensor.values)
            dims = b"".join(_integer(1, side) for side in tensor.shape)
            self.weights.append(dims + _integer(2, _FLOAT) + text_field(8, label) + message(9, data))
        body += text_field(2, name) + text_field(3, name) + text_field(4, op)
        for key, value in attributes.items():
            if isinstance(value, int):
                body += message(5, text_field(1, key) + _integer(3, value) + _integer(20, _INT))
            else:
                numbers = b"".join(_integer(8, item) for item in value)
                body += message(5, text_field(1, key) + numbers + _integer(20, _INTS))
        self.nodes.append(body)
        self.last = name
        return self

    def write(self, path: Path, *outputs: int) -> None:
        """Writes the model, whose last layer gives values of the shape `outputs` for each image; sizes that are texts are dynamic."""
        output_shape = (self.shape[0], *outputs)
        graph = b"".join(message(1, node) for node in self.nodes) + text_field(2, "trainyard")
        graph += b"".join(message(5, weight) for weight in self.weights)
        graph += message(11, _value(self.input, self.shape)) + message(12, _value(self.last, output_shape))
        opset = text_field(1, "") + _integer(2, _OPSET)
        path.write_bytes(_integer(1, _IR_VERSION) + text_field(2, "trainer_sdk") + message(7, graph) + message(8, opset))


def _integer(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def _value(name: str, shape: Sequence[int | str]) -> bytes:
    dims = (message(1, _integer(1, side) if isinstance(side, int) else text_field(2, side)) for side in shape)
    return text_field(1, name) + message(2, message(1, _integer(1, _FLOAT) + message(2, b"".join(dims))))


@dataclass(frozen=True)
class LoadedGraph:
    """A model that `Graph` wrote, computed from the file alone."""

    shape: tuple[Any, ...]
    nodes: list[tuple[str, list[str], dict[str, Any]]]
    weights: dict[str, Tensor]

    @property
    def side(self) -> int:
        return int(self.shape[-1])

    def __call__(self, tensor: Tensor) -> list[Tensor]:
        for op, inputs, attributes in self.nodes:
            tensor = _OPS[op](tensor, [self.weights[name] for name in inputs[1:]], attributes)
        return [tensor]

    def logits(self, values: Sequence[float]) -> list[float]:
        """Output for one image, given as the values of the input without batch axis."""
        return self(Tensor((1, *self.shape[1:]), list(values)))[0].values


def load_graph(path: Path) -> LoadedGraph:
    """Reads a model.onnx of `Graph.write`. Raises ValueError for anything else."""
    graph = next((value for number, value, _ in fields(memoryview(path.read_bytes())) if number == 7), None)
    if not isinstance(graph, memoryview):
        raise ValueError("not an ONNX file")
    weights: dict[str, Tensor] = {}
    nodes: list[tuple[str, list[str], dict[str, Any]]] = []
    for number, value, _ in fields(graph):
        if number == 5 and isinstance(value, memoryview):
            name, tensor = _read_weight(value)
            weights[name] = tensor
        elif number == 1 and isinstance(value, memoryview):
            nodes.append(_read_node(value))
    unknown = sorted({op for op, _, _ in nodes if op not in _OPS})
    if unknown:
        raise ValueError(f"the operation {unknown[0]} is not run here")
    return LoadedGraph(tuple(read_onnx(path)["inputs"][0]["shape"]), nodes, weights)


def _read_weight(data: memoryview) -> tuple[str, Tensor]:
    sides, name, raw = [], "", b""
    for number, value, _ in fields(data):
        if number == 1 and isinstance(value, int):
            sides.append(value)
        elif number == 8 and isinstance(value, memoryview):
            name = str(bytes(value), "utf-8")
        elif number == 9 and isinstance(value, memoryview):
            raw = bytes(value)
    return name, Tensor(tuple(sides), list(struct.unpack(f"<{len(raw) // 4}f", raw)))


def _read_node(data: memoryview) -> tuple[str, list[str], dict[str, Any]]:
    op, inputs, attributes = "", [], {}
    for number, value, _ in fields(data):
        if not isinstance(value, memoryview):
            continue
        if number == 1:
            inputs.append(str(bytes(value), "utf-8"))
        elif number == 4:
            op = str(bytes(value), "utf-8")
        elif number == 5:
            parts = list(fields(value))
            key = next(str(bytes(inner), "utf-8") for which, inner, _ in parts if which == 1 and isinstance(inner, memoryview))
            many = [inner for which, inner, _ in parts if which == 8]
            attributes[key] = many or next((inner for which, inner, _ in parts if which == 3), 0)
    return op, inputs, attributes


def _conv(x: Tensor, weights: list[Tensor], attributes: Mapping[str, Any]) -> Tensor:
    kernel, bias = weights[0], weights[1].values if len(weights) > 1 else None
    batch, channels, height, width = x.shape
    planes, _, kh, kw = kernel.shape
    top, left, bottom, right = attributes.get("pads", [0, 0, 0, 0])
    wide, high = width + left + right, height + top + bottom
    out_h, out_w = high - kh + 1, wide - kw + 1
    values: list[float] = []
    for item in range(batch):
        padded: list[list[list[float]]] = []
        for channel in range(channels):
            at = (item * channels + channel) * height * width
            rows = [[0.0] * left + x.values[at + y * width : at + (y + 1) * width] + [0.0] * right for y in range(height)]
            padded.append([[0.0] * wide] * top + rows + [[0.0] * wide] * bottom)
        for plane in range(planes):
            for y in range(out_h):
                line = [bias[plane] if bias is not None else 0.0] * out_w
                for channel in range(channels):
                    for dy in range(kh):
                        row = padded[channel][y + dy]
                        for dx in range(kw):
                            weight = kernel.values[((plane * channels + channel) * kh + dy) * kw + dx]
                            if weight:
                                line = [total + weight * value for total, value in zip(line, row[dx : dx + out_w], strict=True)]
                values += line
    return Tensor((batch, planes, out_h, out_w), values)


def _pool(x: Tensor, attributes: Mapping[str, Any], join: Callable[[list[float]], float]) -> Tensor:
    batch, channels, height, width = x.shape
    kh, kw = attributes["kernel_shape"]
    sh, sw = attributes.get("strides", [1, 1])
    out_h, out_w = (height - kh) // sh + 1, (width - kw) // sw + 1
    values = [
        join([x.values[(plane * height + y * sh + dy) * width + c * sw + dx] for dy in range(kh) for dx in range(kw)])
        for plane in range(batch * channels)
        for y in range(out_h)
        for c in range(out_w)
    ]
    return Tensor((batch, channels, out_h, out_w), values)


def _gemm(x: Tensor, weights: list[Tensor], attributes: Mapping[str, Any]) -> Tensor:
    if attributes.get("transB") != 1:
        raise ValueError("a Gemm without transB is not run here")
    batch, size = x.shape
    rows, bias = weights[0], weights[1].values
    values = [
        sum(map(float.__mul__, x.values[item * size : (item + 1) * size], rows.values[row * size : (row + 1) * size])) + bias[row]
        for item in range(batch)
        for row in range(rows.shape[0])
    ]
    return Tensor((batch, rows.shape[0]), values)


_OPS: dict[str, Callable[[Tensor, list[Tensor], Mapping[str, Any]], Tensor]] = {
    "Conv": _conv,
    "Relu": lambda x, _, __: Tensor(x.shape, [max(value, 0.0) for value in x.values]),
    "AveragePool": lambda x, _, attributes: _pool(x, attributes, lambda values: sum(values) / len(values)),
    "MaxPool": lambda x, _, attributes: _pool(x, attributes, max),
    "Flatten": lambda x, _, __: Tensor((x.shape[0], math.prod(x.shape[1:])), x.values),
    "Gemm": _gemm,
}
