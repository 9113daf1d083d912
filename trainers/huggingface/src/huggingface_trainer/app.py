"""Registers the verbs. Nothing here imports the library: `describe` and `validate` answer in well under a second."""

from __future__ import annotations

import os
from pathlib import Path

# Set before the library is imported, so that they hold on every backend: no network, no telemetry, no cache outside the temporary folder.
# Trap (contract.md 13.3): the Auto classes look at the network even for local paths.
_TEMPORARY = Path(os.environ.get("TMPDIR", "/tmp"))
for _name, _value in {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TORCHINDUCTOR_CACHE_DIR": str(_TEMPORARY / "inductor"),
    "HF_HOME": str(_TEMPORARY / "hf"),
}.items():
    os.environ[_name] = _value

from trainer_sdk import Problem, Run, Trainer  # noqa: E402

from huggingface_trainer.plan import plan_of  # noqa: E402

app = Trainer.from_manifest("trainer.yaml")


@app.validate
def check(run: Run) -> list[Problem]:
    """Says what every key would become, without the library."""
    for key, planned in plan_of(run).entries.items():
        run.effective(key, planned.value, planned.target, planned.note, planned.source)
    return []


@app.train
def fit(run: Run) -> None:
    from huggingface_trainer.training import train

    train(run)


@app.evaluate
@app.predict
def infer(run: Run) -> None:
    from huggingface_trainer.inference import infer

    infer(run)


@app.export("onnx")
def to_onnx(run: Run, out: Path) -> None:
    from huggingface_trainer.exporting import export_onnx

    export_onnx(run, out)


@app.export("torchscript")
def to_torchscript(run: Run, out: Path) -> None:
    from huggingface_trainer.exporting import export_torchscript

    export_torchscript(run, out)


@app.export("openvino")
def to_openvino(run: Run, out: Path) -> None:
    from huggingface_trainer.exporting import export_openvino

    export_openvino(run, out)
