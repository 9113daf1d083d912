"""Judges a resolved config by the restricted JSON Schema dialect (contract.md 4.1): types, ranges, choices, conditions, unknown keys."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ._errors import ConfigError

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class ConfigProblem:
    """One thing wrong: where (dotted key), what, and whether the key is unknown."""

    key: str
    message: str
    unknown: bool = False


class Values:
    """Frozen attribute access to a mapping: `run.config.learning_rate`."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        object.__setattr__(self, "_values", dict(values))

    def __getattr__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(f"the config has no key {name}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("the config is frozen")

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def get(self, name: str, default: Any = None) -> Any:
        return self._values.get(name, default)

    def as_dict(self) -> dict[str, Any]:
        return dict(self._values)


def in_scope(schema: Schema, task: str) -> dict[str, Schema]:
    """Properties that exist for the task (`x-tasks`)."""
    return {key: sub for key, sub in schema.get("properties", {}).items() if task in sub.get("x-tasks", [task])}


def defaults_of(schema: Schema, task: str) -> dict[str, Any]:
    return {key: sub["default"] for key, sub in in_scope(schema, task).items() if "default" in sub}


def check_config(schema: Schema, values: Any, task: str) -> list[ConfigProblem]:
    """All problems of a root config. Nothing is coerced, nothing removed."""
    if not isinstance(values, dict):
        return [ConfigProblem("", "the config must be an object")]
    scoped = in_scope(schema, task)
    problems = [ConfigProblem(key, f"unknown key {key}", True) for key in values if key not in scoped]
    known = {key: value for key, value in values.items() if key in scoped}
    return problems + list(_check({**schema, "properties": scoped}, known, "", schema))


def resolve_config(schema: Schema, values: Any, task: str) -> dict[str, Any]:
    """Defaults of the task under the given values; raises ConfigError naming the key."""
    problems = check_config(schema, values, task)
    if problems:
        first = next((problem for problem in problems if problem.unknown), problems[0])
        known = ", ".join(sorted(in_scope(schema, task)))
        hint = f"Known keys for {task}: {known}." if first.unknown else f"Correct {first.key or 'the config'}: {first.message}."
        where = f"config key {first.key}: " if first.key and not first.unknown else ""
        code = "config.unknown_key" if first.unknown else "config.invalid"
        raise ConfigError(f"{where}{first.message}", hint[:2000], code)
    return {**defaults_of(schema, task), **values}


def greyed_keys(schema: Schema, values: Mapping[str, Any], task: str) -> dict[str, str]:
    """Keys whose `x-ui.when` does not hold, with the reason in words."""
    found: dict[str, str] = {}
    for key, sub in in_scope(schema, task).items():
        for sibling, condition in sub.get("x-ui", {}).get("when", {}).items():
            if any(_check(condition, values.get(sibling), sibling, schema)):
                found[key] = f"not used while {sibling} is {values.get(sibling)!r}"
                break
    return found


def _is_type(value: Any, name: str) -> bool:
    if name == "null":
        return value is None
    if name == "boolean":
        return isinstance(value, bool)
    if name == "integer":
        return not isinstance(value, bool) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))
    if name == "number":
        return not isinstance(value, bool) and isinstance(value, (int, float)) and math.isfinite(value)
    return isinstance(value, {"string": str, "array": list, "object": dict}[name])


def _same(a: Any, b: Any) -> bool:
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def _check(schema: Any, value: Any, key: str, root: Schema) -> Iterator[ConfigProblem]:
    if schema is True or schema == {}:
        return
    if schema is False:
        yield ConfigProblem(key, "not allowed here")
        return
    if "$ref" in schema:
        yield from _check(root["$defs"][schema["$ref"].rsplit("/", 1)[1]], value, key, root)
    types = schema.get("type")
    names = [types] if isinstance(types, str) else types
    if names is not None and not any(_is_type(value, name) for name in names):
        yield ConfigProblem(key, f"must be {' or '.join(names)}")
        return
    if "const" in schema and not _same(value, schema["const"]):
        yield ConfigProblem(key, f"must be {schema['const']!r}")
    if "enum" in schema and not any(_same(value, item) for item in schema["enum"]):
        yield ConfigProblem(key, f"must be one of {', '.join(map(repr, schema['enum']))}")
    yield from _logic(schema, value, key, root)
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, (int, float)):
        yield from _number(schema, value, key)
    elif isinstance(value, str):
        yield from _string(schema, value, key)
    elif isinstance(value, list):
        yield from _array(schema, value, key, root)
    elif isinstance(value, dict):
        yield from _object(schema, value, key, root)


def _fits(schema: Any, value: Any, root: Schema) -> bool:
    return next(_check(schema, value, "", root), None) is None


def _logic(schema: Schema, value: Any, key: str, root: Schema) -> Iterator[ConfigProblem]:
    for sub in schema.get("allOf", []):
        yield from _check(sub, value, key, root)
    for word in ("oneOf", "anyOf"):
        branches = schema.get(word)
        if branches is None:
            continue
        hits = sum(_fits(sub, value, root) for sub in branches)
        if hits == 0 or (word == "oneOf" and hits > 1):
            consts = [repr(sub["const"]) for sub in branches if "const" in sub]
            every = len(consts) == len(branches)
            yield ConfigProblem(key, f"must be one of {', '.join(consts)}" if every else "does not fit any allowed form")
    if "not" in schema and _fits(schema["not"], value, root):
        yield ConfigProblem(key, "is excluded")
    if "if" in schema:
        branch = schema.get("then" if _fits(schema["if"], value, root) else "else")
        if branch is not None:
            yield from _check(branch, value, key, root)


def _number(schema: Schema, value: float, key: str) -> Iterator[ConfigProblem]:
    if "minimum" in schema and value < schema["minimum"]:
        yield ConfigProblem(key, f"must be at least {schema['minimum']}")
    if "maximum" in schema and value > schema["maximum"]:
        yield ConfigProblem(key, f"must be at most {schema['maximum']}")
    if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
        yield ConfigProblem(key, f"must be greater than {schema['exclusiveMinimum']}")
    if "exclusiveMaximum" in schema and value >= schema["exclusiveMaximum"]:
        yield ConfigProblem(key, f"must be less than {schema['exclusiveMaximum']}")
    if "multipleOf" in schema and value % schema["multipleOf"] != 0:
        yield ConfigProblem(key, f"must be a multiple of {schema['multipleOf']}")


def _string(schema: Schema, value: str, key: str) -> Iterator[ConfigProblem]:
    if len(value) < schema.get("minLength", 0) or len(value) > schema.get("maxLength", len(value)):
        yield ConfigProblem(key, "has the wrong length")
    elif "pattern" in schema and re.search(schema["pattern"], value) is None:
        yield ConfigProblem(key, f"must match {schema['pattern']}")


def _array(schema: Schema, value: list[Any], key: str, root: Schema) -> Iterator[ConfigProblem]:
    if len(value) < schema.get("minItems", 0) or len(value) > schema.get("maxItems", len(value)):
        yield ConfigProblem(key, "has the wrong number of items")
    prefix = schema.get("prefixItems", [])
    for index, item in enumerate(value):
        sub = prefix[index] if index < len(prefix) else schema.get("items", True)
        yield from _check(sub, item, f"{key}.{index}", root)
    if schema.get("uniqueItems") and any(_same(a, b) for i, a in enumerate(value) for b in value[:i]):
        yield ConfigProblem(key, "has an item twice")
    if "contains" in schema and not any(_fits(schema["contains"], item, root) for item in value):
        yield ConfigProblem(key, "lacks a required item")


def _object(schema: Schema, value: dict[str, Any], key: str, root: Schema) -> Iterator[ConfigProblem]:
    dot = f"{key}." if key else ""
    properties = schema.get("properties", {})
    for name in schema.get("required", []):
        if name not in value:
            yield ConfigProblem(f"{dot}{name}", "is missing")
    for name, item in value.items():
        if name in properties:
            yield from _check(properties[name], item, f"{dot}{name}", root)
        elif schema.get("additionalProperties", True) is False:
            yield ConfigProblem(f"{dot}{name}", f"unknown key {dot}{name}", True)
        else:
            yield from _check(schema.get("additionalProperties", True), item, f"{dot}{name}", root)
        if not _fits(schema.get("propertyNames", True), name, root):
            yield ConfigProblem(f"{dot}{name}", "has a name that is not allowed")
    if len(value) < schema.get("minProperties", 0) or len(value) > schema.get("maxProperties", len(value)):
        yield ConfigProblem(key, "has the wrong number of keys")
    for name, needed in schema.get("dependentRequired", {}).items():
        if name in value:
            yield from (ConfigProblem(f"{dot}{other}", f"is needed with {name}") for other in needed if other not in value)
    for name, sub in schema.get("dependentSchemas", {}).items():
        if name in value:
            yield from _check(sub, value, key, root)
