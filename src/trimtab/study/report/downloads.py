# SPDX-License-Identifier: Apache-2.0
"""The numbers behind the page, as CSV and JSON that are part of it."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ..results import Comparison, Results
from .markup import clean


def as_csv(comparisons: Sequence[Comparison]) -> str:
    """One line for each track, instance and solver; a column for each metric (averages over seeds)."""
    metrics = list(dict.fromkeys(c.metric.name for c in comparisons))
    lines: dict[tuple[str, str, str], dict[str, float]] = {}
    for comparison in comparisons:
        for row in comparison.rows:
            for instance, value in comparison.table.get(row.solver, {}).items():
                lines.setdefault((row.track, instance, row.solver), {})[comparison.metric.name] = value
    buffer = io.StringIO()
    out = csv.writer(buffer, lineterminator="\n")
    out.writerow([harmless(name) for name in ("track", "instance", "solver", *metrics)])
    for key, values in lines.items():
        out.writerow([*map(harmless, key), *(_short(values.get(metric, math.nan)) for metric in metrics)])
    return buffer.getvalue()


def harmless(text: str) -> str:
    """Text that a spreadsheet will not take for a formula."""
    text = clean(text)
    return "'" + text if text.lstrip()[:1] in ("=", "+", "-", "@") else text


def as_json(results: Results, comparisons: Sequence[Comparison]) -> str:
    """Every comparison and the table that it was made from; null where there is no value."""
    document = {
        "problem": results.problem,
        "version": results.version,
        "backend": results.backend,
        "split": results.split,
        "suite": results.suite,
        "seeds": list(results.seeds),
        "unavailable": dict(results.unavailable),
        "comparisons": [_comparison(comparison) for comparison in comparisons],
    }
    return json.dumps(_plain(document), separators=(",", ":"), allow_nan=False)


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "track": comparison.rows[0].track if comparison.rows else "",
        "metric": asdict(comparison.metric),
        "reference": comparison.reference,
        "rows": [asdict(row) for row in comparison.rows],
        "instances": list(comparison.instances),
        "values": {
            solver: [values.get(instance, math.nan) for instance in comparison.instances]
            for solver, values in comparison.table.items()
        },
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {clean(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int)) else clean(value)


def _short(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else ""
