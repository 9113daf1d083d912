"""Registers the verbs. Nothing here imports the framework: `describe` and `validate` answer in well under a second."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

# Set before the framework is imported, so that they hold on every backend: no network, no cache outside the temporary folder.
for _name, _value in {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "TORCHINDUCTOR_CACHE_DIR": str(Path(os.environ.get("TMPDIR", "/tmp")) / "inductor"),
    "HF_HOME": str(Path(os.environ.get("TMPDIR", "/tmp")) / "hf"),
}.items():
    os.environ.setdefault(_name, _value)

from trainer_sdk import Problem, Run, Trainer  # noqa: E402

from timm_trainer.catalog import listed_models  # noqa: E402
from timm_trainer.plan import plan_of  # noqa: E402

app = Trainer.from_manifest("trainer.yaml")


@app.describe_models
def models() -> list[dict[str, Any]]:
    return listed_models()


@app.validate
def check(run: Run) -> list[Problem]:
    """Says what every key would become, without the framework."""
    for key, planned in plan_of(run).entries.items():
        run.effective(key, planned.value, planned.target, planned.note, planned.source)
    return []


@app.train
def fit(run: Run) -> None:
    from timm_trainer.training import train

    train(run)


@app.evaluate
@app.predict
def infer(run: Run) -> None:
    from timm_trainer.inference import infer

    infer(run)


@app.export("onnx")
def to_onnx(run: Run, out: Path) -> None:
    from timm_trainer.exporting import export_onnx

    export_onnx(run, out)


@app.export("torchscript")
def to_torchscript(run: Run, out: Path) -> None:
    from timm_trainer.exporting import export_torchscript

    export_torchscript(run, out)


@app.export("openvino")
def to_openvino(run: Run, out: Path) -> None:
    from timm_trainer.exporting import export_openvino

    export_openvino(run, out)
