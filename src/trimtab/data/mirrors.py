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
    target.parent.mkdir(parents=True, exist_ok=True)
    with _lock(target):
        if find(dataset, file) is not None:  # another process was faster
            return
        part = target.with_name(f"{target.name}.part")
        _download(dataset, file, part, progress, stall_s)
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        part.replace(target)


def _download(dataset: Dataset, file: File, part: Path, progress: Progress, stall_s: float) -> None:
    """Leave in `part` the bytes of the card, or raise `DataError` with what each source did."""
    sources, complaints = list(file.sources), dict.fromkeys(file.sources, "not tried")
    rounds, best = 0, 0
    while sources and rounds < ROUNDS:
        for url in tuple(sources):
            whole = not part.exists()
            try:
                if whole or part.stat().st_size != file.size:
                    receive(url, part, file.size, stall_s=stall_s, advance=lambda done: progress(file, done))
                if sha256(part) == file.sha256:
                    return
                part.unlink()
                complaints[url] = "other contents than the card says (sha256 differs)"
                if whole:  # else the wrong bytes may be another's
                    sources.remove(url)
            except Refused as error:
                complaints[url] = str(error)
                sources.remove(url)
            except Broken as error:
                complaints[url] = str(error)
            except OSError as error:
                raise DataError(f"{part} can't be written: {error}") from error
        here = part.stat().st_size if part.exists() else 0
        rounds, best = (0, here) if here - best > file.size / 100 else (rounds + 1, best)
        if sources and rounds < ROUNDS:
            time.sleep(PAUSE_S * rounds)
    tried = "; ".join(f"{url}: {what}" for url, what in complaints.items())
    raise DataError(f"{file.name} of data set {dataset.name!r} could not be fetched: {tried}")


@contextmanager
def _lock(target: Path) -> Iterator[None]:
    """One process at a time; the file of the lock stays, empty."""
    with target.with_name(f"{target.name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
