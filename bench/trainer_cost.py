"""Runs a trainer's module with its SDK calls timed: `python trainer_cost.py WARM_UP MODULE VERB …`. Prints JSON with the seconds of CPU
between the end of epoch WARM_UP and the last step.

Counted for the SDK: what a training calls at every step (metrics, progress, the look for a stop) and its heartbeat thread. Checkpoints are left out: every
framework writes its own.
"""

import json
import os
import runpy
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from trainer_sdk import Run
from trainer_sdk._usage import Heartbeat

CALLS = ("metric", "progress", "safe_point", "check_finite")

warm_up, module, *rest = sys.argv[1:]
epochs = 0
spent = 0.0
depth = 0
marks: list[tuple[float, float, float, int]] = []


def timed(call: Callable[..., Any]) -> Callable[..., Any]:
    def run(self: Any, *args: Any, **values: Any) -> Any:
        global spent, depth, epochs
        if depth or threading.current_thread() is not threading.main_thread():
            return call(self, *args, **values)
        depth += 1
        began = time.thread_time()
        try:
            return call(self, *args, **values)
        finally:
            spent += time.thread_time() - began
            depth -= 1
            if call.__name__ == "metric":
                epochs += "val" in (*args, values.get("split"))
            if call.__name__ == "metric" and epochs >= int(warm_up):
                marks.append((time.process_time(), spent, heartbeat(), self.step))

    return run


clocks: list[int] = []


def heartbeat() -> float:
    return sum(time.clock_gettime(clock) for clock in clocks)


def started(beat: Any, start: Callable[[Any], None] = Heartbeat.start) -> None:
    start(beat)
    clocks.append(time.pthread_getcpuclockid(beat._thread.ident))


def report() -> None:
    (cpu, own, beat, step), (last_cpu, last_own, last_beat, last_step) = marks[0], marks[-1]
    sdk = last_own - own + last_beat - beat
    print("\n" + json.dumps({"steps": last_step - step, "sdk": sdk, "cpu": last_cpu - cpu}), flush=True)


def leave(code: int, end: Callable[[int], Any] = os._exit) -> None:
    report()
    end(code)


for name in CALLS:
    setattr(Run, name, timed(getattr(Run, name)))
Heartbeat.start = started  # type: ignore[method-assign]
os._exit = leave  # type: ignore[assignment]
sys.argv = [module, *rest]
runpy.run_module(module, run_name="__main__", alter_sys=True)
