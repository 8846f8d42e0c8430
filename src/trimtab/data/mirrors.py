# SPDX-License-Identifier: Apache-2.0
"""Bring a data set into the cache: mirror after mirror, resumed, and checked before it gets its name."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from trimtab.core.errors import DataError

from .catalogue import Dataset, File, get_dataset
from .download import Broken, Refused, receive
from .store import find, home, locate, sha256

#: Called with the file and the number of its bytes that are here.
Progress = Callable[[File, int], None]

ROUNDS: Final = 4  # through all mirrors without getting on
STALL_S: Final = 30.0
PAUSE_S: Final = 1.0  # before the second round; twice that before the third


def fetch(name: str, *, progress: Progress | None = None, stall_s: float = STALL_S) -> tuple[Path, ...]:
    """Download what is not here yet of a data set; the paths of all its files.

    A broken download goes on where it ended, also in a later call. Raises
    `DataError` when no source gave the right bytes, and `MissingData` for files
    that nobody publishes, after all others have been fetched.
    """
    dataset = get_dataset(name)
    for file in dataset.files:
        if file.sources and find(dataset, file) is None:
            _fetch(dataset, file, progress or (lambda *_: None), stall_s)
    return tuple(locate(name, file.name) for file in dataset.files)


def _fetch(dataset: Dataset, file: File, progress: Progress, stall_s: float) -> None:
    target = home(dataset, file)
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _lock(target):
            if find(dataset, file) is not None:  # another process was faster
                return
            complaints = _download(file, part, progress, stall_s)
            if complaints:
                raise DataError(f"{file.name} of data set {dataset.name!r} could not be fetched: {complaints}")
            with part.open("rb") as stream:
                os.fsync(stream.fileno())
            part.replace(target)
    except OSError as error:
        raise DataError(f"{target} can't be written: {error}") from error


def _download(file: File, part: Path, progress: Progress, stall_s: float) -> str:
    """Leave in `part` the bytes of the card, and return ''; or return what each source did."""
    sources, complaints = list(file.sources), dict.fromkeys(file.sources, "not tried")
    rounds, most = 0, 0
    while sources and rounds < ROUNDS:
        for url in tuple(sources):
            try:
                _attempt(url, file, part, progress, stall_s)
                return ""
            except Broken as error:
                complaints[url] = str(error)
            except Refused as error:
                complaints[url] = str(error)
                sources.remove(url)
        here = part.stat().st_size if part.exists() else 0
        rounds, most = (0, here) if here - most > file.size / 100 else (rounds + 1, most)
        if sources and rounds < ROUNDS:
            time.sleep(PAUSE_S * rounds)
    return "; ".join(f"{url}: {what}" for url, what in complaints.items())


def _attempt(url: str, file: File, part: Path, progress: Progress, stall_s: float) -> None:
    alone = not part.exists()  # no other source has sent any of it
    if alone or part.stat().st_size != file.size:
        receive(url, part, file.size, stall_s=stall_s, advance=lambda done: progress(file, done))
    if sha256(part) != file.sha256:
        part.unlink()
        raise (Refused if alone else Broken)("other contents than the card says (sha256 differs)")


@contextmanager
def _lock(target: Path) -> Iterator[None]:
    """One process at a time; the file of the lock stays, empty."""
    with target.with_name(f"{target.name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
