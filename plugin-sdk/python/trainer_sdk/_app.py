"""The process: command line, job.json, checks, signals, heartbeat, verbs, terminal event, exit code."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ._errors import Stop, TrainerError, UsageError, failure_of
from ._events import EventWriter, finite
from ._job import Job, read_job
from ._manifest import Manifest, find_manifest, load_manifest
from ._prepare import device_of, prepare
from ._run import Run
from ._stop import StopFlag
from ._usage import Heartbeat
from ._verbs import Handlers, run_verb
from ._vocabulary import CONTRACT_VERSION, VERBS

Handler = Callable[..., Any]


class Trainer:
    """Registers a trainer's functions by decorators and runs the verb of the command line."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self.handlers = Handlers()

    @classmethod
    def from_manifest(cls, path: str = "trainer.yaml") -> Trainer:
        """Reads the manifest found from the caller's file upwards; an absolute path is taken as it is."""
        caller = Path(sys._getframe(1).f_code.co_filename).resolve().parent
        try:
            return cls(load_manifest(find_manifest(path, caller)))
        except UsageError as error:
            sys.stderr.write(f"{error.message}\n")
            raise SystemExit(error.exit) from error

    def train(self, function: Handler) -> Handler:
        self.handlers.train = function
        return function

    def evaluate(self, function: Handler) -> Handler:
        self.handlers.evaluate = function
        return function

    def predict(self, function: Handler) -> Handler:
        self.handlers.predict = function
        return function

    def validate(self, function: Handler) -> Handler:
        """`function(run)` may call `run.effective` and return further problems; the default finds those of the dataset."""
        self.handlers.validate = function
        return function

    def describe_models(self, function: Callable[[], Sequence[dict[str, Any]]]) -> Callable[[], Sequence[dict[str, Any]]]:
        """Gives the concrete list of open families, as manifest entries."""
        self.handlers.models = function
        return function

    def export(self, format_: str) -> Callable[[Handler], Handler]:
        def register(function: Handler) -> Handler:
            self.handlers.exports[format_] = function
            return function

        return register

    def main(self, argv: Sequence[str] | None = None) -> None:
        """Never returns: the exit code and the terminal event agree, whatever threads or native libraries are left."""
        code = self.run(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    def run(self, argv: list[str]) -> int:
        try:
            verb, root = _arguments(argv)
            if root is None:
                return self._describe()
        except TrainerError as error:
            return _say(error)
        output = root / "output"
        try:
            output.mkdir(parents=True, exist_ok=True)
            job = read_job(root, verb)
            stop = StopFlag(float(job.limits.get("maxSeconds") or 0) or None, job.grace)
            events = EventWriter(output / "events.jsonl", stop)
        except Exception as error:
            return _fail_early(output, error)
        return self._work(job, events, stop)

    def _work(self, job: Job, events: EventWriter, stop: StopFlag) -> int:
        began = time.monotonic()
        run: Run | None = None
        beat = Heartbeat(events, job.device_kind == "cuda", lambda: run.images_per_second if run is not None else None)
        real_stdout = _keep_stdout(job.command == "validate")
        try:
            # From here a signal may end the work at once, wherever it is.
            stop.install()
            events.emit("started", **self._started(job))
            beat.start()
            events.emit("phase", name="prepare", state="begin")
            try:
                run = prepare(job, self.manifest, self.handlers, events, stop)
            finally:
                events.emit("phase", name="prepare", state="end")
            result = run_verb(run, self.handlers)
            stop.settle()
            beat.stop()
            result["seconds"] = round(time.monotonic() - began, 3)
            events.terminal("finished", **result)
            return 0
        except Stop as error:
            return self._stopped(error, run, events, stop, beat)
        except BaseException as error:
            stop.settle()
            beat.stop()
            return _failed(events, error)
        finally:
            if run is not None and run.document is not None:
                _print(real_stdout, run.document)

    def _stopped(self, stop_error: Stop, run: Run | None, events: EventWriter, stop: StopFlag, beat: Heartbeat) -> int:
        stop.settle()
        try:
            checkpoint = None
            if run is not None and run.job.command == "train":
                run.save_for_stop()
                checkpoint = run.store.last
            beat.stop()
            events.terminal("stopped", reason=stop_error.reason, checkpoint=checkpoint)
            return 75
        except BaseException as error:
            beat.stop()
            return _failed(events, error)

    def _started(self, job: Job) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "trainer": {"name": self.manifest.name, "version": self.manifest.version},
            "contract": CONTRACT_VERSION,
            "command": job.command,
            "task": job.task,
            "model": job.model,
            "device": device_of(job),
            "versions": self.manifest.versions(),
        }
        if job.resume:
            name = Path(str(job.resume.get("checkpoint", ""))).name
            fields["resumedFrom"] = {"checkpoint": name, "step": int(job.resume.get("step") or 0)}
        return fields

    def _describe(self) -> int:
        real_stdout = _keep_stdout(True)
        try:
            listed = self.handlers.models() if self.handlers.models is not None else []
            fixed = [entry for entry in self.manifest.raw.get("models", []) if "id" in entry]
            known = {entry["id"] for entry in fixed}
            document = {
                "manifest": {key: value for key, value in self.manifest.raw.items() if key != "image"},
                "models": fixed + [entry for entry in listed if entry["id"] not in known],
                "configSchema": self.manifest.schema,
                "presets": self.manifest.presets,
                "versions": self.manifest.versions(),
            }
            _print(real_stdout, document)
            return 0
        except Exception as error:
            return _say(error)


def _arguments(argv: list[str]) -> tuple[str, Path | None]:
    usage = f"Usage: {{{' | '.join(VERBS)}}} [--job DIR]"
    if not argv or argv[0] not in VERBS:
        raise UsageError(f"unknown verb {argv[0] if argv else '(none)'}", usage)
    rest = argv[1:]
    if argv[0] == "describe":
        return "describe", None
    if rest and rest[0].startswith("--job="):
        rest = ["--job", rest[0][6:], *rest[1:]]
    if len(rest) not in (0, 2) or (rest and rest[0] != "--job"):
        raise UsageError(f"unknown arguments {' '.join(rest)}", usage)
    root = Path(rest[1] if rest else "/job").absolute()
    if not root.is_dir():
        raise UsageError("the job folder does not exist", usage)
    return argv[0], root


def _keep_stdout(taken: bool) -> int:
    """When stdout carries one JSON document, everything frameworks print goes to stderr."""
    if not taken:
        return 1
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    return kept


def _print(handle: int, document: dict[str, Any]) -> None:
    data = (json.dumps(finite(document), ensure_ascii=False) + "\n").encode()
    while data:
        data = data[os.write(handle, data) :]


def _say(error: BaseException) -> int:
    failure = failure_of(error)
    sys.stderr.write(f"{failure.code}: {failure.message}\n{failure.hint or ''}\n{failure.detail or ''}".rstrip() + "\n")
    return failure.exit


def _failed(events: EventWriter, error: BaseException) -> int:
    failure = failure_of(error)
    _say(error)
    fields: dict[str, Any] = {"code": failure.code, "message": failure.message, "retryable": failure.exit in (71, 73, 74)}
    fields |= {key: value for key, value in (("hint", failure.hint), ("detail", failure.detail)) if value}
    try:
        events.terminal("failed", **fields)
    except OSError as error_of_disk:
        sys.stderr.write(f"the last event could not be written: {error_of_disk}\n")
    return failure.exit


def _fail_early(output: Path, error: BaseException) -> int:
    """A job that cannot be read still gets its one terminal event, when there is a place for it."""
    try:
        return _failed(EventWriter(output / "events.jsonl", StopFlag(None, 0)), error)
    except OSError:
        return _say(error)
