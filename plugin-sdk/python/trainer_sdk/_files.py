"""Files that are whole or absent: written beside, synced, renamed; digests of files and folders."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from ._events import finite


def write_atomic(path: Path, data: bytes) -> None:
    beside = path.with_name(f".tmp-{path.name}")
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
    sync_folder(path.parent)


def write_json(path: Path, value: Any) -> None:
    text = json.dumps(finite(value), ensure_ascii=False, indent=1, allow_nan=False)
    write_atomic(path, (text + "\n").encode())


def sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def file_digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def list_files(folder: Path) -> list[dict[str, Any]]:
    """`{path, bytes, sha256}` of every file below, sorted by path."""
    files = sorted((file for file in folder.rglob("*") if file.is_file()), key=lambda file: file.relative_to(folder).as_posix())
    return [{"path": file.relative_to(folder).as_posix(), "bytes": file.stat().st_size, "sha256": file_digest(file)} for file in files]


def folder_digest(files: list[dict[str, Any]]) -> str:
    """sha256 over the lines `<sha256>  <bytes>  <path>`, sorted by path (contract.md 5.8)."""
    lines = (f"{entry['sha256']}  {entry['bytes']}  {entry['path']}\n" for entry in sorted(files, key=lambda entry: entry["path"]))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def digest_of(path: Path) -> str:
    return folder_digest(list_files(path)) if path.is_dir() else file_digest(path)
