# SPDX-License-Identifier: Apache-2.0
"""Reads a database into memory, once, as counting needs it: columns by value, foreign keys as row numbers, samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..problem import Ints
from ..sql.text import quoted
from ..workload.database import Database, Table
from .counting import Sizes
from .memory import Column, ForeignKey, Memory, Stored
from .sampling import Store

HEAVY: Final = 256  # rows of a table that are always looked at, since most rows refer to them
SOME: Final = 4096  # other rows of a table that may be, at most
NEAR: Final = 64  # rows that refer to the same one stand on a page or two if they are fewer, and in that order


class _Long:
    """Arrays that are to stand one behind another."""

    def __init__(self, kind: Any) -> None:
        self.kind, self.parts, self.length = kind, [np.zeros(0, kind)], 0

    def add(self, part: NDArray[Any]) -> int:
        """Where it begins."""
        self.parts.append(part.astype(self.kind))
        self.length += len(part)
        return self.length - len(part)

    def whole(self) -> NDArray[Any]:
        return np.concatenate(self.parts)


def gather(connection: Any, database: Database, *, sizes: Sizes = Sizes(), seed: int = 0) -> Memory:  # noqa: B008
    """Read the tables of a DuckDB connection."""
    rng = np.random.default_rng(seed)
    kinds = {"values": np.float64, "heavy": np.bool_}
    long = {name: _Long(kinds.get(name, np.int32)) for name in Store._fields}
    ids = {t.name: _fetch(connection, t.name, t.key).astype(np.int64) for t in database.tables if t.key}
    refers: dict[tuple[str, str], NDArray[np.int32]] = {}
    referred: dict[str, list[NDArray[np.int32]]] = {name: [] for name in ids}
    for table in database.tables:
        for column, target in table.references.items():
            to = target.partition(".")[0]
            refers[table.name, column] = _rows_of(ids[to], _fetch(connection, table.name, column))
            referred[to].append(refers[table.name, column])
    tables = {}
    for table in database.tables:
        rows = int(connection.execute(f"SELECT count(*) FROM {quoted(table.name)}").fetchone()[0])
        heavy, flags = _heavy(referred.get(table.name, ()), rows), np.zeros(rows, np.bool_)
        flags[heavy] = True
        some = rng.permutation(np.flatnonzero(~flags))[:SOME]
        foreign = {
            column: _foreign(target.partition(".")[0], refers[table.name, column], flags, len(ids[to]), long, rng)
            for column, target in table.references.items()
            for to in [target.partition(".")[0]]
        }
        columns = {
            name: _column(_fetch(connection, table.name, name), long, rng)
            for name in table.columns
            if name != table.key and name not in table.references
        }
        begins, at = long["heavies"].add(heavy), long["some"].add(some)
        tables[table.name] = Stored(
            rows, table.key, columns, foreign, long["heavy"].add(flags),
            (begins, begins + len(heavy)), (at, at + len(some)), 8192 / _width(connection, table),
        )  # fmt: skip
    return Memory(tables, Store(**{name: part.whole() for name, part in long.items()}), sizes)


def _width(connection: Any, table: Table) -> float:
    """B of a row in PostgreSQL, about: what precedes it, and its values."""
    lengths = [
        f"coalesce(avg(length({quoted(c)})), 0) + 1" if kind.upper() in ("TEXT", "VARCHAR") else "4"
        for c, kind in table.columns.items()
    ]
    found = connection.execute(f"SELECT {' + '.join(lengths)} FROM {quoted(table.name)}").fetchone()[0]
    return 28.0 + float(found or 0.0)


def _heavy(referred: Sequence[NDArray[np.int32]], rows: int) -> Ints:
    """Rows that most rows refer to, and as many that are referred to much from several sides."""
    if not referred:
        return np.zeros(0, np.int64)
    degrees = [np.bincount(at[at >= 0], minlength=rows) for at in referred]
    shares = sum(degree / max(1, degree.sum()) for degree in degrees)
    products = sum(np.log1p(degree) for degree in degrees)
    return np.union1d(np.argsort(-shares)[: HEAVY // 2], np.argsort(-products)[: HEAVY // 2])


def _foreign(
    target: str, at: NDArray[np.int32], heavy: NDArray[np.bool_], values: int, long: Mapping[str, _Long], rng: Any
) -> ForeignKey:
    """`at`: the row of the target that each row refers to, out of `values`."""
    shuffled = rng.permutation(len(at))
    by_value = shuffled[np.lexsort((~heavy[shuffled], at[shuffled]))]
    starts = np.searchsorted(at[by_value], np.arange(values + 1))
    fronts = np.bincount(at[heavy & (at >= 0)], minlength=values + 1)
    near = len(at) < NEAR * values and bool((np.diff(at.astype(np.int64)) >= 0).mean() > 0.9)
    begins = long["starts"].add(starts)
    long["fronts"].add(fronts)
    return ForeignKey(target, long["refers"].add(at), long["referring"].add(by_value), begins, near)


def _column(data: NDArray[Any], long: Mapping[str, _Long], rng: Any) -> Column:
    texts: list[str] | None = None
    if data.dtype.kind in "iuf":
        codes = data.astype(np.float64)
    else:
        read = [None if value is None else str(value) for value in data.tolist()]
        texts = sorted({text for text in read if text is not None})
        place = {text: i for i, text in enumerate(texts)}
        codes = np.array([-1 if text is None else place[text] for text in read], np.float64)
    shuffled = rng.permutation(len(codes))
    order = shuffled[np.argsort(codes[shuffled], kind="stable")]
    long["order"].add(order)
    ranked: Sequence[float] = codes[order].data
    if texts is not None:
        ranked = np.searchsorted(codes[order], np.arange(len(texts) + 1)).tolist()
    return Column(long["values"].add(codes), texts, ranked)


def _fetch(connection: Any, table: str, column: str) -> NDArray[Any]:
    found = connection.execute(f"SELECT {quoted(column)} FROM {quoted(table)}").fetchnumpy()[column]
    if isinstance(found, np.ma.MaskedArray):
        if found.dtype.kind in "iuf":
            return np.where(np.ma.getmaskarray(found), np.nan, found.data.astype(np.float64))
        return np.asarray(found.filled(None))
    return np.asarray(found)


def _rows_of(ids: Ints, wanted: NDArray[Any]) -> NDArray[np.int32]:
    order = np.argsort(ids)
    at = np.minimum(np.searchsorted(ids, wanted, sorter=order), len(ids) - 1)
    rows = order[at]
    return np.where(ids[rows] == wanted, rows, -1).astype(np.int32)
