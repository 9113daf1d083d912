"""Writes output/events.jsonl: one whole line per event, flushed, rates kept, last values never lost (contract.md 5.4, 5.5)."""

from __future__ import annotations

import json
import math
import os
import threading
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ._stop import StopFlag
from ._vocabulary import METRIC_NAME

MAX_EVENT_BYTES = 65_536
MAX_NAMES = 256
MAX_SERIES = 10_000
_METRICS_PER_SECOND = 10.0
_PROGRESS_GAP = 0.5


class EventWriter:
    """Thread-safe. Metric and progress events wait in memory until the rate allows them; `flush` and any other event write them first."""

    def __init__(self, path: Path, stop: StopFlag) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._stop = stop
        self._lock = threading.RLock()
        self._seq = 0
        self._metrics: list[dict[str, Any]] = []
        self._last_metric = -math.inf
        self._progress: dict[str, Any] | None = None
        self._last_progress = -math.inf
        self._series: set[tuple[str, str]] = set()
        self._last_step = 0
        self.dropped = 0
        self.closed = False

    def emit(self, type_: str, **fields: Any) -> None:
        """Writes one event now, after what is pending."""
        with self._stop, self._lock:
            if self.closed:
                return
            self._drain(everything=True)
            self._write(type_, fields)

    def terminal(self, type_: str, **fields: Any) -> None:
        """The last event; later ones are dropped."""
        with self._stop, self._lock:
            if self.closed:
                return
            self._drain(everything=True)
            self._write(type_, fields)
            self.closed = True
            os.fsync(self._file)

    def metric(self, split: str, step: int, epoch: float | None, values: dict[str, Any]) -> None:
        """Several calls for one step become one event; a newer train step replaces waiting older values of the same names."""
        clean: dict[str, float | None] = {}
        bad: list[str] = []
        with self._stop, self._lock:
            for name, value in values.items():
                if METRIC_NAME.fullmatch(name) is None or not self._known(name, split):
                    self.dropped += 1
                    continue
                number = float(value) if value is not None else math.nan
                clean[name] = number if math.isfinite(number) else None
                if clean[name] is None:
                    bad.append(name)
            if not clean:
                return
            step = self._last_step = max(step, self._last_step)
            self._merge({"step": step, "epoch": epoch, "split": split, "values": clean, "bad": set(bad)})
            self._drain()

    def progress(self, unit: str, current: float, total: float | None, eta: float | None) -> None:
        with self._stop, self._lock:
            old = self._progress
            if old is not None and old["unit"] != unit:
                self._drain(everything=True)
            self._progress = {"unit": unit, "current": current, "total": total, "etaSeconds": eta}
            self._drain()

    def tick(self) -> None:
        """Called by the heartbeat thread: writes what waited long enough."""
        with self._lock:
            if not self.closed:
                self._drain()

    def flush(self) -> None:
        with self._stop, self._lock:
            if not self.closed:
                self._drain(everything=True)

    def _known(self, name: str, split: str) -> bool:
        if (name, split) in self._series:
            return True
        if len(self._series) >= MAX_SERIES:
            return False
        self._series.add((name, split))
        return True

    def _merge(self, new: dict[str, Any]) -> None:
        for old in self._metrics:
            same = old["split"] == new["split"]
            if same and old["step"] == new["step"] and len(old["values"].keys() | new["values"].keys()) <= MAX_NAMES:
                old["values"].update(new["values"])
                old["bad"] = (old["bad"] - new["values"].keys()) | new["bad"]
                old["epoch"] = new["epoch"] if new["epoch"] is not None else old["epoch"]
                return
            if same and old["split"] == "train" and old["step"] < new["step"]:
                for name in new["values"]:
                    # A value that is not a number is a finding; it is never replaced by a later good one.
                    if name not in old["bad"]:
                        old["values"].pop(name, None)
        self._metrics = [entry for entry in self._metrics if entry["values"]]
        self._metrics.append(new)

    def _drain(self, everything: bool = False) -> None:
        now = time.monotonic()
        while self._metrics and (everything or now - self._last_metric >= 1 / _METRICS_PER_SECOND):
            entry = self._metrics.pop(0)
            self._last_metric = now
            names = list(entry["values"])
            for start in range(0, len(names), MAX_NAMES):
                part = names[start : start + MAX_NAMES]
                fields: dict[str, Any] = {"step": entry["step"], "split": entry["split"]}
                if entry["epoch"] is not None:
                    fields["epoch"] = entry["epoch"]
                fields["values"] = {name: entry["values"][name] for name in part}
                bad = [name for name in part if name in entry["bad"]]
                if bad:
                    fields["nonFinite"] = bad
                self._write("metric", fields)
        if self._progress is not None and (everything or now - self._last_progress >= _PROGRESS_GAP):
            waiting, self._progress = self._progress, None
            self._last_progress = now
            self._write("progress", waiting)

    def _write(self, type_: str, fields: dict[str, Any]) -> None:
        line = self._line(type_, fields)
        if len(line) > MAX_EVENT_BYTES:
            self.dropped += 1
            message = f"A {type_} event of {len(line)} bytes was dropped; {MAX_EVENT_BYTES} are allowed."
            line = self._line("warning", {"code": "event_too_large", "message": message})
        self._seq += 1
        view = memoryview(line)
        while view:
            view = view[os.write(self._file, view) :]

    def _line(self, type_: str, fields: dict[str, Any]) -> bytes:
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        event = {"v": 1, "seq": self._seq + 1, "ts": now, "type": type_, **fields}
        try:
            text = json.dumps(event, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        except ValueError:
            text = json.dumps(finite(event), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return (text + "\n").encode("utf-8", "replace")


def finite(value: Any) -> Any:
    """The value with NaN and infinities as null: JSON has no word for them."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value
