"""Heartbeat: `usage` events of the process tree from /proc, at least every ten seconds, also while the main thread imports or computes."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ._events import EventWriter

_PERIOD = 10.0
_TICK = 0.5


class Heartbeat:
    def __init__(self, events: EventWriter, gpu: bool, throughput: Callable[[], float | None]) -> None:
        self._events = events
        self._gpu = gpu
        self._throughput = throughput
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trainyard-usage", daemon=True)
        self._last = (time.monotonic(), tree_usage()[0])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._end.set()

    def _run(self) -> None:
        due = time.monotonic() + 1.0
        while not self._end.wait(_TICK):
            try:
                self._events.tick()
                if time.monotonic() >= due:
                    due = time.monotonic() + _PERIOD
                    self._events.emit("usage", **self._measure())
            except OSError:
                # A full disk is reported by the main thread; the heartbeat must not take the process down.
                continue

    def _measure(self) -> dict[str, Any]:
        seconds, rss = tree_usage()
        now = time.monotonic()
        before, used = self._last
        self._last = (now, seconds)
        percent = max(0.0, seconds - used) / max(now - before, 1e-3) * 100
        fields: dict[str, Any] = {"cpuPercent": round(percent, 1), "rssBytes": rss}
        if self._gpu:
            gpus = gpu_usage()
            if gpus:
                fields["gpu"] = gpus
        speed = self._throughput()
        if speed is not None:
            fields["throughput"] = {"value": round(speed, 2), "unit": "images/s"}
        return fields


def tree_usage() -> tuple[float, int]:
    """CPU seconds and resident bytes of this process and its children."""
    if not Path("/proc/self/stat").exists():
        import resource

        own = resource.getrusage(resource.RUSAGE_SELF)
        return own.ru_utime + own.ru_stime, own.ru_maxrss
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    seconds, rss, todo = 0.0, 0, [os.getpid()]
    while todo:
        pid = todo.pop()
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            # Fields after the name: 11 and 12 are user and system ticks, 13 and 14 those of children already collected, 21 resident pages.
            seconds += sum(int(fields[index]) for index in (11, 12, 13, 14)) / ticks
            rss += int(fields[21]) * page
            for task in os.listdir(f"/proc/{pid}/task"):
                todo += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
        except (OSError, ValueError, IndexError):
            continue
    return seconds, rss


def gpu_usage() -> list[dict[str, Any]]:
    """One entry per visible GPU, or none when the driver's tool is absent."""
    command = ["nvidia-smi", "--query-gpu=index,utilization.gpu,memory.used,memory.total", "--format=csv,noheader,nounits"]
    try:
        text = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout
        rows = [[float(word) for word in line.split(",")] for line in text.splitlines() if line.strip()]
    except (OSError, subprocess.SubprocessError, ValueError):
        return []
    mib = 1024 * 1024
    return [
        {"index": int(row[0]), "utilPercent": row[1], "memoryBytes": int(row[2]) * mib, "memoryTotalBytes": int(row[3]) * mib}
        for row in rows
    ]
