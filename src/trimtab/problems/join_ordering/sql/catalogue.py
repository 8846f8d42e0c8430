# SPDX-License-Identifier: Apache-2.0
"""What must be known of a database's tables to read a query: columns, sizes, keys, indexes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class TableInfo:
    """One table."""

    columns: tuple[str, ...]
    rows: float = float("nan")
    width: float = float("nan")  # B per row
    keys: frozenset[str] = field(default_factory=frozenset)  # columns that are unique by themselves
    indexed: frozenset[str] = field(default_factory=frozenset)  # columns that lead an index
    frequency: Mapping[str, float] = field(default_factory=dict)  # column -> rows of its most frequent value

    def most(self, column: str) -> float:
        """Rows that one value of the column has at most; NaN: unknown."""
        return 1.0 if column in self.keys else self.frequency.get(column, float("nan"))


#: Table name as a query writes it -> what is known of it.
Catalogue = Mapping[str, TableInfo]
