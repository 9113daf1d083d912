"""One problem of a dataset as `validate` tells it, and the codes it may have (contract.md 5.6, 6.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ._errors import DatasetError


@dataclass(frozen=True)
class Problem:
    """`path` is a file of the dataset, with `:line` when it is a line of a text; `pointer` leads to the entry of a JSON file."""

    code: str
    severity: str
    message: str
    hint: str | None = None
    path: str | None = None
    pointer: str | None = None

    def as_dict(self) -> dict[str, Any]:
        names = ("code", "severity", "message", "hint", "path", "pointer")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


Report = Callable[[Problem], None]


def error(code: str, message: str, path: str | None = None, hint: str | None = None, pointer: str | None = None) -> Problem:
    return Problem(code, "error", message, hint, path, pointer)


def raise_problem(problem: Problem) -> None:
    """For readers that nobody asked for a list: the first problem ends the reading."""
    where = f"{problem.path}: " if problem.path and not problem.message.startswith(problem.path) else ""
    raise DatasetError(f"{where}{problem.message}", problem.hint, problem.code)
