"""Architectures of the pinned timm release, kept as text so that `describe` need not import it; a test compares it with the library."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Architecture:
    name: str
    size: int
    #: Built for one input size: another one must be given when the network is made, and some refuse it.
    fixed: bool


@cache
def architectures() -> dict[str, Architecture]:
    lines = (Path(__file__).parent / "models.txt").read_text(encoding="utf-8").split("\n")
    rows = (line.split() for line in lines if line)
    return {name: Architecture(name, int(size), fixed == "1") for name, size, fixed in rows}


def listed_models() -> list[dict[str, Any]]:
    return [{"id": entry.name, "title": entry.name, "tasks": ["classify"], "input": _input(entry)} for entry in architectures().values()]


def _input(entry: Architecture) -> dict[str, int]:
    return {"default": entry.size, "min": entry.size if entry.fixed else 32, "max": 1024, "step": 1, "channels": 3}
