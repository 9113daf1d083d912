"""One convolution in NumPy with drawn weights, for classes and for maps; `fault` breaks one thing of its export."""

import os
import random

import numpy
from trainer_sdk import ExportSpec, Graph, Tensor, Trainer, draw_picture, read_png

app = Trainer.from_manifest("trainer.yaml")
HEIGHT, WIDTH, PLANES = 12, 16, 3


def network(run, classes=3):
    rng = random.Random(5)
    return {name: [rng.gauss(0, 1) for _ in range(count)] for name, count in (("conv", PLANES * 27), ("gemm", PLANES * PLANES), ("bias", PLANES))}


def forward(weights, batch, task):
    padded = numpy.pad(batch, ((0, 0), (0, 0), (1, 1), (1, 1)))
    views = numpy.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
    maps = numpy.einsum("nchwij,pcij->nphw", views, numpy.asarray(weights["conv"]).reshape(PLANES, 3, 3, 3))
    if task == "semantic":
        return maps.astype("float32")
    pooled = numpy.maximum(maps, 0).mean((2, 3))
    return (pooled @ numpy.asarray(weights["gemm"]).reshape(PLANES, PLANES).T + weights["bias"]).astype("float32")


def write(weights, path, task):
    graph = Graph("images", [1, 3, HEIGHT, WIDTH])
    last = "logits" if task == "semantic" else None
    graph.add("Conv", [Tensor((PLANES, 3, 3, 3), weights["conv"])], last, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    if task == "classify":
        graph.add("Relu").add("AveragePool", kernel_shape=[HEIGHT, WIDTH]).add("Flatten", axis=1)
        graph.add("Gemm", [Tensor((PLANES, PLANES), weights["gemm"]), Tensor((PLANES,), weights["bias"])], "logits", transB=1)
        return graph.write(path, PLANES)
    return graph.write(path, PLANES, HEIGHT, WIDTH)


def tensor_of(pixels):
    rgb = numpy.frombuffer(pixels.data, "uint8").reshape(pixels.height, pixels.width, pixels.channels)[:, :, [0, 0, 0] if pixels.channels == 1 else [0, 1, 2]]
    rows = numpy.floor((numpy.arange(HEIGHT) + 0.5) * pixels.height / HEIGHT).astype(int)
    columns = numpy.floor((numpy.arange(WIDTH) + 0.5) * pixels.width / WIDTH).astype(int)
    return (rgb[rows][:, columns].transpose(2, 0, 1)[None] / 255).astype("float32")


@app.train
def fit(run):
    for key in run.config:
        run.effective(key, run.config[key])
    for _ in run.epochs(start=run.resume().epoch):
        run.checkpoint(metric=1.0, **network(run))


@app.evaluate
@app.predict
def infer(run):
    if run.exported() is not None:
        seen = [(sample.image, sorted(line)) for sample, line in run.exported_predictions()]
        run.report({"miou": float(len(seen))})
        return
    weights = run.load()
    for sample in run.images:
        values = forward(weights, tensor_of(read_png(sample.path)), run.task)[0]
        if run.task == "classify":
            power = numpy.exp(values - values.max())
            run.prediction(sample, scores=(power / power.sum()).tolist())
            continue
        labels = values.argmax(0).astype("uint8")
        width, height = sample.size
        rows = ((numpy.arange(height) + 0.5) * HEIGHT / height).astype(int)
        columns = ((numpy.arange(width) + 0.5) * WIDTH / width).astype(int)
        run.prediction(sample, mask=labels[rows][:, columns])
    run.report({"miou": 0.5})


@app.export("onnx")
@app.export("coreml")
@app.export("x-raw")
def to_file(run, out):
    weights, fault, form = run.load(), run.config.fault, run.job.export["format"]
    name = {"onnx": "model.onnx", "coreml": "model.mlpackage/model.bin", "x-raw": "model.raw"}[form]
    (out / name).parent.mkdir(exist_ok=True)
    if fault != "nofile":
        write(weights, out / name, run.task)
    if fault == "garbage":
        (out / name).write_bytes(b"no model")
    if fault in ("job", "home", "temporary"):
        text = {"job": str(run.job.root / "dataset"), "home": os.environ["HOME"], "temporary": "/tmp/convert_1/x.py"}[fault]
        (out / "notes.txt").write_text(f"made of {text}")
    picture = draw_picture(out / "selftest" / "input.png", 31 if fault != "square" else 20, 20)
    inputs = [tensor_of(read_png(draw_picture(out / "selftest" / "drawn.png", 20, 20, seed))) for seed in range(4 if fault == "few" else 16)]
    (out / "selftest" / "drawn.png").unlink()
    off = 0.1 if fault == "parity" else 0.0
    reference = lambda array: [forward(weights, array, run.task) + (0.1 if fault == "parity" else 0)]
    before = [
        {"op": "decode", "color": "rgb"},
        {"op": "resize", "mode": "stretch", "size": [HEIGHT, WIDTH], "interpolation": "nearest", "antialias": False, "round": "uint8"},
        {"op": "rescale", "factor": 1 / (128 if fault == "steps" else 255)},
        {"op": "transpose", "layout": "NCHW"},
    ]
    classes = [{"op": "softmax", "axis": 1}, {"op": "topk", "k": 3}]
    after = classes if run.task == "classify" else [{"op": "argmax", "axis": 1}, "scale-back"]
    kinds = ["logits" if run.task == "classify" else "semantic-logits"] * (2 if fault == "outputs" else 1)
    expected = {"classes": [{"class": 0, "score": 0.5}, {"class": 1, "score": 0.3}]} if fault == "expected" else None
    if form == "x-raw":
        kinds, expected = ["x-own"], {"mask": numpy.zeros((20, 31))}
    reason = "only its maker runs it" if form == "x-raw" else None
    last = tensor_of(read_png(picture))
    run.describe_export(ExportSpec(before, after, kinds, reference, inputs, picture, last, expected, unverified=reason))


if __name__ == "__main__":
    app.main()
