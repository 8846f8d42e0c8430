# SPDX-License-Identifier: Apache-2.0
"""The coefficients of the PostgreSQL-like cost model: ns of on-CPU time per unit of work.

They stand in ``pg_like.json``, with how they were measured, and are fitted by
non-negative least squares to plans that were run (`operator_features` are the
rows of that fit).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..problem import Floats

FEATURES: Final = (
    "scan",  # row of a table read in sequence
    "build",  # row put into a hash table
    "probe",  # row looked up in a hash table
    "lookup",  # descent of an index
    "match",  # row found through an index
    "pair",  # pair of rows compared in a nested loop
    "sort",  # n log2 n of rows sorted
    "merge",  # row merged
    "emit",  # row that a join gives
    "query",  # once
)
SCAN, BUILD, PROBE, LOOKUP, MATCH, PAIR, SORT, MERGE_ROW, EMIT, QUERY = range(10)

FILE: Final = Path(__file__).with_name("pg_like.json")


@cache
def coefficients() -> Floats:
    """(features,) ns, in the order of `FEATURES`."""
    found = json.loads(FILE.read_text("utf-8"))["ns"]
    return np.array([float(found[name]) for name in FEATURES])


def save(ns: Mapping[str, float], how: Mapping[str, Any], path: Path = FILE) -> None:
    """Write coefficients and how they were measured; all of `FEATURES`, none negative."""
    values = {name: round(float(ns[name]), 3) for name in FEATURES}
    if min(values.values()) < 0:
        raise ValueError(f"a negative coefficient: {values}")
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    temporary.write_text(json.dumps({"ns": values, **how}, indent=1) + "\n", "utf-8")
    temporary.replace(path)
    coefficients.cache_clear()
