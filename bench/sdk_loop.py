"""CPU of a training loop: prints JSON {work, other} in microseconds per step. With `calls`, a metric and a progress call per step."""

import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "plugin-sdk" / "python"))
from trainer_sdk._events import EventWriter  # noqa: E402
from trainer_sdk._stop import StopFlag  # noqa: E402

mode, steps, milliseconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])


def step() -> None:
    until = time.thread_time_ns() + int(milliseconds * 1e6)
    while time.thread_time_ns() < until:
        sum(range(200))


with tempfile.TemporaryDirectory() as folder:
    events = EventWriter(Path(folder) / "events.jsonl", StopFlag(None, 30))
    work = 0
    begun = time.process_time_ns()
    for number in range(1, steps + 1):
        before = time.thread_time_ns()
        step()
        work += time.thread_time_ns() - before
        if mode == "calls":
            events.metric("train", number, number / 100, {"loss": 1 / number, "learning_rate": 0.01})
            events.progress("step", number, steps, None)
    total = time.process_time_ns() - begun
print(json.dumps({"work": work / steps / 1000, "other": (total - work) / steps / 1000}))
