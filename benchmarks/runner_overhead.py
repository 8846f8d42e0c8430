# SPDX-License-Identifier: Apache-2.0
"""What the runner itself costs per cell, in CPU time of all its processes, and whether executors agree.

A cell of `bins` does nothing, so what is measured is the study: plan, keys,
dispatch, ledger. The start of the workers is measured apart, by the same study with few cells.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
from pathlib import Path

import bins

import trimtab
from trimtab.study.ledger import Writer, read

TARGET_MS = 0.5
ROWS_TARGET = 20_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cells, one repetition")
    quick = parser.parse_args().quick
    cells, repetitions = (1200, 1) if quick else (6000, 3)
    good = True
    for jobs, executor in ((1, "serial"), (2, "processes")):
        cost = min(marginal_ms(cells, jobs, executor) for _ in range(repetitions))
        good &= cost <= TARGET_MS
        print(f"{executor:10s} -j {jobs}: {cost:.3f} ms CPU a cell, {cells} cells, with ledger (target <= {TARGET_MS})")
    good &= same_tables(["serial", "processes", "ray"])
    good &= writing(5_000 if quick else 50_000)
    return 0 if good else 1


def marginal_ms(cells: int, jobs: int, executor: str) -> float:
    few = cells // 10
    return 1000 * (cost_s(cells, jobs, executor) - cost_s(few, jobs, executor)) / (cells - few)


def cost_s(cells: int, jobs: int, executor: str) -> float:
    os.environ["TRIMTAB_BENCH_INSTANCES"] = str(cells // 6)
    with tempfile.TemporaryDirectory() as folder:
        before = cpu_s()
        trimtab.study(
            bins.PROBLEM, solvers=["exact", "one"], seeds=range(3), jobs=jobs, executor=executor, ledger=folder
        )
        return cpu_s() - before


def cpu_s() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def same_tables(executors: list[str]) -> bool:
    """Every value of every table, bit by bit, also where BLAS is at work."""
    os.environ["TRIMTAB_BENCH_INSTANCES"] = "12"
    tables = []
    for executor in executors:
        results = trimtab.study(bins.PROBLEM, seeds=range(3), jobs=1 if executor == "serial" else 2, executor=executor)
        tables.append((results.compare().table, [row.ratio for row in results.compare().rows]))
    same = all(table == tables[0] for table in tables)
    print(f"tables of {', '.join(executors)}: {'identical' if same else 'DIFFERENT'} (target identical)")
    return same


def writing(rows: int) -> bool:
    """Rows a second and worker that reach the ledger."""
    run = trimtab.study(bins.PROBLEM, instances=["i0000"], solvers=["exact"]).runs[0]
    with tempfile.TemporaryDirectory() as folder:
        before = cpu_s()
        with Writer(Path(folder)) as ledger:
            for _ in range(rows):
                ledger.write(run)
        rate = rows / (cpu_s() - before)
        before = cpu_s()
        read(Path(folder))
        reading = rows / (cpu_s() - before)
    print(f"ledger: {rate:,.0f} rows a CPU second written (target >= {ROWS_TARGET:,}), {reading:,.0f} read")
    return rate >= ROWS_TARGET


if __name__ == "__main__":
    sys.exit(main())
