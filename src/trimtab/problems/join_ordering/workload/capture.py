# SPDX-License-Identifier: Apache-2.0
"""``trimtab capture join_ordering``: queries with true row counts, the user's or made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click
import numpy as np

from trimtab.core.errors import TrimtabError, UsageError

from ..problem import EXACT, JoinQuery

_PATH: Final = click.Path(path_type=Path)
_SCALE: Final = click.FloatRange(min=0, min_open=True, max=1000)


@click.command("join_ordering", context_settings={"show_default": True})
@click.argument("queries", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--dsn", envvar="TRIMTAB_DSN", metavar="URL", help="Your PostgreSQL; or set TRIMTAB_DSN, which ps does not show."
)
@click.option("--count-seconds", default=10.0, type=click.FloatRange(min=0, min_open=True), help="Limit of each count.")
@click.option("--aptdb", is_flag=True, help="Make aptdb from this machine's Debian package index, and queries on it.")
@click.option("--packages", type=_PATH, help="With --aptdb: a Packages file, instead of the machine's index.")
@click.option("--tpch", type=_SCALE, metavar="SCALE", help="Make TPC-H, and queries on it.")
@click.option("--tpcds", type=_SCALE, metavar="SCALE", help="Make TPC-DS, and queries on it.")
@click.option("--templates", default=48, type=click.IntRange(min=1), help="Generated: join graphs.")
@click.option("--each", default=2, type=click.IntRange(1, 26), help="Generated: queries of each.")
@click.option("--seed", default=0, type=click.IntRange(min=0), help="Generated: of the generator.")
@click.option("-o", "--output", default="queries.jsonl", type=_PATH, help="The query file, .jsonl or .jsonl.xz.")
@click.option("--json", "as_json", is_flag=True, help="Print a summary as JSON, and nothing else.")
def command(queries: tuple[Path, ...], dsn: str | None, output: Path, as_json: bool, **asked: Any) -> None:
    """Harvest true row counts of the joins in your queries.

    With --dsn: reads .sql files or folders of them, asks your server for its
    estimates (EXPLAIN) and counts every connected part of each query (SELECT
    COUNT(*), each with a time limit), and writes a query file for `solve` and
    `train`. Nothing but SELECT, EXPLAIN and SET is sent. What was counted is kept
    whatever happens; the same command goes on.

    With --aptdb, --tpch or --tpcds: makes that database, queries on it, their
    exact counts (DuckDB) and PostgreSQL's estimates.
    """
    if not output.name.endswith((".jsonl", ".jsonl.xz")):
        raise UsageError(f"--output {output}: the name of a query file ends in .jsonl or .jsonl.xz")
    made = [name for name in ("aptdb", "tpch", "tpcds") if asked[name]]
    if len(made) > 1 or (made and queries):
        raise UsageError("give either queries with --dsn, or one of --aptdb, --tpch and --tpcds")
    if asked["packages"] is not None and not asked["aptdb"]:
        raise UsageError("--packages goes with --aptdb")
    if made:
        written, late = _generated(made[0], output, quiet=as_json, **asked), 0
    else:
        if not dsn or not queries:
            raise UsageError("give .sql files and --dsn URL (or TRIMTAB_DSN), or one of --aptdb, --tpch and --tpcds")
        written, late = _harvested(queries, dsn, output, asked["count_seconds"], quiet=as_json)
    _say(output, written, late, as_json)


def _harvested(
    paths: Sequence[Path], dsn: str, output: Path, seconds: float, *, quiet: bool
) -> tuple[list[JoinQuery], int]:
    from ..system.session import Address, catalogue_of, connect
    from .capture_counts import Log, harvest, read_queries_of, version_of, write_queries

    log = Log(output.with_name(output.name.partition(".")[0] + ".counts.jsonl"))
    with connect(Address(dsn)) as session:
        version, catalogue = version_of(session), catalogue_of(session)
        queries = read_queries_of(session, paths, catalogue)
        try:
            late = harvest(session, queries, log, seconds=seconds, progress=_progress(quiet))
        finally:
            written = write_queries(output, version, queries, log)
    return written, late


def _generated(kind: str, output: Path, *, quiet: bool, **asked: Any) -> list[JoinQuery]:
    from .files import save_queries
    from .harvest import Amount, generate, with_estimates

    progress = _progress(quiet)
    if kind == "aptdb":
        from .aptdb import HABITS, build_aptdb

        database, habits, name = build_aptdb(packages=asked["packages"]), HABITS, "aptdb"
    else:
        from .tpc import HABITS_BY_KIND, build_tpc

        database, habits, name = build_tpc(kind, asked[kind]), HABITS_BY_KIND[kind], f"{kind}-{asked[kind]:g}"
    amount = Amount(shapes=asked["templates"], per_shape=asked["each"], seed=asked["seed"])
    found = list(generate(database, habits, amount, name, lambda done, what: progress(done, amount.shapes, what)))
    written = with_estimates(database, found)
    save_queries(output, written)
    write_card(output, kind, amount, written)
    return written


def write_card(output: Path, kind: str, amount: Any, queries: Sequence[JoinQuery]) -> None:
    """What was made, and how, beside the file: ``<stem>.card.json``."""
    import hashlib
    from datetime import UTC, datetime
    from importlib.metadata import version

    tables = {relation.table: relation.rows for query in queries for relation in query.relations}
    estimates = queries[0].estimates
    card = {
        "title": f"Queries on {kind} with exact counts and PostgreSQL's estimates of every connected subset",
        "command": f"trimtab capture join_ordering --{kind} --templates {amount.shapes} --each {amount.per_shape}"
        f" --seed {amount.seed} -o {output.name}",
        "made": f"{datetime.now(UTC):%Y-%m-%d}",
        "queries": len(queries),
        "templates": len({query.template for query in queries}),
        "subsets": sum(len(query.cardinalities.subsets) for query in queries),
        "table_rows": {table: int(rows) for table, rows in sorted(tables.items())},
        "counted_by": f"duckdb {version('duckdb')}",
        "estimated_by": "" if estimates is None else estimates.source,
        "note": "Counts follow from the data and the seed; estimates also from the sample that ANALYZE draws.",
        "sha256": hashlib.sha256(output.read_bytes()).hexdigest(),
    }
    path = output.with_name(output.name.partition(".")[0] + ".card.json")
    path.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


def _progress(quiet: bool) -> Any:
    """A line on standard error now and then."""
    import time

    last = [time.monotonic()]

    def tell(done: int, total: int, what: str) -> None:
        if not quiet and time.monotonic() - last[0] > 5:
            last[0] = time.monotonic()
            click.echo(f"{done} of {total}: {what}", err=True)

    return tell


def _say(output: Path, written: Sequence[JoinQuery], late: int, as_json: bool) -> None:
    if not written:
        raise TrimtabError("nothing was harvested")
    counted = sum(int((query.cardinalities.kinds == EXACT).sum()) for query in written)
    errors = np.concatenate([_q_errors(query) for query in written])
    summary = {
        "output": str(output),
        "queries": len(written),
        "counts": counted,
        "timed_out": late,
        "q_error_median": float(np.median(errors)) if errors.size else None,
        "q_error_p95": float(np.quantile(errors, 0.95)) if errors.size else None,
        "q_error_max": float(errors.max()) if errors.size else None,
    }
    if as_json:
        click.echo(json.dumps(summary, indent=2))
        return
    click.echo(f"{output}: {len(written)} queries, {counted} counts" + (f", {late} timed out" if late else ""))
    if errors.size:
        median, high, most = np.median(errors), np.quantile(errors, 0.95), errors.max()
        click.echo(f"row estimates are off by {median:.3g} times (median), {high:.3g} (95 %), {most:.3g} (worst)")


def _q_errors(query: JoinQuery) -> Any:
    """Estimate over count or its inverse, at least one row each, of the counted subsets."""
    if query.estimates is None:
        return np.zeros(0)
    true = np.maximum(1.0, query.cardinalities.rows[query.cardinalities.kinds == EXACT])
    guess = np.maximum(1.0, query.estimates.rows[query.cardinalities.kinds == EXACT])
    return np.maximum(true / guess, guess / true)
