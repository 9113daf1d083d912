"""job.json, read and checked (contract.md 5.2)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ._errors import InputError, UsageError
from ._vocabulary import CONTRACT_VERSION

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Job:
    """What to do. Paths are absolute, below `root`; everything else is as the runner wrote it."""

    root: Path
    job_id: str
    attempt: int
    command: str
    trainer: str
    task: str
    model: str
    config: Json | None
    config_digest: str | None
    seed: int
    device_kind: str
    device_count: int
    weights: Json | None
    dataset: Json | None
    checkpoint: Json | None
    model_artifact: Json | None
    resume: Json | None
    evaluate: Json
    predict: Json
    export: Json
    limits: Json
    grace: float

    @property
    def output(self) -> Path:
        return self.root / "output"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    def path(self, relative: str) -> Path:
        """A path of job.json inside the job folder; anything that points outside is refused."""
        pure = PurePosixPath(relative)
        if pure.is_absolute() or ".." in pure.parts or "\\" in relative:
            raise UsageError(f"job.json names the path {relative}, which leaves the job folder", "Use relative paths.")
        return self.root / pure


def read_job(root: Path, command: str) -> Job:
    """Raises UsageError (64) when the file is missing, broken, of another contract or for another command."""
    file = root / "job.json"
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{file.name} is missing in the job folder", "Pass --job DIR of a folder that holds job.json.") from None
    except ValueError as error:
        raise UsageError(f"job.json is not JSON: {error}", "Write it as one JSON object.") from None
    if not isinstance(raw, dict):
        raise UsageError("job.json is not an object")
    contract = _text(raw, "contract", CONTRACT_VERSION)
    if contract.split(".")[0] != CONTRACT_VERSION.split(".")[0]:
        hint = f"This trainer speaks contract {CONTRACT_VERSION}."
        raise UsageError(f"the job speaks contract {contract}", hint, "usage.contract")
    if _text(raw, "command", command) != command:
        raise UsageError(f"job.json says {raw['command']}, the command line says {command}")
    device = _object(raw, "device") or {}
    config = raw.get("config")
    return Job(
        root=root,
        job_id=_text(raw, "jobId", "job"),
        attempt=_integer(raw, "attempt", 1),
        command=command,
        trainer=_text(raw, "trainer", ""),
        task=_text(raw, "task", ""),
        model=_text(raw, "model", ""),
        config=config,
        config_digest=raw.get("configDigest"),
        seed=_integer(raw, "seed", 0),
        device_kind=_text(device, "kind", "cpu"),
        device_count=_integer(device, "count", 1),
        weights=_object(raw, "weights"),
        dataset=_object(raw, "dataset"),
        checkpoint=_object(raw, "checkpoint"),
        model_artifact=_object(raw, "modelArtifact"),
        resume=_object(raw, "resume"),
        evaluate=_object(raw, "evaluate") or {},
        predict=_object(raw, "predict") or {},
        export=_object(raw, "export") or {},
        limits=_object(raw, "limits") or {},
        grace=float(_integer(raw, "grace", 30)),
    )


def existing(path: Path, what: str, code: str) -> Path:
    if not path.exists():
        raise InputError(f"{what} is missing: {path.name}", "The runner must put it into the job folder.", code)
    return path


def _text(raw: Json, key: str, default: str) -> str:
    value = raw.get(key, default)
    if not isinstance(value, str):
        raise UsageError(f"job.json: {key} must be a text")
    return value


def _integer(raw: Json, key: str, default: int) -> int:
    value = raw.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value):
        raise UsageError(f"job.json: {key} must be a whole number")
    return int(value)


def _object(raw: Json, key: str) -> Json | None:
    value = raw.get(key)
    if value is not None and not isinstance(value, dict):
        raise UsageError(f"job.json: {key} must be an object or null")
    return value
