"""checkpoints/: written beside, synced, renamed, then named in index.json; old ones removed last (contract.md 5.8)."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ._errors import InputError
from ._files import folder_digest, list_files, sync_folder, write_json

Entry = dict[str, Any]


class CheckpointStore:
    """One writer. The index only ever names what is complete on disk; after a kill at any moment it loads."""

    def __init__(self, folder: Path, keep: int = 2) -> None:
        self.folder = folder
        self.keep = keep
        self.last: str | None = None
        self.best: str | None = None
        self.history: list[Entry] = []

    def open(self) -> None:
        """Removes leftovers and reads the index; entries whose files are gone are forgotten."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in self.folder.glob(".tmp-*"):
            shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(missing_ok=True)
        file = self.folder / "index.json"
        if not file.exists():
            return
        try:
            raw = json.loads(file.read_text(encoding="utf-8"))
            self.history = [entry for entry in raw["history"] if (self.folder / entry["id"]).exists()]
        except (ValueError, KeyError, TypeError) as error:
            hint = "Start the run anew."
            raise InputError(f"checkpoints/index.json cannot be read: {error}", hint, "input.checkpoint_incompatible") from error
        ids = {entry["id"] for entry in self.history}
        self.last = raw.get("last") if raw.get("last") in ids else None
        self.best = raw.get("best") if raw.get("best") in ids else None

    def find(self, checkpoint: str) -> Entry | None:
        return next((entry for entry in self.history if entry["id"] == Path(checkpoint).name), None)

    def write(self, fill: Callable[[Path], str], fields: Entry, best: bool, periodic: bool, resumable: bool = True) -> Entry:
        """`fill` writes the files into a folder and gives the format word; `fields` are step, epoch, metric, configDigest."""
        number = max((int(found) for name in self._names() if (found := re.sub(r"^c-0*(\d+)$", r"\1", name)).isdigit()), default=0) + 1
        id_ = f"c-{number:06d}"
        beside = self.folder / f".tmp-{id_}"
        beside.mkdir()
        try:
            format_ = fill(beside)
            files = list_files(beside)
            for entry in files:
                _sync(beside / entry["path"])
            for folder in [*(path for path in beside.rglob("*") if path.is_dir()), beside]:
                sync_folder(folder)
            os.rename(beside, self.folder / id_)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        sync_folder(self.folder)
        kinds = ["last", *(["best"] if best else []), *(["periodic"] if periodic else [])]
        new: Entry = {
            "id": id_,
            "path": f"checkpoints/{id_}",
            "kinds": kinds,
            **fields,
            "bytes": sum(int(entry["bytes"]) for entry in files),
            "sha256": folder_digest(files),
            "files": files,
            "resumable": resumable,
            "format": format_,
        }
        for entry in self.history:
            taken = {"last"} | ({"best"} if best else set())
            entry["kinds"] = [kind for kind in entry["kinds"] if kind not in taken]
        self.history.append(new)
        self.last = id_
        self.best = id_ if best else self.best
        self._save_index()
        return new

    def adopt(self, source: Path, entry: Entry) -> None:
        """Takes a checkpoint that the runner put back, so that pruning and `best` know it."""
        if self.find(entry["id"]) is None and source.exists():
            self.history.append(entry)

    def _save_index(self) -> None:
        resumable = [entry["id"] for entry in self.history if entry["resumable"]][-self.keep :]
        kept = {*resumable, self.last, self.best}
        gone = [entry for entry in self.history if entry["id"] not in kept and "periodic" not in entry["kinds"]]
        self.history = [entry for entry in self.history if entry not in gone]
        index = {"schema": "checkpoints@1", "last": self.last, "best": self.best, "history": self.history}
        write_json(self.folder / "index.json", index)
        for entry in gone:
            shutil.rmtree(self.folder / entry["id"], ignore_errors=True)

    def _names(self) -> list[str]:
        return [path.name for path in self.folder.iterdir()]


def _sync(file: Path) -> None:
    with file.open("rb") as handle:
        os.fsync(handle.fileno())
