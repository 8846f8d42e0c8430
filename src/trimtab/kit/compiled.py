# SPDX-License-Identifier: Apache-2.0
"""`compiled`: numba's ``njit`` with a cache on disk that knows what a function is made of.

Numba renews a cached function when its own file changes, not when a function
that it calls does. Here the cache's place is a digest of the function's file and
of all files that it imports with a dot in front, so that an edited rule is never
answered by yesterday's engine.
"""

from __future__ import annotations

import inspect
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

from trimtab.core.extras import need

from .sources import digest

F = TypeVar("F", bound=Callable[..., object])

#: Untyped: numba's decorators would hide what they decorate from type checkers.
_numba: Final[Any] = need("numba", extra="fast", purpose="a compiled simulator")


def compiled(function: F) -> F:
    """Compile for the types that it is called with; runs without the GIL."""
    return _compile(function, _nrt=True)


def inner(function: F) -> F:
    """As `compiled`, for compiled callers only, and for functions that make no arrays.

    numba would count references to every array of the state at each call; here it
    does not, which makes calls cheaper and compilation shorter.
    """
    return _compile(function, no_cpython_wrapper=True, _nrt=False)


def inlined(function: F) -> F:
    """As `inner`, and copied into its callers: for what runs at every event."""
    return _compile(function, no_cpython_wrapper=True, _nrt=False, forceinline=True)


def _compile(function: F, **options: bool) -> F:
    kept = _numba.config.CACHE_DIR
    _numba.config.CACHE_DIR = str(_cache_folder(Path(inspect.getfile(function))))
    try:
        dispatcher: F = _numba.njit(cache=True, nogil=True, no_cfunc_wrapper=True, **options)(function)
    finally:
        _numba.config.CACHE_DIR = kept
    return dispatcher


@cache
def _cache_folder(source: Path) -> Path:
    chosen = _numba.config.CACHE_DIR
    if not chosen and os.access(source.parent, os.W_OK):
        chosen = source.parent / "__pycache__"
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    root = Path(chosen or Path(home) / "trimtab" / "numba")
    folder = root / f"{source.stem}-{digest(source)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # a home that can't be written to: compile anew in each process
        return Path(tempfile.mkdtemp(prefix="trimtab-numba-"))
    return folder
