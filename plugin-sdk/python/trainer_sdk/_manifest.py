"""trainer.yaml with its config schema and presets."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import metadata
from pathlib import Path
from typing import Any

from ._errors import Unsupported, UsageError
from ._vocabulary import SDK_VERSION, TASKS, direction_of
from ._yaml import YamlError, load_yaml

Json = dict[str, Any]


@dataclass(frozen=True)
class Manifest:
    folder: Path
    raw: Json
    schema: Json
    presets: list[Json]

    @property
    def name(self) -> str:
        return str(self.raw.get("name", ""))

    @property
    def version(self) -> str:
        return str(self.raw.get("version", ""))

    def task(self, task_id: str) -> Json:
        for task in self.raw.get("tasks", []):
            if task.get("id") == task_id:
                return dict(task)
        known = [str(task.get("id")) for task in self.raw.get("tasks", [])]
        raise Unsupported(f"task {task_id} is not supported", _nearest(task_id, known), "unsupported.task")

    def primary(self, task_id: str) -> tuple[str, str]:
        """Primary metric of the task and its direction."""
        metrics = self.task(task_id).get("metrics", {})
        fallback = TASKS[task_id][2] if task_id in TASKS else "loss"
        name = str(metrics.get("primary", fallback))
        return name, str(metrics.get("direction", direction_of(name)))

    def direction(self, metric: str) -> str:
        for task in self.raw.get("tasks", []):
            for entry in task.get("metrics", {}).get("declared", []):
                if isinstance(entry, dict) and entry.get("name") == metric and "direction" in entry:
                    return str(entry["direction"])
        return direction_of(metric)

    def model(self, model_id: str, task: str, listed: Callable[[], Sequence[Json]]) -> Json:
        """The manifest's entry, or one of the open family as `describe` lists it. Unknown: 69 with the nearest name."""
        fixed = {str(entry["id"]): entry for entry in self.raw.get("models", []) if "id" in entry}
        found = fixed.get(model_id)
        if found is None and any(re.search(str(entry["pattern"]), model_id) for entry in self._families()):
            found = next((entry for entry in listed() if entry.get("id") == model_id), None)
        if found is None:
            names = list(fixed) + ([str(entry.get("id")) for entry in listed()] if self._families() else [])
            raise Unsupported(f"model {model_id} is not known", _nearest(model_id, names), "unsupported.model")
        if task not in found.get("tasks", [task]):
            hint = f"It does: {', '.join(found['tasks'])}."
            raise Unsupported(f"model {model_id} does not do {task}", hint, "unsupported.combination")
        return dict(found)

    def export(self, format_: str, task: str, model: Json, precision: str) -> Json:
        claims = [entry for entry in self.raw.get("exports", []) if entry.get("format") == format_]
        if not claims:
            known = [str(entry.get("format")) for entry in self.raw.get("exports", [])]
            raise Unsupported(f"export to {format_} is not offered", _nearest(format_, known), "unsupported.format")
        for claim in claims:
            fits_task = task in claim.get("tasks", [task])
            fits_model = format_ in model.get("exports", [format_]) and model["id"] in claim.get("models", [model["id"]])
            if fits_task and fits_model:
                if precision not in claim.get("precisions", ["fp32"]):
                    hint = f"Offered: {', '.join(claim.get('precisions', ['fp32']))}."
                    raise Unsupported(f"{format_} in {precision} is not offered", hint, "unsupported.precision")
                return dict(claim)
        raise Unsupported(f"{format_} is not offered for {model['id']} and {task}", None, "unsupported.combination")

    def resolve_pointer(self, pointer: str | None) -> Json | None:
        """Schema of export options: a pointer such as `#/$defs/exportOnnx`."""
        value: Any = self.schema
        if not pointer:
            return None
        for part in pointer.lstrip("#").strip("/").split("/"):
            value = value.get(part) if isinstance(value, dict) else None
        return value if isinstance(value, dict) else None

    def versions(self) -> dict[str, str]:
        """Language, SDK and the framework's version, read from package metadata: nothing is imported."""
        found = {"python": ".".join(map(str, sys.version_info[:3])), "trainer_sdk": SDK_VERSION}
        framework = self.raw.get("framework", {})
        for name in (str(framework.get("name", "")), "torch"):
            try:
                found[name] = metadata.version(name) if name else ""
            except metadata.PackageNotFoundError:
                if name == framework.get("name") and name == "python":
                    found[name] = found["python"]
                    continue
                # A framework may come in a package of another name, such as a build without windows.
                for package in metadata.packages_distributions().get(name, [])[:1]:
                    found[name] = metadata.version(package)
        return {name: version for name, version in found.items() if name and version}

    def _families(self) -> list[Json]:
        return [entry for entry in self.raw.get("models", []) if "pattern" in entry]


def load_manifest(file: Path) -> Manifest:
    try:
        raw = load_yaml(file.read_text(encoding="utf-8"))
        config = raw.get("config", {})
        schema = json.loads((file.parent / config.get("schema", "config.schema.json")).read_text(encoding="utf-8"))
        presets = json.loads((file.parent / config.get("presets", "presets.json")).read_text(encoding="utf-8"))
    except (OSError, YamlError, ValueError, AttributeError) as error:
        raise UsageError(f"the trainer's own files cannot be read: {error}") from error
    return Manifest(file.parent, raw, schema, presets)


def find_manifest(name: str, start: Path) -> Path:
    """The file itself when absolute, else the first one found from `start` upwards: the working directory is not the package."""
    if Path(name).is_absolute():
        return Path(name)
    for folder in (start, *start.parents):
        if (folder / name).is_file():
            return folder / name
    raise UsageError(f"{name} was not found above {start}")


def _nearest(word: str, known: Sequence[str]) -> str:
    near = get_close_matches(word, known, n=1, cutoff=0.5)
    if near:
        return f"Did you mean {near[0]}?"
    return f"Known: {', '.join(list(known)[:20])}."
