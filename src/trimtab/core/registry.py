# SPDX-License-Identifier: Apache-2.0
"""Names -> problems, through the entry-point group ``trimtab.problems``.

trimtab registers its own problems the same way as a plugin does: one line in
``pyproject.toml``. Listing names imports nothing.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from .errors import TrimtabError, UnknownName
from .problem import Problem

GROUP = "trimtab.problems"


@cache
def _entries() -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        clash = found.get(entry.name)
        if clash is not None and clash.value != entry.value:
            raise TrimtabError(f"two packages register the problem {entry.name!r}: {clash.value} and {entry.value}")
        found[entry.name] = entry
    return found


def names() -> list[str]:
    """Every registered problem, sorted."""
    return sorted(_entries())


def load(name: str) -> Problem[Any, Any]:
    """Import one problem."""
    entry = _entries().get(name)
    if entry is None:
        raise UnknownName("problem", name, names())
    try:
        problem = entry.load()
    except TrimtabError:
        raise
    except Exception as error:
        raise TrimtabError(f"the problem {name!r} ({entry.value}) can't be imported: {error}") from error
    if not isinstance(problem, Problem):
        raise TrimtabError(f"the entry point {name!r} ({entry.value}) is a {type(problem).__name__}, not a Problem")
    return problem
