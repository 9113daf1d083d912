"""Initial weights of a job: checked, and told when nobody asks for them."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from ._errors import InputError
from ._files import digest_of, file_digest
from ._job import Job


class InitialWeights:
    def __init__(self, job: Job) -> None:
        self._job = job
        # An attempt that resumes goes on from its checkpoint and needs none.
        self._awaited = job.command == "train" and not job.resume

    @cached_property
    def path(self) -> Path | None:
        """File or folder, checked by digest; None = random or bundled in the image. Missing or other bytes: InputError (66)."""
        entry = self._job.weights
        if not entry or not entry.get("path"):
            return None
        path = self._job.path(str(entry["path"]))
        if not path.exists():
            raise InputError(f"the weights {entry.get('id')} are missing", "Choose other weights or none.", "input.weights_missing")
        wanted = str(entry.get("sha256") or "").removeprefix("sha256:")
        inside = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
        if wanted and digest_of(path) != wanted and not (len(inside) == 1 and file_digest(inside[0]) == wanted):
            raise InputError(
                f"the weights {entry.get('id')} are not what was asked for", "The file differs from its digest.", "input.digest_mismatch"
            )
        return inside[0] if len(inside) == 1 else path

    def ask(self) -> Path | None:
        """The path, for the trainer."""
        self._awaited = False
        return self.path

    def unused(self) -> str | None:
        """Once: the id of weights that were given and that the trainer has not asked for."""
        if not self._awaited or self.path is None:
            return None
        self._awaited = False
        return str((self._job.weights or {}).get("id"))
