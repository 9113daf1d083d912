"""No export names the machine it was made on (contract.md 8.2): own metadata in ONNX files, source locations out, a search for paths."""

from __future__ import annotations

import re
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from ._errors import VerificationError
from ._onnx import fields, message, text_field

#: Files that are the same for everybody.
_NOT_OURS = ("runtime/", "LICENSE", "NOTICE")


def clean_onnx(file: Path, entries: Mapping[str, str]) -> None:
    """Drops documentation strings and metadata of the model and its nodes (they hold source paths) and writes `entries` as its metadata."""
    raw = memoryview(file.read_bytes())
    out = bytearray()
    for number, value, whole in fields(raw):
        if number in (6, 14):
            continue
        if number in (7, 25) and isinstance(value, memoryview):
            out += message(number, _clean_nodes(value, *((1, (10, 16)) if number == 7 else (7, (8, 14)))))
        else:
            out += whole
    for key, text in entries.items():
        out += message(14, text_field(1, key) + text_field(2, text))
    file.write_bytes(out)


def _clean_nodes(part: memoryview, nodes: int, dropped: tuple[int, ...]) -> bytes:
    """A graph or function without the fields `dropped`; `nodes` is the field of its nodes."""
    out = bytearray()
    for number, value, whole in fields(part):
        if number == nodes and isinstance(value, memoryview):
            out += message(number, b"".join(bytes(inner) for key, _, inner in fields(value) if key not in (6, 9)))
        elif number not in dropped:
            out += whole
    return bytes(out)


def clean_torchscript(file: Path) -> None:
    """Drops the debug records of a TorchScript archive, which name every source file; the model stays as it is."""
    beside = file.with_name(f".tmp-{file.name}")
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(beside, "w", zipfile.ZIP_STORED) as new:
        for entry in old.infolist():
            if entry.filename.endswith(".debug_pkl"):
                continue
            plain = zipfile.ZipInfo(entry.filename, (1980, 1, 1, 0, 0, 0))
            # The loader maps tensors where they lie: they begin at multiples of 64, as the writer of torch leaves them.
            start = new.fp.tell() + 30 + len(entry.filename.encode()) + 4 if new.fp is not None else 0
            plain.extra = b"FB" + (pad := -start % 64).to_bytes(2, "little") + b"Z" * pad
            new.writestr(plain, old.read(entry))
    beside.replace(file)


def find_paths(folder: Path, forbidden: Mapping[str, str]) -> None:
    """`forbidden`: text -> what it is. Raises VerificationError (77) naming file and text."""
    words = {(text if len(text) > 4 else f"{text}/").encode(): what for text, what in forbidden.items() if text != "/tmp"}
    # A temporary file is of this machine too; the folder's bare name may stand in any text.
    pattern = re.compile(b"|".join([*(re.escape(word) for word in words), rb"/tmp/[A-Za-z0-9_][A-Za-z0-9_.-]{3,}"]))
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        name = file.relative_to(folder).as_posix()
        if name.startswith(_NOT_OURS):
            continue
        found = pattern.search(file.read_bytes())
        if found is not None:
            text = found.group().decode("utf-8", "replace")
            what = words.get(found.group(), "a temporary file")
            hint = "Remove it before describe_export: trainer_sdk.clean_torchscript and clean_onnx do so for their formats."
            raise VerificationError(f"{name} names {what} of this machine: {text}", hint)


def machine_paths(job: Path, dataset: Path | None, package: Path) -> dict[str, str]:
    """Paths that must not leave this machine, with what they are."""
    places = {"the job folder": job, "the home folder": Path.home(), "the environment": Path(sys.prefix), "the trainer's folder": package}
    if dataset is not None:
        places["the dataset"] = dataset
    return {str(path): what for what, place in places.items() for path in (place, place.resolve()) if len(path.parts) > 1}

