# SPDX-License-Identifier: Apache-2.0
"""The public tables: 1,500 random configurations of xz and of SQLite.

The default was not measured beside them: losses are against the mean of all runs,
which a replay does not mind. Rows are read as what they are, somebody's file.
"""

from __future__ import annotations

import json
import lzma
import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from trimtab.core.errors import DataError
from trimtab.data import locate

from ..problem import Objective
from ..simulator import Row, Table
from ..space import Knob, KnobSpace, Value

_DATASET: Final = "knob-measurements"
_LARGEST: Final = 16 << 20  # B, unpacked
_DIGITS: Final = 4


def _number(name: str, default: int, low: int, high: int, *, log: bool = False, about: str = "") -> Knob:
    return Knob(name, "int", default, low, high, log=log, about=about)


def _choice(name: str, default: Value, *values: Value, about: str = "") -> Knob:
    return Knob(name, "enum", default, values=values, about=about)


XZ: Final = KnobSpace(
    (
        _number("lc", 3, 0, 4, about="literal context bits"),
        _number("lp", 0, 0, 4, about="literal position bits"),
        _number("pb", 2, 0, 4, about="position bits"),
        _number("dict", 22, 12, 22, about="dictionary, log2 B"),
        _choice("mode", 2, 1, 2, about="1 fast, 2 normal"),
        _number("nice", 64, 2, 273, log=True, about="length of a match that ends the search"),
        _choice("mf", "bt4", "hc3", "hc4", "bt2", "bt3", "bt4", about="match finder"),
        _number("depth", 48, 1, 512, log=True, about="searches"),
    ),
)
SQLITE: Final = KnobSpace(
    (
        _choice("page", 4096, *(1 << k for k in range(9, 17)), about="page_size, B"),
        _number("cache", 2000, 8, 16384, log=True, about="cache_size, pages"),
        _choice("journal", "delete", "delete", "truncate", "persist", "memory", "wal", "off", about="journal_mode"),
        _choice("sync", 2, 0, 1, 2, about="synchronous"),
        _choice("temp", 0, 0, 1, 2, about="temp_store"),
        _choice("mmap", 0, 0, 1 << 20, 1 << 26, about="mmap_size, B"),
        _choice("lock", "normal", "normal", "exclusive", about="locking_mode"),
        _choice("autovac", 0, 0, 1, 2, about="auto_vacuum"),
        _number("wal_ac", 1000, 8, 4096, log=True, about="wal_autocheckpoint, pages"),
        _number("batch", 1, 1, 512, log=True, about="rows a transaction"),
        _choice("index_first", 0, 0, 1, about="is the index there before the rows?"),
        _choice("without_rowid", 0, 0, 1),
    )
)


def _xz_loss(row: list[Any]) -> float:
    """Bytes count, and CPU time a little: a doubling of it as much as 11 % more bytes."""
    return math.log(row[1]) + 0.15 * math.log(row[2])


def _sqlite_loss(row: list[Any]) -> float:
    return math.log(row[1])


def read(path: Path, name: str, space: KnobSpace, loss: Callable[[list[Any]], float]) -> Table:
    """The table in a public file. Raises `DataError` with the line that is wrong."""
    try:
        reader = lzma.LZMADecompressor()
        lines = reader.decompress(path.read_bytes(), max_length=_LARGEST).splitlines()
    except (OSError, lzma.LZMAError) as error:
        raise DataError(f"{path}: {error}") from error
    found = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            found.append((_values(space, row[0]), loss(row)))
        except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
            raise DataError(f"{path}, line {number}: not a measured configuration: {error!r}") from error
    if not found or not reader.eof:
        raise DataError(f"{path}: empty or cut off")
    level = sum(value for _, value in found) / len(found)
    rows = tuple(Row(values, "ok", round(value - level, _DIGITS)) for values, value in found)
    return Table(name, space, Objective("cost"), rows, {"origin": path.name, "licence": "Apache-2.0"})


def _values(space: KnobSpace, fields: Mapping[str, Any]) -> tuple[Value, ...]:
    values = tuple(fields[knob.name] for knob in space.knobs)
    for knob, value in zip(space.knobs, values, strict=True):
        if not knob.holds(value):
            raise ValueError(f"{knob.name} can't be {value!r}")
    return values


def xz() -> Table:
    """Raises `MissingData` with the command that brings the file."""
    return read(locate(_DATASET, "xz_knobs_1500.jsonl.xz"), "xz", XZ, _xz_loss)


def sqlite() -> Table:
    """Likewise."""
    return read(locate(_DATASET, "sqlite_knobs_1500.jsonl.xz"), "sqlite", SQLITE, _sqlite_loss)


def loader(name: str) -> Callable[[], Table]:
    return partial({"xz": xz, "sqlite": sqlite}[name])


SPACES: Final[Mapping[str, KnobSpace]] = {"xz": XZ, "sqlite": SQLITE}
