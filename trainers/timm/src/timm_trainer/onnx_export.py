"""ONNX by tracing: own tensor names, dynamic batch, clean metadata, compared with the checkpoint on real images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import torch
from PIL import Image
from trainer_sdk import ExportSpec, Run

from timm_trainer.images import HELD_OUT, eval_transform, open_rgb, preprocess_ops
from timm_trainer.network import load_checkpoint


class _Logits(torch.nn.Module):
    def __init__(self, net: torch.nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.net(images)


def export_onnx(run: Run, out: Path) -> None:
    net, data = load_checkpoint(run)
    # Evaluation mode on the wrapper itself: a fresh module starts in training mode and batch norm would go out wrong.
    wrapper = _Logits(net).eval()
    size = data["size"]
    dynamic = {"images": {0: "batch"}, "logits": {0: "batch"}} if "batch" in run.job.export.get("dynamic", ["batch"]) else None
    file = out / "model.onnx"
    run.safe_point()
    with torch.no_grad():
        torch.onnx.export(
            wrapper, (torch.zeros(1, 3, size, size),), str(file), opset_version=int(run.options.get("opset", 17)),
            input_names=["images"], output_names=["logits"], dynamic_axes=dynamic, dynamo=False,
        )  # fmt: skip
    _clean(file, list(run.classes))

    def reference(array: Any) -> list[Any]:
        with torch.inference_mode():
            return [wrapper(torch.from_numpy(array)).numpy()]

    transform = eval_transform(data)
    pictures = _pictures(run, size)
    inputs = [transform(picture).unsqueeze(0).numpy() for picture in pictures[:-1]]
    (out / "selftest").mkdir()
    odd = pictures[-1].resize((int(size * 1.31) | 1, int(size * 1.17) | 1), Image.Resampling.BILINEAR)
    odd.save(out / "selftest" / "input.png")
    tensor = transform(odd).unsqueeze(0).numpy()
    scores = torch.softmax(torch.from_numpy(reference(tensor)[0][0]), dim=0).tolist()
    ranked = sorted(enumerate(scores), key=lambda pair: -pair[1])[:5]
    expected = {
        "image": "selftest/input.png", "width": odd.width, "height": odd.height,
        "classes": [{"class": index, "score": round(value, 6)} for index, value in ranked],
    }  # fmt: skip
    run.describe_export(
        ExportSpec(
            preprocess=preprocess_ops(data), postprocess=[{"op": "softmax", "axis": 1}, {"op": "topk", "k": min(5, len(scores))}],
            semantics=["logits"], reference=reference, inputs=inputs, selftest_image=out / "selftest" / "input.png",
            selftest_input=tensor, expected=expected, family=run.model.split("_")[0],
        )
    )  # fmt: skip


def _clean(file: Path, labels: list[str]) -> None:
    """Removes source locations, which name folders of this machine, and says what the file is."""
    import json

    import onnx

    model = onnx.load(str(file))
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    model.doc_string = ""
    del model.metadata_props[:]
    for key, value in (("task", "classify"), ("labels", json.dumps(labels, ensure_ascii=False))):
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model)
    onnx.save(model, str(file))


def _pictures(run: Run, size: int) -> list[Image.Image]:
    """Validation images kept in the checkpoint; smooth patterns fill up what a small split lacks."""
    folder = run.checkpoint_folder
    files = sorted((folder / "files").glob("held-out-*.png")) if folder is not None else []
    found = [open_rgb(file) for file in files]
    random = numpy.random.default_rng(0)
    while len(found) < HELD_OUT:
        coarse = Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype="uint8"))
        found.insert(0, coarse.resize((size, size), Image.Resampling.BICUBIC))
    return found
