# SPDX-License-Identifier: Apache-2.0
"""Inputs that are made once and kept in the user's cache: written whole, or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from trimtab.data.store import cache_folder

_VERSION: Final = "1"  # raised when what is made changes


def folder(name: str, make: Callable[[Path], None]) -> Path:
    """The folder of this name, made by ``make(folder)`` if it is not there yet. Several may ask at once."""
    home = cache_folder() / "runtime_tuning" / _VERSION
    place = home / name
    if place.exists():
        return place
    home.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=home))
    try:
        part.chmod(0o755)
        make(part)
        try:
            part.rename(place)
        except OSError:  # somebody else was faster
            if not place.is_dir():
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return place
