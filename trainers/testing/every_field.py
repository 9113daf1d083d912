"""Does changing any single field of a config schema show in config.effective.json? Shared by the trainers' tests; knows no trainer.

    for field in single_fields(schema, "detect"):
        effective = run_validate(field.config)          # the test's own: writes job.json, runs the verb, reads the file
        problems += silences(schema, "detect", field.config, effective, changed=[field.key])

A value that a machine cannot use is allowed, silence about it is not: such an entry needs a note.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Field:
    """One key with a value that is not its default; `config` also holds what its `x-ui.when` asks of other keys."""

    key: str
    value: Any
    config: dict[str, Any]


def scoped(schema: Schema, task: str) -> dict[str, Schema]:
    return {key: sub for key, sub in schema["properties"].items() if task in sub.get("x-tasks", [task])}


def single_fields(schema: Schema, task: str) -> Iterator[Field]:
    properties = scoped(schema, task)
    for key, sub in properties.items():
        value = other_value(sub)
        config = {key: value}
        for sibling, condition in sub.get("x-ui", {}).get("when", {}).items():
            if sibling in properties:
                config[sibling] = fitting_value(properties[sibling], condition)
        yield Field(key, value, config)


def all_fields(schema: Schema, task: str) -> dict[str, Any]:
    """Every key with a value of its own at once."""
    return {key: other_value(sub) for key, sub in scoped(schema, task).items()}


def other_value(sub: Schema) -> Any:
    """A valid value that differs from the default; small where the size costs time."""
    return next(value for value in candidates(sub) if not _same(value, sub.get("default")))


def fitting_value(sub: Schema, condition: Schema) -> Any:
    """A valid value for which a `when` condition holds; the default if it does."""
    return next(value for value in [sub.get("default"), *candidates(sub)] if _holds(condition, value))


def candidates(sub: Schema) -> Iterator[Any]:
    for word in ("oneOf", "anyOf"):
        for branch in sub.get(word, []):
            yield from [branch["const"]] if "const" in branch else candidates(branch)
    yield from sub.get("enum", [])
    types = sub.get("type")
    names = [types] if isinstance(types, str) else list(types or [])
    if "boolean" in names:
        yield from (True, False)
    if "integer" in names or "number" in names:
        yield from _numbers(sub, "integer" in names)
    if "array" in names:
        items = sub.get("prefixItems") or [sub.get("items", {})] * max(1, int(sub.get("minItems", 1)))
        default = sub.get("default") or [None] * len(items)
        yield [next(value for value in candidates(item) if not _same(value, was)) for item, was in zip(items, default, strict=False)]
    if "string" in names:
        yield from ("x", "other")


def _numbers(sub: Schema, whole: bool) -> Iterator[Any]:
    low = sub.get("minimum", sub.get("exclusiveMinimum", 0))
    high = sub.get("maximum", sub.get("exclusiveMaximum", low + 10))
    step = sub.get("multipleOf", 1)
    if whole:
        first = math.ceil(low / step) * step + (step if "exclusiveMinimum" in sub else 0)
        yield from (value for value in (first + step, first, first + 2 * step) if value <= high)
        return
    default = sub.get("default")
    if isinstance(default, (int, float)) and default > 0 and low < default / 2:
        yield default / 2
    # Near the lower end: the upper end of a rate or a zoom may not train at all.
    yield round(low + (high - low) * 0.05, 9)
    yield round(low + (high - low) * 0.1, 9)


def _holds(condition: Schema, value: Any) -> bool:
    if "const" in condition and not _same(value, condition["const"]):
        return False
    if "enum" in condition and not any(_same(value, item) for item in condition["enum"]):
        return False
    if "not" in condition and _holds(condition["not"], value):
        return False
    for word, fails in (
        ("minimum", lambda a, b: a < b), ("maximum", lambda a, b: a > b),
        ("exclusiveMinimum", lambda a, b: a <= b), ("exclusiveMaximum", lambda a, b: a >= b),
    ):  # fmt: skip
        if word in condition and (not isinstance(value, (int, float)) or fails(value, condition[word])):
            return False
    return True


def silences(schema: Schema, task: str, config: Mapping[str, Any], effective: Mapping[str, Any], changed: Iterable[str]) -> list[str]:
    """What config.effective.json keeps quiet about: missing or surplus keys, a request it does not repeat, a change without trace."""
    keys = set(scoped(schema, task))
    found = [f"{key}: no entry" for key in sorted(keys - set(effective))] + [f"{key}: not of this task" for key in sorted(set(effective) - keys)]
    for key in changed:
        entry = effective.get(key)
        if entry is None:
            continue
        if not _same(entry["requested"], config[key]):
            found.append(f"{key}: requested {entry['requested']!r}, the job said {config[key]!r}")
        if not _same(entry["effective"], config[key]) and not entry.get("note"):
            found.append(f"{key}: {config[key]!r} became {entry['effective']!r} without a note")
        if entry["source"] in ("auto", "overridden", "ignored") and not entry.get("note"):
            found.append(f"{key}: source {entry['source']} needs a note")
    return found


def differences(planned: Mapping[str, Any], done: Mapping[str, Any]) -> list[str]:
    """Where training used another value than validate had said, without a note."""
    return [
        f"{key}: validate said {entry['effective']!r}, train used {done[key]['effective']!r}"
        for key, entry in planned.items()
        if key in done and not _same(entry["effective"], done[key]["effective"]) and not done[key].get("note")
    ]


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-12)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(_same(one, two) for one, two in zip(a, b, strict=True))
    return bool(a == b)
