# SPDX-License-Identifier: Apache-2.0
"""A database's tables in memory, as `Synopsis` needs them: columns by value, foreign keys as row numbers, samples."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..problem import Floats
from ..sql.text import quoted
from ..workload.database import Table

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Sizes:
    """How much is looked at."""

    hub: int = 768  # rows of the hub that are sampled evenly
    heavy: int = 256  # rows of it that most rows refer to, and as many by the product of how many do in each way
    each: int = 8  # rows that are kept of those which refer to the same one
    others: int = 8192  # rows of each larger table, where it does not hang on the hub's sample
    few: int = 2048  # rows of a relation: counting starts from these


@dataclass
class Column:
    """Numbers as they are; texts as places in the sorted list of the different ones. NULL is -1 or not a number."""

    data: NDArray[Any]
    texts: list[str] | None
    order: Rows  # rows by value
    sorted: NDArray[Any]

    def between(self, operator: str, literal: str) -> tuple[Any, Any] | None:
        """The condition as low <= value < high; None where it is of another form."""
        if self.texts is None:
            if literal.startswith("'") or operator == "LIKE":
                return None
            value = float(literal)
            above = np.nextafter(value, np.inf)
            return {
                "=": (value, above), "<": (-np.inf, value), "<=": (-np.inf, above),
                ">": (above, np.inf), ">=": (value, np.inf),
            }[operator]  # fmt: skip
        if not literal.startswith("'"):
            return None
        text = literal[1:-1].replace("''", "'")
        low = bisect_left(self.texts, text)
        if operator == "=":
            return low, low + int(low < len(self.texts) and self.texts[low] == text)
        prefix = text[:-1]
        if operator != "LIKE" or not text.endswith("%") or "%" in prefix or "_" in prefix or not prefix:
            return None
        return bisect_left(self.texts, prefix), bisect_left(self.texts, prefix[:-1] + chr(ord(prefix[-1]) + 1))

    def holds(self, bounds: tuple[Any, Any], rows: Rows) -> NDArray[np.bool_]:
        data = self.data[rows]
        return np.asarray((data >= bounds[0]) & (data < bounds[1]))

    def rows(self, bounds: tuple[Any, Any]) -> Rows:
        """All rows in which it holds."""
        low, high = np.searchsorted(self.sorted, bounds)
        return self.order[low:high]


@dataclass
class Stored:
    rows: int
    columns: dict[str, Column]  # that conditions may be on
    refers: dict[str, NDArray[np.int32]]  # foreign key -> row of the table it refers to, -1 for none
    referring: dict[str, tuple[Rows, Rows]]  # foreign key -> rows by whom they refer to, and where each one's begin
    sample: Rows  # some rows
    scale: float  # rows / sampled rows


def choose(
    tables: Mapping[str, Stored],
    targets: Mapping[tuple[str, str], str],
    hub: str,
    sizes: Sizes,
    rng: np.random.Generator,
) -> tuple[Rows, Floats]:
    """Rows of the hub: the heavy ones, each for itself, and some of the others, each for many."""
    rows = tables[hub].rows
    degrees = [
        np.bincount(refers[refers >= 0], minlength=rows)
        for (t, c), other in targets.items()
        if other == hub
        for refers in [tables[t].refers[c]]
    ]
    shares = sum(degree / max(1, degree.sum()) for degree in degrees)
    products = sum(np.log1p(degree) for degree in degrees)
    heavy = np.union1d(np.argsort(-shares)[: sizes.heavy], np.argsort(-products)[: sizes.heavy])
    others = np.setdiff1d(np.arange(rows), heavy)
    some = rng.permutation(others)[: sizes.hub]
    chosen = np.concatenate([heavy, some])
    weight = np.concatenate([np.ones(len(heavy)), np.full(len(some), len(others) / max(1, len(some)))])
    order = np.argsort(chosen)
    return chosen[order], weight[order]


def hang(
    refers: NDArray[np.int32], chosen: Rows, rows: int, each: int, rng: np.random.Generator
) -> tuple[Rows, NDArray[np.int32], Floats]:
    """Rows that refer to a chosen one, at most `each` of it at random; the place of that one; what each stands for."""
    place = np.full(rows, -1, np.int32)
    place[chosen] = np.arange(len(chosen))
    owner = np.where(refers >= 0, place[np.maximum(refers, 0)], -1)
    found = rng.permutation(np.flatnonzero(owner >= 0))
    found = found[np.argsort(owner[found], kind="stable")]
    counts = np.bincount(owner[found], minlength=len(chosen))
    nth = np.arange(len(found)) - np.repeat(np.cumsum(counts) - counts, counts)
    kept = found[nth < each]
    of = owner[kept].astype(np.int32)
    return kept, of, counts[of] / np.minimum(counts[of], each)


def store(
    connection: Any,
    table: Table,
    ids: Mapping[str, NDArray[np.int64]],
    targets: Mapping[tuple[str, str], str],
    others: int,
    rng: np.random.Generator,
) -> Stored:
    columns, refers = {}, {}
    rows = int(connection.execute(f"SELECT count(*) FROM {quoted(table.name)}").fetchone()[0])
    for column in table.columns:
        if column in table.references:
            refers[column] = _rows_of(ids[targets[table.name, column]], fetch(connection, table.name, column))
        elif column != table.key:
            columns[column] = _encode(fetch(connection, table.name, column))
    sizes = {other: len(found) for other, found in ids.items()}
    referring = {c: _by_value(found, sizes[targets[table.name, c]]) for c, found in refers.items()}
    sample = np.arange(rows) if rows <= others else np.sort(rng.permutation(rows)[:others])
    return Stored(rows, columns, refers, referring, sample, rows / max(1, len(sample)))


def _by_value(refers: NDArray[np.int32], values: int) -> tuple[Rows, Rows]:
    """Rows in the order of what they refer to, and where those of each value begin: (values + 1,)."""
    order = np.argsort(refers, kind="stable")
    return order, np.searchsorted(refers[order], np.arange(values + 1))


def fetch(connection: Any, table: str, column: str) -> NDArray[Any]:
    found = connection.execute(f"SELECT {quoted(column)} FROM {quoted(table)}").fetchnumpy()[column]
    if isinstance(found, np.ma.MaskedArray):
        if found.dtype.kind in "iuf":
            return np.where(np.ma.getmaskarray(found), np.nan, found.data.astype(np.float64))
        return np.asarray(found.filled(None))
    return np.asarray(found)


def _rows_of(ids: NDArray[np.int64], wanted: NDArray[Any]) -> NDArray[np.int32]:
    order = np.argsort(ids)
    at = np.minimum(np.searchsorted(ids, wanted, sorter=order), len(ids) - 1)
    rows = order[at]
    return np.where(ids[rows] == wanted, rows, -1).astype(np.int32)


def _encode(data: NDArray[Any]) -> Column:
    if data.dtype.kind in "iuf":
        numbers = data.astype(np.float64)
        order = np.argsort(numbers, kind="stable")
        return Column(numbers, None, order, numbers[order])
    texts = [None if value is None else str(value) for value in data.tolist()]
    different = sorted({text for text in texts if text is not None})
    code = {text: i for i, text in enumerate(different)}
    codes = np.array([-1 if text is None else code[text] for text in texts], np.int32)
    order = np.argsort(codes, kind="stable")
    return Column(codes, different, order, codes[order])
