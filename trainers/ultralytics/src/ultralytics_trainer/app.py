"""Registers the verbs. Nothing here imports the framework: `describe` and `validate` answer in well under a second."""

from __future__ import annotations

from pathlib import Path

from ultralytics_trainer.surroundings import prepare

prepare()

from trainer_sdk import Problem, Run, Trainer  # noqa: E402

from ultralytics_trainer.plan import plan_of  # noqa: E402

app = Trainer.from_manifest("trainer.yaml")


@app.validate
def check(run: Run) -> list[Problem]:
    """Says what every key would become, without the framework."""
    for key, planned in plan_of(run).entries.items():
        run.effective(key, planned.value, planned.target, planned.note, planned.source)
    return []


@app.train
def fit(run: Run) -> None:
    from ultralytics_trainer.training import train

    train(run)


@app.evaluate
def score(run: Run) -> None:
    from ultralytics_trainer.evaluation import evaluate

    evaluate(run)


@app.predict
def look(run: Run) -> None:
    from ultralytics_trainer.prediction import predict

    predict(run)


def _export(run: Run, out: Path) -> None:
    from ultralytics_trainer.exports import export

    export(run, out)


for _format in ("onnx", "torchscript", "openvino", "ncnn", "tflite", "coreml", "tensorrt"):
    app.export(_format)(_export)
