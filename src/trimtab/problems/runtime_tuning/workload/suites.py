# SPDX-License-Identifier: Apache-2.0
"""The named sets of targets. Splits are made by program, so nothing is tested on a program that it was set by.

===========  ============================================================  =================
suite        a target                                                      answered by
===========  ============================================================  =================
(shipped)    a table of measurements, see `tables`                         `simulator`
public       xz and SQLite, 1,500 measurements each, from `TRIMTAB_DATA`   `simulator`
live         gcc, clang, zstd, xz, SQLite, Redis, PostgreSQL               `system`
java         Java programs from Debian's packages, see `java`              `system`
===========  ============================================================  =================

A live target whose program is not on this machine is left out of its suite; asked for
by name (`targets.live`), it says which package is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from typing import Final

from trimtab.core.errors import Unavailable
from trimtab.core.problem import Split

from ..problem import Target
from ..simulator import Replay
from . import public, tables

#: Programs that something was chosen by, or learnt from, belong to `train`.
TRAIN: Final = ("xz", "sqlite", "zstd", "xalan", "h2", "javacc", "gcc-numbers", "redis-shop", "postgresql-events")
#: Of these, small tables: a tool's second workload, for what it teaches of the first. Nothing is compared on them.
LESSONS: Final = ("gcc-numbers", "redis-shop", "postgresql-events")
VALIDATION: Final = ("gcc", "clang", "jython")

Targets = Mapping[str, Target]


def split_of(name: str) -> Split:
    program = name.removeprefix("java-")
    return "train" if program in TRAIN else "validation" if program in VALIDATION else "test"


def _only(names: Iterable[str], split: Split) -> list[str]:
    return [name for name in names if split_of(name) == split]


@cache
def shipped(split: Split) -> Targets:
    """What comes with trimtab: nothing to fetch, nothing to install."""
    return {name: _replayed(name) for name in _only(tables.names(), split)}


def _replayed(name: str) -> Target:
    table = tables.read(name)
    return Target(name, table.space, table.objective, replay=Replay(table, name))


@cache
def staged(split: Split) -> Targets:
    found = {}
    for name in _only(public.SPACES, split):
        table = public.loader(name)()
        found[name] = Target(name, table.space, table.objective, replay=Replay(table, name))
    return found


@cache
def _live(java: bool, split: Split) -> Targets:
    from .targets import live, names

    found = {}
    for name in _only((n for n in names() if n.startswith("java-") == java), split):
        try:
            found[name] = live(name)
        except Unavailable:
            continue
    return found


SUITES: Final[Mapping[str, Callable[[Split], Targets]]] = {
    "public": staged,
    "live": partial(_live, False),
    "java": partial(_live, True),
}
