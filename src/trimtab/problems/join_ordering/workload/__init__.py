# SPDX-License-Identifier: Apache-2.0
"""Queries for join_ordering: shipped, public, and the user's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from trimtab.core.errors import InvalidInstance

from ..problem import JoinQuery
from .files import load_queries, save_queries
from .suites import SUITES
from .suites import shipped as instances

__all__ = ["SUITES", "instances", "load_queries", "parse", "save_queries"]


def parse(paths: Sequence[Path]) -> Mapping[str, JoinQuery]:
    """The user's own queries: what `capture` wrote (``.jsonl``, ``.jsonl.xz``), or ``.sql``."""
    found: dict[str, JoinQuery] = {}
    texts = [path for path in map(Path, paths) if path.suffix == ".sql"]
    if texts:
        from ..sql import read_queries

        found |= read_queries(texts)
    for path in map(Path, paths):
        if path.suffix == ".sql":
            continue
        for name, query in load_queries(path).items():
            if name in found:
                raise InvalidInstance(f"{path}: a second query has the name {name!r}")
            found[name] = query
    return found
