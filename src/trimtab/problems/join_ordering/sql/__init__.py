# SPDX-License-Identifier: Apache-2.0
"""SQL to a `JoinQuery` and back: one select-project-join block, its subsets, and its plan as explicit joins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.core.errors import InvalidInstance

from .catalogue import Catalogue, TableInfo
from .parse import parse_sql
from .rewrite import rewrite
from .text import connected_subsets, count_sql, forced_from, rows_sql, template_of

if TYPE_CHECKING:
    from ..problem import JoinQuery


def read_queries(paths: Sequence[Path]) -> Mapping[str, JoinQuery]:
    """Always raises: plain SQL says nothing of row counts, and they decide."""
    raise InvalidInstance(
        f"{paths[0]}: SQL alone does not say how many rows there are. Name the database with --dsn URL"
        " (or TRIMTAB_DSN), or give the query file that `trimtab capture join_ordering --dsn URL` writes"
    )


__all__ = [
    "Catalogue",
    "TableInfo",
    "connected_subsets",
    "count_sql",
    "forced_from",
    "parse_sql",
    "read_queries",
    "rewrite",
    "rows_sql",
    "template_of",
]
