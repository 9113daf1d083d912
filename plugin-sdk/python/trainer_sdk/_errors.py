"""Failures a trainer may report; the prefix of the code decides the exit code (contract.md 5.6)."""

from __future__ import annotations

import errno
import traceback
from dataclasses import dataclass

from ._vocabulary import EXIT

_MAX_DETAIL = 16_000


class Stop(BaseException):
    """Raised at a safe point after a stop was asked for. Not an Exception, so that `except Exception` lets it pass."""

    def __init__(self, reason: str = "signal") -> None:
        super().__init__(reason)
        self.reason = reason


class TrainerError(Exception):
    """A failure with a code. `hint` says how to mend it, naming the key, path or nearest known value."""

    default_code = "internal.exception"

    def __init__(self, message: str, hint: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or self.default_code

    @property
    def exit(self) -> int:
        return EXIT.get(self.code.split(".", 1)[0], 70)


class UsageError(TrainerError):
    default_code = "usage.arguments"


class DatasetError(TrainerError):
    default_code = "dataset.format"


class InputError(TrainerError):
    default_code = "input.checkpoint_missing"


class Unsupported(TrainerError):
    default_code = "unsupported.combination"


class ResourceError(TrainerError):
    default_code = "resource.ram_oom"


class OutputError(TrainerError):
    default_code = "output.cannot_create"


class Diverged(TrainerError):
    default_code = "diverged.nan"


class VerificationError(TrainerError):
    default_code = "verification.parity"


class ConfigError(TrainerError):
    default_code = "config.invalid"


@dataclass(frozen=True)
class Failure:
    """What the `failed` event says."""

    code: str
    exit: int
    message: str
    hint: str | None
    detail: str | None


def _memory_code(error: BaseException, text: str) -> str | None:
    names = {kind.__name__ for kind in type(error).__mro__}
    low = text.lower()
    if "OutOfMemoryError" in names or "cuda out of memory" in low or "cuda error: out of memory" in low:
        return "resource.gpu_oom"
    if "bus error" in low or "unable to open shared memory" in low or "shared memory (shm)" in low:
        return "resource.shm_small"
    if isinstance(error, MemoryError) or "can't allocate memory" in low or "not enough memory" in low:
        return "resource.ram_oom"
    if "killed by signal: killed" in low:
        return "resource.ram_oom"
    if "driver version is insufficient" in low or "cuda driver initialization failed" in low:
        return "resource.driver"
    if "device is lost" in low or "gpu has fallen off" in low or "uncorrectable ecc" in low:
        return "resource.device_lost"
    return None


_MEMORY_HINTS = {
    "resource.gpu_oom": "Halve batch or image_size.",
    "resource.ram_oom": "Halve batch, lower workers, or ask for more memory.",
    "resource.shm_small": "Set workers to 0 or ask for more shared memory.",
    "resource.driver": "The GPU driver of this machine is too old for this trainer.",
    "resource.device_lost": "The GPU stopped answering; try another one.",
}


def _os_failure(error: OSError) -> tuple[str, str] | None:
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", -1), errno.EFBIG):
        return "io.disk_full", "Free disk space or keep fewer checkpoints."
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return "output.cannot_create", "The trainer may write only below checkpoints/, output/ and the temporary folder."
    if error.errno == errno.ENOMEM:
        return "resource.ram_oom", _MEMORY_HINTS["resource.ram_oom"]
    if error.errno == errno.EIO:
        return "io.read", "The disk reported an error."
    return None


def failure_of(error: BaseException) -> Failure:
    """Turns any exception into code, exit and texts; what is not known is a bug (70)."""
    detail = "".join(traceback.format_exception(type(error), error, error.__traceback__))[-_MAX_DETAIL:]
    if isinstance(error, TrainerError):
        return Failure(error.code, error.exit, error.message[:2000], error.hint, None)
    text = f"{type(error).__name__}: {error}"
    memory = _memory_code(error, text)
    if memory is not None:
        return Failure(memory, 71, text[:2000], _MEMORY_HINTS[memory], detail)
    if isinstance(error, OSError):
        known = _os_failure(error)
        if known is not None:
            return Failure(known[0], EXIT[known[0].split(".", 1)[0]], text[:2000], known[1], detail)
    # Frameworks wrap the OSError of a full disk in errors of their own.
    cause = error.__cause__ or error.__context__
    if isinstance(cause, (OSError, MemoryError)) and cause is not error:
        inner = failure_of(cause)
        if inner.exit != 70:
            return Failure(inner.code, inner.exit, inner.message, inner.hint, detail)
    if "no space left on device" in text.lower():
        return Failure("io.disk_full", 74, text[:2000], "Free disk space or keep fewer checkpoints.", detail)
    return Failure("internal.exception", 70, text[:2000], "This is a bug in the trainer or its framework.", detail)
