"""Writes small real exports of one model, one folder per format, with the SDK's own wrapper: python make_exports.py OUT RUNTIME

OUT/<format> for classify (a linear classifier of 8 x 8 pixels), OUT/detect (TorchScript, four boxes whose scores follow the picture) with
OUT/reference, and two that do harm: OUT/intruder writes a file when it runs, OUT/endless never answers.
Needs the environment of validator/checkers.
"""

import hashlib
import json
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

LABELS = ["bolt", "nut", "washer"]
SIDE = 8


def weights():
    rng = np.random.default_rng(7)
    return rng.normal(0, 0.2, (3, 3 * SIDE * SIDE)).astype(np.float32), rng.normal(0, 0.1, 3).astype(np.float32)


class Classifier(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.flat = torch.nn.Flatten()
        self.head = torch.nn.Linear(3 * SIDE * SIDE, 3)
        weight, bias = weights()
        self.head.weight.data, self.head.bias.data = torch.from_numpy(weight), torch.from_numpy(bias)

    def forward(self, x):
        return self.head(self.flat(x))


class Detector(torch.nn.Module):
    """yolo-raw: [1, 4 + 3, 4]; boxes stand, scores follow the mean of a quarter of the picture."""

    def __init__(self):
        super().__init__()
        boxes = [[2, 2, 3, 3], [6, 2, 3, 3], [2, 6, 3, 3], [6, 6, 3, 3]]
        self.register_buffer("boxes", torch.tensor(boxes, dtype=torch.float32).T[None])

    def forward(self, x):
        quarters = torch.nn.functional.avg_pool2d(x, SIDE // 2).flatten(2)
        return torch.cat([self.boxes, 0.3 + 0.6 * quarters], dim=1)


def to_torchscript(model, folder):
    """Without the places of the source, which name this machine."""
    sample = torch.zeros(1, 3, SIDE, SIDE)
    raw = folder / "raw"
    torch.jit.trace(model.eval(), sample).save(str(raw))
    without_places(raw, folder / "model.torchscript")


def without_places(raw, target):
    with zipfile.ZipFile(raw) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as clean:
        for entry in source.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                clean.writestr(entry.filename, source.read(entry))
    raw.unlink()


class Intruder(torch.nn.Module):
    """Answers like the detector and writes a file on the way: TorchScript can."""

    def __init__(self, detector, target: str):
        super().__init__()
        self.detector = torch.jit.trace(detector, torch.zeros(1, 3, SIDE, SIDE))
        self.target = target

    def forward(self, x):
        torch.from_file(self.target, True, 4)
        return self.detector(x)


class Endless(torch.nn.Module):
    def forward(self, x):
        total = torch.zeros(1)
        while bool(total < 1):
            total = total * 0
        return total


def to_openvino(model, folder):
    import openvino

    converted = openvino.convert_model(model.eval(), example_input=torch.zeros(1, 3, SIDE, SIDE), input=[1, 3, SIDE, SIDE])
    converted.inputs[0].get_tensor().set_names({"images"})
    converted.outputs[0].get_tensor().set_names({"logits"})
    (folder / "model_openvino").mkdir()
    openvino.save_model(converted, folder / "model_openvino" / "model.xml", compress_to_fp16=False)


def to_ncnn(folder):
    weight, bias = weights()
    place = folder / "model_ncnn"
    place.mkdir()
    layers = [
        "Input            in0   0 1 in0 0=8 1=8 2=3",
        "Flatten          flat  1 1 in0 1",
        f"InnerProduct     head  1 1 1 out0 0=3 1=1 2={weight.size}",
    ]
    (place / "model.param").write_text(f"7767517\n{len(layers)} {len(layers)}\n" + "\n".join(layers) + "\n")
    (place / "model.bin").write_bytes(b"\0\0\0\0" + weight.tobytes() + bias.tobytes())


def to_tflite(folder):
    """By hand: RESHAPE and FULLY_CONNECTED."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as s

    weight, bias = weights()

    def buffer(data=None):
        made = s.BufferT()
        made.data = None if data is None else np.frombuffer(data, dtype=np.uint8)
        return made

    def tensor(name, sides, index, kind=s.TensorType.FLOAT32):
        made = s.TensorT()
        made.name, made.shape, made.buffer, made.type = name.encode(), sides, index, kind
        return made

    def operator(code, inputs, outputs, kind, options):
        made = s.OperatorT()
        made.opcodeIndex, made.inputs, made.outputs = code, inputs, outputs
        made.builtinOptionsType, made.builtinOptions = kind, options
        return made

    def code(number):
        made = s.OperatorCodeT()
        made.builtinCode, made.deprecatedBuiltinCode, made.version = number, number, 1
        return made

    model, graph = s.ModelT(), s.SubGraphT()
    model.version = 3
    model.operatorCodes = [code(s.BuiltinOperator.RESHAPE), code(s.BuiltinOperator.FULLY_CONNECTED)]
    sides = np.array([1, weight.shape[1]], dtype=np.int32)
    model.buffers = [buffer(), buffer(sides.tobytes()), buffer(weight.tobytes()), buffer(bias.tobytes())]
    graph.tensors = [
        tensor("images", [1, 3, SIDE, SIDE], 0),
        tensor("sides", [2], 1, s.TensorType.INT32),
        tensor("flat", [1, weight.shape[1]], 0),
        tensor("weight", list(weight.shape), 2),
        tensor("bias", [3], 3),
        tensor("logits", [1, 3], 0),
    ]
    graph.inputs, graph.outputs, graph.name = [0], [5], b"main"
    reshape, full = s.ReshapeOptionsT(), s.FullyConnectedOptionsT()
    reshape.newShape = sides.tolist()
    graph.operators = [
        operator(0, [0, 1], [2], s.BuiltinOptions.ReshapeOptions, reshape),
        operator(1, [2, 3, 4], [5], s.BuiltinOptions.FullyConnectedOptions, full),
    ]
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    (folder / "model.tflite").write_bytes(bytes(builder.Output()))


def bundle(folder, model, kind, write, task, output, runtime):
    """The model's file and everything beside it (contract.md 8.1), from the checkpoint `model`."""
    import predict

    folder.mkdir(parents=True)
    write(folder)
    rng = np.random.default_rng(11)
    pixels = rng.integers(0, 256, (13, 20, 3), dtype=np.uint8)
    (folder / "selftest").mkdir()
    Image.fromarray(pixels).save(folder / "selftest" / "input.png")
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and "selftest" not in path.parts]
    decode = [{"op": "decode", "scheme": output["semantics"], "classes": 3}]
    if task == "detect":
        decode += [{"op": "threshold", "score": 0.25}, {"op": "nms", "iou": 0.7, "classAgnostic": False, "maxDetections": 300}, {"op": "scale-back"}]
    metadata = {
        "schema": "export/v1", "createdAt": "2026-11-25T00:00:00Z",
        "model": {"task": task, "family": "linear", "id": "tiny", "trainer": "@test/tiny@1.0.0"},
        "artifact": {
            "format": kind, "precision": "fp32", "opset": None, "dynamic": [],
            "files": [{"path": str(path.relative_to(folder)), "bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in files],
        },
        "inputs": [{"name": "images", "dtype": "float32", "layout": "NCHW", "shape": [1, 3, SIDE, SIDE]}],
        "outputs": [output],
        "preprocess": [
            {"op": "decode", "color": "rgb"},
            {"op": "resize", "mode": "stretch", "size": [SIDE, SIDE], "interpolation": "bilinear", "antialias": False, "round": "uint8"},
            {"op": "rescale", "factor": 1 / 255}, {"op": "transpose", "layout": "NCHW"},
        ],
        "postprocess": decode, "labels": LABELS, "verification": None, "license": "Apache-2.0", "notices": [],
    }
    (folder / "metadata.json").write_text(json.dumps(metadata, indent=1))
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS))
    (folder / "LICENSE").write_text("Apache-2.0\n")
    (folder / "README.md").write_text("# A tiny model\n")
    shutil.copytree(Path(runtime) / "python", folder / "runtime" / "python", ignore=shutil.ignore_patterns("__pycache__"))
    predictor = predict.Predictor(folder)
    tensor = predictor.preprocess(pixels)
    with torch.inference_mode():
        answer = model.eval()(torch.from_numpy(tensor)).numpy()
    np.save(folder / "selftest" / "input.npy", tensor)
    np.save(folder / "selftest" / "output-0.npy", answer)
    expected = predictor.postprocess([answer], pixels.shape[:2])
    (folder / "selftest" / "expected.json").write_text(json.dumps({"image": "selftest/input.png", **expected}))


def main():
    out, runtime = Path(sys.argv[1]), sys.argv[2]
    sys.path.insert(0, str(Path(runtime) / "python"))
    classifier, detector = Classifier(), Detector()
    logits = {"name": "logits", "dtype": "float32", "shape": [1, 3], "semantics": "logits"}
    makers = {
        "torchscript": lambda folder: to_torchscript(classifier, folder),
        "openvino": lambda folder: to_openvino(classifier, folder),
        "ncnn": to_ncnn,
        "tflite": to_tflite,
    }
    for kind, write in makers.items():
        bundle(out / kind, classifier, kind, write, "classify", logits, runtime)
    boxes = {"name": "output0", "dtype": "float32", "shape": [1, 7, 4], "semantics": "yolo-raw"}
    bundle(out / "detect", detector, "torchscript", lambda folder: to_torchscript(detector, folder), "detect", boxes, runtime)
    shutil.copytree(out / "detect", out / "intruder")
    torch.jit.script(Intruder(detector.eval(), str(out / "written-by-a-model"))).save(str(out / "intruder" / "model.torchscript"))
    shutil.copytree(out / "detect", out / "endless")
    torch.jit.script(Endless()).save(str(out / "endless" / "model.torchscript"))
    # What the checkpoint answers for pictures of its own.
    import predict

    reference = out / "reference"
    reference.mkdir()
    predictor = predict.Predictor(out / "detect")
    rng = np.random.default_rng(3)
    with (reference / "predictions.jsonl").open("w") as file:
        for number in range(20):
            pixels = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(reference / f"{number:04}.png")
            file.write(json.dumps({"image": f"{number:04}.png", **predictor.predict(pixels)}) + "\n")


if __name__ == "__main__":
    main()
