# SPDX-License-Identifier: Apache-2.0
"""The tables of measurements that come with trimtab, each of a program under its own knobs.

=================  ============================================================  =====  =====  =======
table              what was measured                                             knobs   runs  invalid
=================  ============================================================  =====  =====  =======
gcc                run time of seven C programs, compiled with flags over -O2       34  1,720      0 %
gcc-numbers        run time of eight others                                         34  1,500      0 %
zstd               CPU time both ways, plus bytes at 100 kB/s                       14  1,720      0 %
redis              CPU time of the server under commands on all types               22  1,720      0 %
redis-shop         the same under what a shop asks of its cache                     22  1,500      0 %
postgresql         CPU time of the server under pgbench                             31  1,513      2 %
postgresql-events  the same with other tables and queries                           31  1,500      0 %
xalan              CPU time of a JVM that transforms XML                            36  1,514     22 %
rhino              CPU time of a JVM that runs JavaScript                           36  1,505     22 %
h2                 CPU time of a JVM that runs SQL                                  35  1,500      2 %
javacc             CPU time of a JVM that makes a parser                            35  1,500      2 %
=================  ============================================================  =====  =====  =======

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
