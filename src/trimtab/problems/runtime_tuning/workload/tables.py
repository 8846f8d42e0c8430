# SPDX-License-Identifier: Apache-2.0
"""The tables of measurements that come with trimtab: 1,500 runs and more of each program, under its own knobs.

===========  ============================================================  =====  =======
table        what was measured                                             knobs  invalid
===========  ============================================================  =====  =======
gcc          run time of seven C programs, compiled with flags over -O2       34      0 %
zstd         CPU time both ways, plus bytes at 100 kB/s                       14      0 %
redis        CPU time of the server under redis-benchmark                     22      0 %
postgresql   CPU time of the server under pgbench                             31      2 %
xalan        CPU time of a JVM that transforms XML                            36     22 %
rhino        CPU time of a JVM that runs JavaScript                           36     22 %
h2           CPU time of a JVM that runs SQL                                  35      2 %
javacc       CPU time of a JVM that makes a parser                            35      2 %
===========  ============================================================  =====  =======

Xalan's and Rhino's have a knob more than the pack: `verify`, one of whose four values the
JDK refuses. Nothing says so beforehand: a constraint that has to be found out.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from trimtab.core.errors import UnknownName

from ..simulator import Table

FOLDER: Final = Path(__file__).with_name("tables")
_SUFFIX: Final = ".jsonl.xz"


@cache
def names() -> tuple[str, ...]:
    return tuple(sorted(path.name.removesuffix(_SUFFIX) for path in FOLDER.glob(f"*{_SUFFIX}")))


@cache
def read(name: str) -> Table:
    if name not in names():
        raise UnknownName("table of measurements", name, names())
    return Table.load(FOLDER / f"{name}{_SUFFIX}")
