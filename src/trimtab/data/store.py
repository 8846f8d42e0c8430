# SPDX-License-Identifier: Apache-2.0
"""Where files of data sets lie on this machine: the folders of ``TRIMTAB_DATA``, then the user's cache."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from trimtab.core.errors import MissingData

from .catalogue import Dataset, File, get_dataset

CHUNK = 1 << 20  # bytes hashed or copied at a time


@dataclass(frozen=True, slots=True)
class Finding:
    """What `verify` says of one file."""

    file: str
    status: Literal["ok", "wrong", "missing"]
    path: Path | None = None


def cache_folder() -> Path:
    """``TRIMTAB_CACHE``, or ``trimtab`` in ``XDG_CACHE_HOME``, or ``~/.cache/trimtab``."""
    chosen = os.environ.get("TRIMTAB_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trimtab"


def home(dataset: Dataset, file: File) -> Path:
    """Where a file lies in the cache, once it is there."""
    return cache_folder() / "data" / dataset.name / dataset.version / file.name


def locate(name: str, file: str) -> Path:
    """The path of a file whose contents are what its card says; never downloads.

    Raises `MissingData`, with the command that brings the file.
    """
    dataset = get_dataset(name)
    wanted = dataset.file(file)
    found = find(dataset, wanted)
    if found is None:
        raise MissingData(_how_to_get(dataset, wanted))
    return found


def find(dataset: Dataset, file: File) -> Path | None:
    """Like `locate`, but None where the file is not here."""
    return next((path for path in candidates(dataset, file) if is_genuine(path, file)), None)


def verify(name: str) -> tuple[Finding, ...]:
    """Read every file of a data set again and compare it with its card."""
    dataset = get_dataset(name)
    return tuple(_verify(dataset, file) for file in dataset.files)


def candidates(dataset: Dataset, file: File) -> Iterator[Path]:
    """Files of the right name, in the order in which they are looked at."""
    for folder in _folders():
        yield from _index(folder).get(file.name, ())
    cached = home(dataset, file)
    if cached.is_file():
        yield cached


def is_genuine(path: Path, file: File, *, again: bool = False) -> bool:
    """Whether the contents are those of the card.

    A file that was hashed before, and has kept its size and time, is not read
    again unless `again` is set.
    """
    try:
        status = path.stat()
        if status.st_size != file.size:
            return False
        key, stamp = str(path.resolve()), [status.st_size, status.st_mtime_ns]
        known = _recall().get(key)
        if not again and isinstance(known, list) and known[:2] == stamp:
            return known[2:] == [file.sha256]
        digest = sha256(path)
    except OSError:
        return False
    _remember(key, [*stamp, digest])
    return digest == file.sha256


def sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _verify(dataset: Dataset, file: File) -> Finding:
    wrong = None
    for path in candidates(dataset, file):
        if is_genuine(path, file, again=True):
            return Finding(file.name, "ok", path)
        wrong = wrong or path
    return Finding(file.name, "wrong" if wrong else "missing", wrong)


def _how_to_get(dataset: Dataset, file: File) -> str:
    other = next(candidates(dataset, file), None)
    seen = f" ({other} has its name, but other contents)" if other else ""
    seen += "".join(f" (TRIMTAB_DATA: {path} is not a folder)" for path in _folders() if not path.is_dir())
    if file.sources:
        return f"{file.name} of data set {dataset.name!r} is not here{seen}.  trimtab data fetch {dataset.name}"
    return (
        f"{file.name} of data set {dataset.name!r} is not here{seen}, and nobody publishes it in this form "
        f"(made from {dataset.origin}). Whoever has it:  trimtab data import PATH   "
        f"or TRIMTAB_DATA=FOLDER (sha256 {file.sha256[:12]}…, {file.size} bytes)"
    )


def _folders() -> list[Path]:
    return [Path(name).expanduser() for name in os.environ.get("TRIMTAB_DATA", "").split(os.pathsep) if name]


@cache
def _index(folder: Path) -> dict[str, list[Path]]:
    """Files under a folder by name, without hidden folders."""
    found: dict[str, list[Path]] = {}
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            found.setdefault(name, []).append(Path(parent, name))
    return found


def _memory() -> Path:
    return cache_folder() / "verified.json"


def _recall() -> dict[str, object]:
    """path -> [size, mtime_ns, sha256] of files that were hashed. What can't be read is forgotten."""
    try:
        known = json.loads(_memory().read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _remember(key: str, entry: list[object]) -> None:
    known = {path: value for path, value in _recall().items() if os.path.exists(path)}  # noqa: PTH110
    known[key] = entry
    fresh = _memory().with_name(f"verified.{os.getpid()}.tmp")
    try:
        fresh.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps(known))
        fresh.replace(_memory())
    except OSError:  # a cache that can't be written costs the next run a hash, nothing else
        return
