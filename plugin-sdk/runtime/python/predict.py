"""Runs an exported Trainyard model: what metadata.json lists before and after the model, and the model in its runtime.

    predictor = Predictor(Path("bundle"))
    predictor.predict(rgb)   # uint8 array, height x width x 3 -> {"width", "height", "instances" | "classes" | "mask"}

    python predict.py IMAGE...   one line of JSON for each image

Needs numpy and one of onnxruntime, torch, openvino, ncnn, ai-edge-litert (whichever runs the file); Pillow only to decode images.
The operations are the closed lists of export/v1; nothing here belongs to one model. The wrappers in ts/ and cpp/ compute the same.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from importlib import metadata as installed
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["BundleError", "Predictor", "Session", "encode_rle", "decode_rle", "load_rgb", "open_session", "resize"]

Array = Any
TensorInfo = list[dict[str, Any]]
_FILES = {"onnx": ".onnx", "torchscript": ".torchscript", "openvino": ".xml", "ncnn": ".param", "tflite": ".tflite"}


class BundleError(Exception):
    """The bundle or the picture cannot be used; the text says what and how to mend it."""


# --- the model file in its runtime -------------------------------------------------------------------------------------------------


class Session:
    """One loaded model file. `inputs` and `outputs` list name, dtype and shape, or are None where the file does not say."""

    def __init__(self, runtime: str, run: Callable[[list[Array]], list[Array]], inputs: TensorInfo | None, outputs: TensorInfo | None) -> None:
        self.runtime, self.inputs, self.outputs, self._run = runtime, inputs, outputs, run

    def run(self, arrays: Sequence[Array]) -> list[Array]:
        """Inputs and outputs in the file's order."""
        return [np.asarray(output) for output in self._run([np.ascontiguousarray(array) for array in arrays])]


def open_session(path: Path, format: str) -> Session:
    """Loads `path` (the file, or its folder) on the CPU with one thread. Raises BundleError when the file or its runtime is missing."""
    opener = {"onnx": _open_onnx, "torchscript": _open_torchscript, "openvino": _open_openvino, "ncnn": _open_ncnn, "tflite": _open_tflite}.get(format)
    if opener is None:
        raise BundleError(f"no runtime here runs the format {format}; these do run: {', '.join(_FILES)}")
    file = Path(path)
    if file.is_dir():
        found = sorted(file.glob(f"*{_FILES[format]}"))
        if not found:
            raise BundleError(f"{file} holds no *{_FILES[format]} file")
        file = found[0]
    if not file.is_file():
        raise BundleError(f"{file} is not there; unpack the whole bundle")
    try:
        return opener(file)
    except ImportError as error:
        raise BundleError(f"{format} needs the Python package {_PACKAGES[format]}: pip install {_PACKAGES[format]} ({error})") from error


_PACKAGES = {"onnx": "onnxruntime", "torchscript": "torch", "openvino": "openvino", "ncnn": "ncnn", "tflite": "ai-edge-litert"}


def _version(package: str, module: Any) -> str:
    try:
        return installed.version(package)
    except installed.PackageNotFoundError:
        return str(getattr(module, "__version__", "?"))


def _open_onnx(file: Path) -> Session:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    types = {"float": "float32", "double": "float64"}

    def info(values: Any) -> TensorInfo:
        found: TensorInfo = []
        for value in values:
            kind = value.type.removeprefix("tensor(").removesuffix(")")
            found.append({"name": value.name, "dtype": types.get(kind, kind), "shape": [d if isinstance(d, (int, str)) else "?" for d in value.shape]})
        return found

    names = [value.name for value in session.get_inputs()]
    return Session(
        f"onnxruntime {onnxruntime.__version__}",
        lambda arrays: list(session.run(None, dict(zip(names, arrays, strict=True)))),
        info(session.get_inputs()),
        info(session.get_outputs()),
    )


def _open_torchscript(file: Path) -> Session:
    import torch

    model = torch.jit.load(str(file), map_location="cpu").eval()

    def flat(value: Any) -> list[Array]:
        if isinstance(value, torch.Tensor):
            return [value.detach().numpy()]
        parts = value.values() if isinstance(value, dict) else value
        return [array for part in parts for array in flat(part)] if isinstance(parts, (list, tuple)) or isinstance(value, dict) else []

    def run(arrays: list[Array]) -> list[Array]:
        with torch.inference_mode():
            return flat(model(*(torch.from_numpy(array) for array in arrays)))

    return Session(f"torch {torch.__version__.split('+')[0]}", run, None, None)


def _open_openvino(file: Path) -> Session:
    import openvino

    core = openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    compiled = core.compile_model(core.read_model(str(file)), "CPU", settings)
    types = {"f32": "float32", "f16": "float16", "f64": "float64", "i64": "int64", "i32": "int32", "u8": "uint8", "i8": "int8"}

    def info(ports: Any) -> TensorInfo:
        found: TensorInfo = []
        for index, port in enumerate(ports):
            names = sorted(port.get_names())
            kind = port.get_element_type().get_type_name()
            shape = [dim.get_length() if dim.is_static else "?" for dim in port.get_partial_shape()]
            found.append({"name": names[0] if names else f"output{index}", "dtype": types.get(kind, kind), "shape": shape})
        return found

    def run(arrays: list[Array]) -> list[Array]:
        results = compiled(arrays)
        return [np.array(results[port]) for port in compiled.outputs]

    return Session(f"openvino {_version('openvino', openvino)}", run, info(compiled.inputs), info(compiled.outputs))


def _open_ncnn(file: Path) -> Session:
    import ncnn

    net = ncnn.Net()
    net.opt.use_vulkan_compute = net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.num_threads = 1
    if net.load_param(str(file)) != 0 or net.load_model(str(file.with_suffix(".bin"))) != 0:
        raise BundleError(f"ncnn does not load {file.name} and {file.with_suffix('.bin').name}")
    inputs, outputs = list(net.input_names()), sorted(net.output_names())

    def one(arrays: list[Array]) -> list[Array]:
        extractor = net.create_extractor()
        kept = [np.ascontiguousarray(array, dtype=np.float32) for array in arrays]
        for name, array in zip(inputs, kept, strict=True):
            extractor.input(name, ncnn.Mat(array))
        return [np.array(extractor.extract(name)[1]) for name in outputs]

    def run(arrays: list[Array]) -> list[Array]:
        batches = [one([array[index] for array in arrays]) for index in range(len(arrays[0]))]
        return [np.stack(items) for items in zip(*batches, strict=True)]

    return Session(f"ncnn {_version('ncnn', ncnn)}", run, None, None)


def _open_tflite(file: Path) -> Session:
    from ai_edge_litert import interpreter as litert

    model = litert.Interpreter(model_path=str(file), num_threads=1)
    model.allocate_tensors()

    def info(details: Any) -> TensorInfo:
        return [{"name": d["name"], "dtype": np.dtype(d["dtype"]).name, "shape": [int(n) if n > 0 else "?" for n in d["shape_signature"]]} for d in details]

    def run(arrays: list[Array]) -> list[Array]:
        for detail, array in zip(model.get_input_details(), arrays, strict=True):
            if list(detail["shape"]) != list(array.shape):
                model.resize_tensor_input(detail["index"], array.shape)
        model.allocate_tensors()
        for detail, array in zip(model.get_input_details(), arrays, strict=True):
            model.set_tensor(detail["index"], array)
        model.invoke()
        return [np.array(model.get_tensor(detail["index"])) for detail in model.get_output_details()]

    return Session(f"ai-edge-litert {_version('ai-edge-litert', litert)}", run, info(model.get_input_details()), info(model.get_output_details()))


# --- before the model --------------------------------------------------------------------------------------------------------------


def _round(value: float) -> int:
    """To the nearest, halves to even, as Python's round."""
    return int(round(value))


def _taps(source: int, target: int, interpolation: str, antialias: bool) -> tuple[Array, Array]:
    """Which source pixels (indices, target x taps) make each target pixel, with which weights. Half-pixel centres."""
    scale = source / target
    centre = (np.arange(target, dtype=np.float64) + 0.5) * scale
    if interpolation == "nearest":
        index = np.clip(np.floor(centre + 1e-9).astype(np.int64), 0, source - 1)
        return index[:, None], np.ones((target, 1))
    if interpolation == "area":
        first = np.arange(target, dtype=np.float64) * scale
        start = np.floor(first).astype(np.int64)
        index = start[:, None] + np.arange(int(math.ceil(scale)) + 1)[None, :]
        weight = np.minimum(index + 1, (first + scale)[:, None]) - np.maximum(index, first[:, None])
        weight = np.where((index < source) & (weight > 1e-9), weight, 0.0)
        return np.clip(index, 0, source - 1), weight / weight.sum(1, keepdims=True)
    radius = 2 if interpolation == "bicubic" else 1
    if not antialias:
        start = np.floor(centre - 0.5).astype(np.int64) - (radius - 1)
        index = start[:, None] + np.arange(2 * radius)[None, :]
        weight = _kernel(index - (centre - 0.5)[:, None], radius, -0.75)
        return np.clip(index, 0, source - 1), weight
    spread = max(scale, 1.0)
    support = radius * spread
    low = np.maximum(np.floor(centre - support + 0.5).astype(np.int64), 0)
    high = np.minimum(np.floor(centre + support + 0.5).astype(np.int64), source)
    index = low[:, None] + np.arange(int((high - low).max()))[None, :]
    weight = _kernel((index + 0.5 - centre[:, None]) / spread, radius, -0.5)
    weight = np.where(index < high[:, None], weight, 0.0)
    return np.clip(index, 0, source - 1), weight / weight.sum(1, keepdims=True)


def _kernel(distance: Array, radius: int, a: float) -> Array:
    d = np.abs(distance)
    if radius == 1:
        return np.maximum(0.0, 1.0 - d)
    near = ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0
    far = ((d - 5.0) * d + 8.0) * d * a - 4.0 * a
    return np.where(d < 1.0, near, np.where(d < 2.0, far, 0.0))


def resize(image: Array, height: int, width: int, interpolation: str = "bilinear", antialias: bool = False, whole: bool = True) -> Array:
    """HWC to height x width as float64. `whole` rounds to 0..255, with antialias after each direction, as Pillow does."""
    result, stepwise = image, whole and antialias
    # Pillow's order since version 13: rows first where they shrink by far the most.
    shrink = image.shape[0] - height
    rows_first = stepwise and shrink > 0 and shrink > (image.shape[1] - width) * 2
    for axis in (0, 1) if rows_first else (1, 0):
        if result.shape[axis] != (height, width)[axis]:
            result = _resize_axis(result, axis, (height, width)[axis], interpolation, antialias)
            result = _whole(result) if stepwise else result
    return _whole(result) if whole else result.astype(np.float64)


def _resize_axis(image: Array, axis: int, size: int, interpolation: str, antialias: bool) -> Array:
    index, weight = _taps(image.shape[axis], size, interpolation, antialias)
    total = np.zeros((*image.shape[:axis], size, *image.shape[axis + 1 :]))
    for tap in range(index.shape[1]):
        part = weight[:, tap].reshape([-1 if a == axis else 1 for a in range(3)])
        total += np.take(image, index[:, tap], axis=axis) * part
    return total


def _whole(values: Array) -> Array:
    """Halves upwards, also those that the last bit missed: every language rounds alike."""
    return np.clip(np.floor(np.asarray(values, dtype=np.float64) + (0.5 + 1e-7)), 0.0, 255.0)


class _Frame:
    """A picture on its way to the tensor and how its pixels lie: model = image x scale + shift."""

    def __init__(self, image: Array) -> None:
        self.image = image
        self.size = (image.shape[0], image.shape[1])
        self.scale = [1.0, 1.0]
        self.shift = [0.0, 0.0]

    def scaled(self, x: float, y: float) -> None:
        self.scale = [self.scale[0] * x, self.scale[1] * y]
        self.shift = [self.shift[0] * x, self.shift[1] * y]

    def place(self, height: int, width: int, top: int, left: int, value: Any) -> None:
        """Cuts and pads so that the old (0, 0) lies at (top, left) of a height x width picture."""
        old_h, old_w, channels = self.image.shape
        fill = np.asarray(value if isinstance(value, (list, tuple)) else [value], dtype=np.float64)
        result = np.empty((height, width, channels))
        result[:] = fill if len(fill) == channels else fill[0]
        y0, y1, x0, x1 = max(top, 0), min(top + old_h, height), max(left, 0), min(left + old_w, width)
        if y1 > y0 and x1 > x0:
            result[y0:y1, x0:x1] = self.image[y0 - top : y1 - top, x0 - left : x1 - left]
        self.image = result
        self.shift = [self.shift[0] + left, self.shift[1] + top]


def _pair(size: Any) -> tuple[int, int]:
    return (int(size[0]), int(size[1])) if isinstance(size, (list, tuple)) else (int(size), int(size))


def _resize_op(frame: _Frame, op: dict[str, Any]) -> None:
    h, w = frame.image.shape[:2]
    mode, (target_h, target_w) = op.get("mode", "stretch"), _pair(op["size"])
    if mode == "letterbox":
        uniform = min(target_w / w, target_h / h, math.inf if op.get("scaleUp", True) else 1.0)
        new_h, new_w = max(_round(h * uniform), 1), max(_round(w * uniform), 1)
    elif mode == "shorter-edge":
        short = min(h, w)
        new_h, new_w = max(int(target_h * h / short), 1), max(int(target_h * w / short), 1)
    elif mode == "longer-edge":
        long = max(h, w)
        new_h, new_w = max(math.floor(target_h * h / long + 0.5), 1), max(math.floor(target_h * w / long + 0.5), 1)
    elif mode == "stretch":
        new_h, new_w = target_h, target_w
    else:
        raise BundleError(f"metadata.json: resize mode {mode} is not known to this wrapper")
    frame.image = resize(frame.image, new_h, new_w, op.get("interpolation", "bilinear"), bool(op.get("antialias", False)), op.get("round", "uint8") == "uint8")
    frame.scaled(new_w / w, new_h / h)
    if mode == "letterbox":
        centred = op.get("align", "center") == "center"
        frame.place(target_h, target_w, (target_h - new_h) // 2 if centred else 0, (target_w - new_w) // 2 if centred else 0, op.get("padValue", 0))


def _crop_op(frame: _Frame, op: dict[str, Any]) -> None:
    (height, width), (h, w) = _pair(op["size"]), frame.image.shape[:2]
    top = -_round((h - height) / 2) if h >= height else (height - h) // 2
    left = -_round((w - width) / 2) if w >= width else (width - w) // 2
    frame.place(height, width, top, left, op.get("padValue", 0))


def _pad_op(frame: _Frame, op: dict[str, Any]) -> None:
    h, w = frame.image.shape[:2]
    if "to" in op:
        height, width = _pair(op["to"])
    else:
        step_h, step_w = _pair(op["multipleOf"])
        height, width = -(-h // step_h) * step_h, -(-w // step_w) * step_w
    centred = op.get("align", "top-left") == "center"
    frame.place(height, width, (height - h) // 2 if centred else 0, (width - w) // 2 if centred else 0, op.get("padValue", 0))


def _decode_color(rgb: Array, color: str) -> Array:
    if color == "rgb":
        return rgb
    if color == "bgr":
        return rgb[:, :, ::-1]
    if color == "gray":
        wide = rgb.astype(np.int64)
        return ((wide[:, :, :1] * 19595 + wide[:, :, 1:2] * 38470 + wide[:, :, 2:3] * 7471 + 32768) >> 16).astype(np.float64)
    raise BundleError(f"metadata.json: colour order {color} is not known to this wrapper")


# --- after the model ---------------------------------------------------------------------------------------------------------------


class _Instances:
    """Candidates as parallel arrays; boxes x1 y1 x2 y2 in pixels of the model's input."""

    def __init__(self, boxes: Array, scores: Array, classes: Array) -> None:
        self.boxes, self.scores, self.classes = boxes, scores, classes
        self.coefficients: Array | None = None  # n x M, for the prototypes
        self.keypoints: Array | None = None  # n x K x 3
        self.rotated: Array | None = None  # n x 5: cx cy w h angle

    def take(self, index: Array) -> _Instances:
        kept = _Instances(self.boxes[index], self.scores[index], self.classes[index])
        kept.coefficients = None if self.coefficients is None else self.coefficients[index]
        kept.keypoints = None if self.keypoints is None else self.keypoints[index]
        kept.rotated = None if self.rotated is None else self.rotated[index]
        return kept

    def ranked(self) -> _Instances:
        return self.take(np.argsort(-self.scores, kind="stable"))


def _softmax(values: Array, axis: int) -> Array:
    wide = values.astype(np.float64)
    power = np.exp(wide - wide.max(axis=axis, keepdims=True))
    return power / power.sum(axis=axis, keepdims=True)


def _sigmoid(values: Array) -> Array:
    wide = values.astype(np.float64)
    power = np.exp(-np.abs(wide))
    return np.where(wide >= 0, 1.0 / (1.0 + power), power / (1.0 + power))


def _corners_of_centre(boxes: Array) -> Array:
    half = boxes[:, 2:4] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


def _iou(box: Array, others: Array) -> Array:
    width = np.minimum(box[2], others[:, 2]) - np.maximum(box[0], others[:, 0])
    height = np.minimum(box[3], others[:, 3]) - np.maximum(box[1], others[:, 1])
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    area = (box[2] - box[0]) * (box[3] - box[1]) + (others[:, 2] - others[:, 0]) * (others[:, 3] - others[:, 1]) - shared
    return np.where(area > 0, shared / np.where(area > 0, area, 1), 0.0)


def _probiou(box: Array, others: Array) -> Array:
    """Likeness of two rotated boxes seen as Gaussians (1 - Hellinger distance)."""

    def spread(b: Array) -> tuple[Array, Array, Array]:
        w, h, cos, sin = b[..., 2] ** 2 / 12, b[..., 3] ** 2 / 12, np.cos(b[..., 4]), np.sin(b[..., 4])
        return w * cos**2 + h * sin**2, w * sin**2 + h * cos**2, (w - h) * cos * sin

    tiny = 1e-7
    (a1, b1, c1), (a2, b2, c2) = spread(box), spread(others)
    dx, dy = others[:, 0] - box[0], box[1] - others[:, 1]
    det = (a1 + a2) * (b1 + b2) - (c1 + c2) ** 2
    near = ((a1 + a2) * dy**2 + (b1 + b2) * dx**2) / (det + tiny) * 0.25 + (c1 + c2) * dx * dy / (det + tiny) * 0.5
    own = np.sqrt(np.maximum(a1 * b1 - c1**2, 0) * np.maximum(a2 * b2 - c2**2, 0))
    distance = np.clip(near + np.log(det / (4 * own + tiny) + tiny) * 0.5, tiny, 100.0)
    return 1 - np.sqrt(1 - np.exp(-distance) + tiny)


def _nms(found: _Instances, op: dict[str, Any]) -> _Instances:
    found = found.ranked()
    limit, most = float(op["iou"]), int(op.get("maxDetections", 300))
    rotated = op.get("metric", "iou") == "probiou"
    if rotated and found.rotated is None:
        raise BundleError("metadata.json: nms with metric probiou needs rotated boxes")
    shapes = found.rotated if rotated else found.boxes
    likeness = _probiou if rotated else _iou
    alive = np.ones(len(found.scores), dtype=bool)
    kept: list[int] = []
    for best in range(len(alive)):
        if alive[best]:
            kept.append(best)
        elif not rotated:
            continue  # with iou a hidden box hides no other; with probiou it does (fast NMS)
        if len(kept) >= most:
            break
        over = likeness(shapes[best], shapes[best + 1 :]) > limit
        if not op.get("classAgnostic", False):
            over &= found.classes[best + 1 :] == found.classes[best]
        alive[best + 1 :] &= ~over
    return found.take(np.asarray(kept, dtype=np.int64))


def _interpolate(values: Array, height: int, width: int, interpolation: str, corners: bool) -> Array:
    """C x h x w to C x height x width."""
    for axis, size in ((2, width), (1, height)):
        source = values.shape[axis]
        if interpolation == "nearest":
            values = np.take(values, np.clip(np.floor((np.arange(size) + 0.5) * (source / size)).astype(np.int64), 0, source - 1), axis=axis)
            continue
        at = np.arange(size) * ((source - 1) / (size - 1) if size > 1 else 0.0) if corners else (np.arange(size) + 0.5) * (source / size) - 0.5
        at = np.clip(at, 0, source - 1)
        low = np.floor(at).astype(np.int64)
        part = (at - low).reshape([-1 if a == axis else 1 for a in range(3)])
        values = np.take(values, low, axis=axis) * (1 - part) + np.take(values, np.minimum(low + 1, source - 1), axis=axis) * part
    return values


def encode_rle(mask: Array) -> dict[str, Any]:
    """COCO run lengths down the columns, background first."""
    flat = np.asarray(mask != 0).T.reshape(-1)
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff(np.concatenate([[0], edges, [len(flat)]])).tolist()
    return {"size": [int(mask.shape[0]), int(mask.shape[1])], "counts": ([0] if len(flat) and flat[0] else []) + counts}


def decode_rle(rle: dict[str, Any]) -> Array:
    height, width = rle["size"]
    counts = np.asarray(rle["counts"], dtype=np.int64)
    return np.repeat(np.arange(len(counts)) % 2, counts).astype(np.uint8).reshape(width, height).T


class _Post:
    """The state of a postprocess list while it runs."""

    def __init__(self, meta: dict[str, Any], outputs: Sequence[Array], frame: _Frame, input_size: tuple[int, int]) -> None:
        self.meta, self.outputs, self.frame, self.input_size = meta, [np.asarray(output) for output in outputs], frame, input_size
        self.infos: list[dict[str, Any]] = meta["outputs"]
        self.labels = len(meta["labels"])
        self.found: _Instances | None = None
        self.scores: Array | None = None  # classification: one score a class
        self.classes: list[dict[str, Any]] | None = None
        self.mask: Array | None = None  # semantic: class of every pixel
        self.mask_limit: float | None = None
        self.back = False

    def first(self) -> Array:
        return self.outputs[0]

    def decode(self, op: dict[str, Any]) -> None:
        scheme = str(op["scheme"])
        if scheme in ("logits", "probs"):
            self.scores = _softmax(self.first()[0], -1) if scheme == "logits" else self.first()[0].astype(np.float64)
        elif scheme in ("yolo-raw", "yolo-seg-raw", "yolo-pose-raw", "yolo-obb-raw"):
            self._yolo_raw(scheme, op)
        elif scheme == "yolo-end2end":
            self._yolo_end2end(op)
        elif scheme == "detr":
            self._detr(op)
        elif scheme == "detr-concat":
            rows = self.first()[0].astype(np.float64)
            self._best_class(self._from_unit(rows[:, :4]), rows[:, 4:])
        elif scheme != "semantic-logits":
            raise BundleError(f"metadata.json: decode scheme {scheme} is not known to this wrapper")

    def _from_unit(self, boxes: Array) -> Array:
        height, width = self.input_size
        return _corners_of_centre(boxes * np.array([width, height, width, height], dtype=np.float64))

    def _best_class(self, boxes: Array, scores: Array) -> _Instances:
        classes = scores.argmax(axis=1)
        self.found = _Instances(boxes, scores[np.arange(len(classes)), classes], classes)
        return self.found

    def _points(self, rows: Array, op: dict[str, Any]) -> Array:
        """K x D numbers a row to K x 3; a point without visibility counts as sure."""
        shape = op.get("keypoints")
        count, size = (int(shape[0]), int(shape[1])) if isinstance(shape, (list, tuple)) else (rows.shape[1] // 3, 3)
        points = rows[:, : count * size].reshape(len(rows), count, size)
        return points if size == 3 else np.concatenate([points, np.ones((len(rows), count, 1))], axis=2)

    def _yolo_raw(self, scheme: str, op: dict[str, Any]) -> None:
        rows = self.first()[0].T.astype(np.float64)
        classes = int(op.get("classes", self.labels))
        rest = rows[:, 4 + classes :]
        found = self._best_class(_corners_of_centre(rows[:, :4]), rows[:, 4 : 4 + classes])
        if scheme == "yolo-seg-raw":
            found.coefficients = rest
        elif scheme == "yolo-pose-raw":
            found.keypoints = self._points(rest, op)
        elif scheme == "yolo-obb-raw":
            found.rotated = np.concatenate([rows[:, :4], rest[:, :1]], axis=1)

    def _yolo_end2end(self, op: dict[str, Any]) -> None:
        rows = self.first()[0].astype(np.float64)
        task, rest = self.meta["model"]["task"], rows[:, 6:]
        turned = task == "obb" and rest.shape[1] > 0
        self.found = _Instances(_corners_of_centre(rows[:, :4]) if turned else rows[:, :4], rows[:, 4], np.floor(rows[:, 5] + 0.5).astype(np.int64))
        if turned:
            self.found.rotated = np.concatenate([rows[:, :4], rest[:, :1]], axis=1)
        elif rest.shape[1] > 0 and len(self.outputs) > 1:
            self.found.coefficients = rest
        elif rest.shape[1] > 0:
            self.found.keypoints = self._points(rest, op)

    def _detr(self, op: dict[str, Any]) -> None:
        second = next((i for i, info in enumerate(self.infos) if "box" in info["name"]), 1)
        logits, boxes = self.outputs[1 - second][0], self._from_unit(self.outputs[second][0].astype(np.float64))
        info = self.infos[1 - second]
        background = bool(info.get("background", op.get("background", False)))
        if info.get("activation", op.get("activation", "sigmoid")) == "softmax":
            scores = _softmax(logits, -1)
            self._best_class(boxes, scores[:, :-1] if background else scores)
            return
        scores = _sigmoid(logits)
        scores = scores[:, :-1] if background else scores
        # A query may speak for several classes: the best pairs, as many as there are queries.
        order = np.argsort(-scores.reshape(-1), kind="stable")[: len(boxes)]
        self.found = _Instances(boxes[order // scores.shape[1]], scores.reshape(-1)[order], order % scores.shape[1])

    def threshold(self, op: dict[str, Any]) -> None:
        limit = float(op["score"])
        if self.found is not None:
            self.found = self.found.take(np.flatnonzero(self.found.scores >= limit))
        else:
            self.classes = [entry for entry in self.ranking() if entry["score"] >= limit]

    def topk(self, op: dict[str, Any]) -> None:
        if self.found is not None:
            self.found = self.found.ranked().take(slice(0, int(op["k"])))
        else:
            self.classes = self.ranking()[: int(op["k"])]

    def ranking(self) -> list[dict[str, Any]]:
        if self.classes is None:
            scores = self.first()[0].astype(np.float64).reshape(-1) if self.scores is None else self.scores
            self.classes = [{"class": int(i), "score": float(scores[i])} for i in np.argsort(-scores, kind="stable")]
        return self.classes

    def apply(self, op: dict[str, Any]) -> None:
        name = op["op"]
        if name == "softmax":
            self.outputs[0] = _softmax(self.first(), int(op.get("axis", 1)))
        elif name == "sigmoid":
            self.outputs[0] = _sigmoid(self.first())
        elif name == "decode":
            self.decode(op)
        elif name == "threshold":
            self.threshold(op)
        elif name == "nms":
            self.found = _nms(self.instances(), op)
        elif name == "topk":
            self.topk(op)
        elif name == "upsample":
            height, width = self.frame.size if op.get("to") == "image" else self.input_size
            grown = _interpolate(self.first()[0].astype(np.float64), height, width, op.get("interpolation", "bilinear"), bool(op.get("alignCorners", False)))
            self.outputs[0] = grown[None]
        elif name == "argmax":
            self.mask = self.first().argmax(axis=int(op.get("axis", 1)))[0].astype(np.uint8)
        elif name == "mask-assemble":
            limit = float(op.get("threshold", 0.5))
            self.mask_limit = 0.0 if limit <= 0 else math.log(limit / (1 - limit))
        elif name == "scale-back":
            self.back = True
        else:
            raise BundleError(f"metadata.json: operation {name} is not known to this wrapper")

    def instances(self) -> _Instances:
        if self.found is None:
            raise BundleError("metadata.json: decode must come before nms and the like")
        return self.found

    def result(self) -> dict[str, Any]:
        height, width = self.frame.size
        line: dict[str, Any] = {"width": width, "height": height}
        if self.found is not None:
            return {**line, "instances": self._instances()}
        if self.mask is not None:
            return {**line, "mask": self._mask_back(self.mask) if self.back else self.mask}
        return {**line, "classes": self.ranking()}

    def _geometry(self) -> tuple[Array, Array, tuple[int, int]]:
        if self.back:
            return np.array(self.frame.scale), np.array(self.frame.shift), self.frame.size
        return np.ones(2), np.zeros(2), self.input_size

    def _instances(self) -> list[dict[str, Any]]:
        found = self.instances().ranked()
        scale, shift, (height, width) = self._geometry()
        edge = np.array([width, height], dtype=np.float64)

        def back(points: Array, clip: bool = True) -> Array:
            moved = (points - shift) / scale
            return np.clip(moved, 0, edge) if clip and self.back else moved

        lines: list[dict[str, Any]] = []
        for i in range(len(found.scores)):
            box = back(found.boxes[i].reshape(2, 2))
            line: dict[str, Any] = {"class": int(found.classes[i]), "score": float(found.scores[i])}
            if found.rotated is not None:
                corners = back(_rotated_corners(found.rotated[i]), clip=False)
                box = np.stack([corners.min(0), corners.max(0)])
                box = np.clip(box, 0, edge) if self.back else box
                line["obb"] = corners.tolist()
            line["box"] = box.reshape(-1).tolist()
            if found.keypoints is not None:
                places = back(found.keypoints[i, :, :2])
                line["keypoints"] = np.concatenate([places, found.keypoints[i, :, 2:]], axis=1).tolist()
            if found.coefficients is not None and self.mask_limit is not None:
                line["mask"] = {"rle": encode_rle(self._assemble(found.coefficients[i], box.reshape(-1)))}
            lines.append(line)
        return lines

    def _assemble(self, coefficients: Array, box: Array) -> Array:
        """The prototypes weighed, looked up between their four neighbours at every pixel whose centre lies in the box."""
        scale, shift, (height, width) = self._geometry()
        prototypes = self.outputs[1][0].astype(np.float64)
        rough = np.tensordot(coefficients, prototypes, axes=1)
        mask = np.zeros((height, width), dtype=np.uint8)
        spans: list[tuple[int, int, Array, Array, Array]] = []
        for axis, size in ((0, width), (1, height)):
            first, last = max(math.ceil(box[axis] - 0.5), 0), min(math.ceil(box[axis + 2] - 0.5), size)
            if last <= first:
                return mask
            cells, side = rough.shape[1 - axis], self.input_size[1 - axis]
            at = ((np.arange(first, last) + 0.5) * scale[axis] + shift[axis]) * (cells / side) - 0.5
            at = np.clip(at, 0, cells - 1)
            low = np.floor(at).astype(np.int64)
            spans.append((first, last, low, np.minimum(low + 1, cells - 1), at - low))
        (x0, x1, left, right, px), (y0, y1, top, bottom, py) = spans
        across = rough[:, left] * (1 - px) + rough[:, right] * px
        value = across[top] * (1 - py)[:, None] + across[bottom] * py[:, None]
        mask[y0:y1, x0:x1] = value > self.mask_limit
        return mask

    def _mask_back(self, mask: Array) -> Array:
        height, width = self.frame.size
        if mask.shape == (height, width) and self.input_size != (height, width):
            return mask  # already of the image's size (upsample to image)
        index = []
        for axis, size in ((0, width), (1, height)):
            side = self.input_size[1 - axis]
            at = ((np.arange(size) + 0.5) * self.frame.scale[axis] + self.frame.shift[axis]) * (mask.shape[1 - axis] / side)
            index.append(np.clip(np.floor(at).astype(np.int64), 0, mask.shape[1 - axis] - 1))
        return mask[np.ix_(index[1], index[0])]


def _rotated_corners(box: Array) -> Array:
    x, y, w, h, angle = (float(value) for value in box)
    cos, sin = math.cos(angle), math.sin(angle)
    ux, uy, vx, vy = w / 2 * cos, w / 2 * sin, -h / 2 * sin, h / 2 * cos
    return np.array([[x + ux + vx, y + uy + vy], [x + ux - vx, y + uy - vy], [x - ux - vx, y - uy - vy], [x - ux + vx, y - uy + vy]])


# --- both together -----------------------------------------------------------------------------------------------------------------


class Predictor:
    """One unpacked bundle. The model is loaded at the first prediction."""

    def __init__(self, bundle: Path) -> None:
        self.bundle = Path(bundle)
        try:
            self.metadata: dict[str, Any] = json.loads((self.bundle / "metadata.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BundleError(f"{self.bundle}/metadata.json cannot be read: {error}") from error
        if self.metadata.get("schema") != "export/v1":
            raise BundleError(f"metadata.json is {self.metadata.get('schema')}, this wrapper reads export/v1")
        self.labels: list[str] = self.metadata["labels"]
        self._session: Session | None = None
        self._frame: _Frame | None = None

    @property
    def session(self) -> Session:
        if self._session is None:
            artifact = self.metadata["artifact"]
            ending = _FILES.get(artifact["format"], "")
            file = next((entry["path"] for entry in artifact["files"] if ending and entry["path"].endswith(ending)), artifact["files"][0]["path"])
            self._session = open_session(self.bundle / file, artifact["format"])
        return self._session

    def preprocess(self, rgb: Array) -> Array:
        """uint8 height x width x 3 to the model's input, with the batch axis."""
        frame, batch = self._prepare(rgb)
        self._frame = frame
        return batch

    def _prepare(self, rgb: Array) -> tuple[_Frame, Array]:
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or 0 in rgb.shape:
            raise BundleError(f"the picture must be uint8, height x width x 3; it is {rgb.dtype} {list(rgb.shape)}")
        frame = _Frame(rgb)
        layout, dtype = "NHWC", None
        for op in self.metadata["preprocess"]:
            name = op["op"]
            if name == "decode":
                frame.image = _decode_color(frame.image, op.get("color", "rgb"))
            elif name == "resize":
                _resize_op(frame, op)
            elif name == "crop":
                _crop_op(frame, op)
            elif name == "pad":
                _pad_op(frame, op)
            elif name == "rescale":
                frame.image = frame.image * float(op["factor"])
            elif name == "normalize":
                frame.image = (frame.image - np.asarray(op["mean"], dtype=np.float64)) / np.asarray(op["std"], dtype=np.float64)
            elif name == "cast":
                dtype = str(op["dtype"])
            elif name == "transpose":
                layout = str(op["layout"])
            else:
                raise BundleError(f"metadata.json: operation {name} is not known to this wrapper")
        image = frame.image.transpose(2, 0, 1) if layout == "NCHW" else frame.image
        kind = str(self.metadata["inputs"][0].get("dtype", dtype or "float32"))
        return frame, np.ascontiguousarray(image[None], dtype=kind)

    def postprocess(self, outputs: Sequence[Array], size: tuple[int, int]) -> dict[str, Any]:
        """The model's outputs to one prediction; `size` is the picture's (height, width)."""
        if self._frame is None or self._frame.size != tuple(size):
            self.preprocess(np.zeros((*size, 3), dtype=np.uint8))
        frame = self._frame
        if frame is None:
            raise BundleError("no picture")
        state = _Post(self.metadata, outputs, frame, (frame.image.shape[0], frame.image.shape[1]))
        for op in self.metadata["postprocess"]:
            state.apply(op)
        return state.result()

    def predict(self, rgb: Array) -> dict[str, Any]:
        """One prediction: width, height, ms, and `classes`, `instances` or `mask` (uint8 array, class of every pixel)."""
        began = time.perf_counter()
        batch = self.preprocess(rgb)
        session, ready = self.session, time.perf_counter()
        outputs = session.run([batch])
        ran = time.perf_counter()
        line = self.postprocess(outputs, (rgb.shape[0], rgb.shape[1]))
        ms = {"pre": ready - began, "infer": ran - ready, "post": time.perf_counter() - ran}
        return {**line, "ms": {name: round(seconds * 1000, 3) for name, seconds in ms.items()}}


def load_rgb(file: Path) -> Array:
    """Decodes an image the way it is meant to be seen, as uint8 height x width x 3."""
    from PIL import Image, ImageOps

    with Image.open(file) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def main() -> int:
    parser = argparse.ArgumentParser(description="Predicts images with the exported model of this bundle; one line of JSON for each.")
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    parser.add_argument("--bundle", type=Path, default=Path(__file__).resolve().parents[2], help="the unpacked bundle (default: this file's)")
    parser.add_argument("--masks", type=Path, default=Path("masks"), help="where pixel masks of semantic models go")
    args = parser.parse_args()
    try:
        predictor = Predictor(args.bundle)
        for number, file in enumerate(args.images, 1):
            line = predictor.predict(load_rgb(file))
            if "mask" in line:
                from PIL import Image

                args.masks.mkdir(parents=True, exist_ok=True)
                target = args.masks / f"{number:04}.png"
                Image.fromarray(line["mask"]).save(target)
                line["mask"] = str(target)
            print(json.dumps({"image": str(file), **line}))
    except (BundleError, OSError) as error:
        print(f"predict: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
