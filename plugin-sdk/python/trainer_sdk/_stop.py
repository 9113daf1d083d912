"""One flag for every reason to stop: signals, the stop line on stdin (Windows), the wall limit."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from types import FrameType

from ._errors import Stop


class StopFlag:
    """Set from a signal handler or a thread, read at safe points by the main thread.

    While `immediate` is true (nothing to save yet) a signal ends the work at once, except inside `with flag:`, which guards a write.
    """

    def __init__(self, max_seconds: float | None, grace: float) -> None:
        self.immediate = True
        self.reason: str | None = None
        self._shield = 0
        self._owner = os.getpid()
        self._main = threading.get_ident()
        margin = min(grace / 2, 0.1 * max_seconds) if max_seconds else 0.0
        self._deadline = time.monotonic() + max_seconds - margin if max_seconds else None

    def install(self) -> None:
        """Takes SIGTERM and SIGINT; call once, from the main thread."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        if os.name == "nt":
            threading.Thread(target=self._read_stdin, name="trainyard-stop", daemon=True).start()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if os.getpid() != self._owner:
            # A forked loader process inherited this handler; it has nothing to save.
            os._exit(128 + number)
        if self.reason is not None:
            os._exit(143)
        self.reason = "signal"
        if self.immediate and self._shield == 0:
            raise Stop("signal")

    def _read_stdin(self) -> None:
        for line in sys.stdin:
            try:
                if json.loads(line).get("type") == "stop":
                    self.reason = "signal"
            except (ValueError, AttributeError):
                continue

    def __enter__(self) -> None:
        if threading.get_ident() == self._main:
            self._shield += 1

    def __exit__(self, *_: object) -> None:
        if threading.get_ident() == self._main:
            self._shield -= 1
            if self._shield == 0 and self.immediate and self.reason is not None and sys.exc_info()[0] is None:
                raise Stop(self.reason)

    @property
    def asked(self) -> bool:
        if self.reason is None and self._deadline is not None and time.monotonic() > self._deadline:
            self.reason = "limit"
        return self.reason is not None

    def check(self) -> None:
        """Raises Stop when a stop was asked for."""
        if self.asked:
            raise Stop(self.reason or "signal")

    def settle(self) -> None:
        """From here on a signal only sets the flag: there is something to save, or the end is being written."""
        self.immediate = False
