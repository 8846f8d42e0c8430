# SPDX-License-Identifier: Apache-2.0
"""Data sets that come and go by hand: files brought from a path, and a folder to hand on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trimtab.core.errors import DataError, UsageError

from .card import croissant
from .catalogue import Dataset, File, get_dataset, list_datasets
from .store import CHUNK, home, locate, sha256


@dataclass(frozen=True, slots=True)
class Imported:
    """A file that was recognised, and where it lies now."""

    dataset: str
    file: str
    path: Path


def import_path(path: Path | str) -> tuple[Imported, ...]:
    """Copy into the cache every file at or under `path` that belongs to a data set, whatever it is called.

    Raises `DataError` when there is none.
    """
    path = Path(path)
    if not path.exists():
        raise UsageError(f"{path}: there is no such file or folder")
    seen, found = 0, []
    for candidate in _files(path):
        seen += 1
        found += [_take(candidate, dataset, file) for dataset, file in _recognise(candidate)]
    if not found:
        raise DataError(f"{path}: none of its {seen} files is known by size and sha256.  trimtab data list")
    return tuple(found)


def export(name: str, target: Path | str) -> Path:
    """Write a folder with the files of a data set and its card, ``croissant.json`` (Croissant JSON-LD, MLCommons).

    `target` must be new or empty; it appears whole or not at all.
    """
    dataset, target = get_dataset(name), Path(target)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target}: already there, and not an empty folder")
    files = {file.name: locate(name, file.name) for file in dataset.files}
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    fresh.mkdir()
    try:
        for file in dataset.files:
            _copy(files[file.name], fresh / file.name, file)
        card = json.dumps(croissant(dataset), indent=2, ensure_ascii=False)
        (fresh / "croissant.json").write_text(card + "\n")
        fresh.replace(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return target


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    for parent, _, names in os.walk(path):
        yield from (file for name in sorted(names) if (file := Path(parent, name)).is_file())


def _recognise(path: Path) -> list[tuple[Dataset, File]]:
    size = path.stat().st_size
    alike = [(dataset, file) for dataset in list_datasets() for file in dataset.files if file.size == size]
    if not alike:
        return []
    digest = sha256(path)
    return [(dataset, file) for dataset, file in alike if file.sha256 == digest]


def _take(path: Path, dataset: Dataset, file: File) -> Imported:
    target = home(dataset, file)
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        _copy(path, fresh, file)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)
    return Imported(dataset.name, file.name, target)


def _copy(source: Path, target: Path, file: File) -> None:
    """Copy, and check the bytes that were copied: the source may change meanwhile."""
    digest = hashlib.sha256()
    with source.open("rb") as incoming, target.open("wb") as outgoing:
        while chunk := incoming.read(CHUNK):
            digest.update(chunk)
            outgoing.write(chunk)
        outgoing.flush()
        os.fsync(outgoing.fileno())
    if digest.hexdigest() != file.sha256:
        raise DataError(f"{source} changed while it was read: it is no longer {file.name}")
