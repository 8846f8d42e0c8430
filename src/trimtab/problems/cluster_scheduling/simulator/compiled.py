# SPDX-License-Identifier: Apache-2.0
"""`compiled`: numba's ``njit`` with a cache on disk that knows all of this folder's sources.

Numba renews a cached function when its own file changes, not when a function
that it calls does. Here the cache's place is a digest of every source file, so
that an edited rule is never answered by yesterday's engine.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from trimtab.core.extras import need

F = TypeVar("F", bound=Callable[..., object])

#: Untyped: numba's decorators would hide what they decorate from type checkers.
_numba: Final[Any] = need("numba", extra="fast", purpose="the compiled cluster simulator")
_HERE: Final = Path(__file__).parent


def compiled(function: F) -> F:
    """Compile for the types that it is called with; runs without the GIL."""
    kept = _numba.config.CACHE_DIR
    _numba.config.CACHE_DIR = str(_CACHE)
    try:
        dispatcher: F = _numba.njit(cache=True, nogil=True)(function)
    finally:
        _numba.config.CACHE_DIR = kept
    return dispatcher


def _cache_folder() -> Path:
    digest = hashlib.blake2b(digest_size=8)
    for source in sorted(_HERE.glob("*.py")):
        digest.update(source.read_bytes())
    chosen = _numba.config.CACHE_DIR
    if not chosen and os.access(_HERE, os.W_OK):
        chosen = _HERE / "__pycache__"
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    root = Path(chosen or Path(home) / "trimtab" / "numba")
    folder = root / f"simulator-{digest.hexdigest()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # a home that can't be written to: compile anew in each process
        return Path(tempfile.mkdtemp(prefix="trimtab-numba-"))
    return folder


_CACHE: Final = _cache_folder()
