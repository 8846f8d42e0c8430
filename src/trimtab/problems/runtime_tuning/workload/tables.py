# SPDX-License-Identifier: Apache-2.0
"""The tables of measurements that come with trimtab: 1,500 runs and more of each program, under its own knobs.

===========  ======================================================  =====  =======
table        what was measured                                       knobs  invalid
===========  ======================================================  =====  =======
===========  ======================================================  =====  =======
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
