# SPDX-License-Identifier: Apache-2.0
"""The SQL of the public benchmarks: ``SELECT … FROM t AS a, … WHERE x AND y AND …``, nothing nested.

A reader of files whose text is known (their sha256 is checked). The user's own
SQL goes through `sql`, which parses the language.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from trimtab.core.errors import InvalidInstance

from ..problem import JoinEdge

_BLOCK: Final = re.compile(r"SELECT .+? FROM (.+?)(?: WHERE (.+?))?;?\s*$", re.IGNORECASE | re.DOTALL)
_TABLE: Final = re.compile(r"\s*(\w+) AS (\w+)\s*$", re.IGNORECASE)
_JOIN: Final = re.compile(r"\s*([a-z_]\w*)\.(\w+)\s*=\s*([a-z_]\w*)\.(\w+)\s*$", re.IGNORECASE)
_TERM: Final = re.compile(r"(?:'[^']*'|(?! AND )[^'])+", re.IGNORECASE)  # up to an AND outside of quotes

Column = tuple[str, str]  # alias, column


@dataclass(frozen=True)
class Block:
    """A query's tables by alias, joins as written, and predicates by alias."""

    tables: Mapping[str, str]
    joins: tuple[tuple[Column, Column], ...]
    predicates: Mapping[str, tuple[str, ...]]

    def subplan(self, aliases: Iterable[str]) -> frozenset[str]:
        """What makes two sub-plans the same, in whatever order and spelling of time stamps."""
        return frozenset(
            f"{self.tables[alias]} {alias} {' '.join(sorted(map(_plain, self.predicates[alias])))}" for alias in aliases
        )


def read_block(sql: str) -> Block:
    """Aliases in lower case. Raises `InvalidInstance` for any other SQL."""
    block = _BLOCK.match(sql)
    named = [_TABLE.match(part) for part in block[1].split(",")] if block else []
    if block is None or not all(named):
        raise InvalidInstance(f"not a plain benchmark query: {sql[:80]!r}")
    tables = {table[2].lower(): table[1] for table in named if table}
    joins: list[tuple[Column, Column]] = []
    predicates: dict[str, list[str]] = {alias: [] for alias in tables}
    for term in _TERM.findall(block[2] or ""):
        text = re.sub(r"^\s*AND ", "", term, flags=re.IGNORECASE).strip()
        join = _JOIN.match(text)
        owner = text.partition(".")[0].lower()
        if join and join[1].lower() != join[3].lower():
            joins.append(((join[1].lower(), join[2]), (join[3].lower(), join[4])))
        elif owner in predicates:
            predicates[owner].append(text)
        else:
            raise InvalidInstance(f"not a plain benchmark query: the condition {text!r}")
    return Block(tables, tuple(joins), {alias: tuple(found) for alias, found in predicates.items()})


def edges(block: Block, keys: frozenset[str], counted: Container[int] | None = None) -> tuple[JoinEdge, ...]:
    """The joins, then those that follow from them and whose pair of relations is in `counted` (bitsets).

    `keys` are the names of columns that are primary keys.
    """
    position = {alias: i for i, alias in enumerate(block.tables)}
    written = list(dict.fromkeys(_in_order(join, position) for join in block.joins))
    more = [
        (a, b)
        for a, b in _closure(written, position)
        if (a, b) not in written and counted is not None and 1 << position[a[0]] | 1 << position[b[0]] in counted
    ]
    return tuple(
        JoinEdge(position[a], position[b], x, y, x in keys, y in keys, x in keys, y in keys, implied=k >= len(written))
        for k, ((a, x), (b, y)) in enumerate([*written, *more])
    )


def _in_order(join: tuple[Column, Column], position: Mapping[str, int]) -> tuple[Column, Column]:
    a, b = join
    return join if position[a[0]] < position[b[0]] else (b, a)


def _closure(joins: Iterable[tuple[Column, Column]], position: Mapping[str, int]) -> list[tuple[Column, Column]]:
    """Pairs of columns that equal each other through others, of two relations."""
    groups: list[set[Column]] = []
    for join in joins:
        touched = [group for group in groups if group & set(join)]
        groups = [group for group in groups if not group & set(join)] + [set(join).union(*touched)]
    return [
        (a, b)
        for group in groups
        for a, b in combinations(sorted(group, key=lambda end: (position[end[0]], end[1])), 2)
        if a[0] != b[0]
    ]


def _plain(predicate: str) -> str:
    return re.sub(r"\s+|::timestamp", "", predicate).lower()
