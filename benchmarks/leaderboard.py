# SPDX-License-Identifier: Apache-2.0
"""The published CompilerGym leaderboard, analysed again by `trimtab.study`.

1,701 runs of 11 methods on the 23 programs of cbench-v1; the value is the
reduction of the instruction count against ``-Oz``, the larger the better. A
method that gives ``-Oz`` itself is added, so that the ratio to it is the
published geometric mean. GATv2+DD-PPO has 22 programs only.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from trimtab.core.outcome import Run
from trimtab.core.problem import Metric
from trimtab.core.task import Budget
from trimtab.data.store import locate
from trimtab.study.results import Results

FILE = "compilergym_leaderboard.parquet"
PPO, RANDOM_3H, RANDOM_60S = "ppo/results", "random_search/results_p125_t10800", "random_search/results_p125_t60"
PUBLISHED = {  # method -> geometric mean to three decimals, programs
    PPO: (1.070, 23),
    RANDOM_3H: (1.062, 23),
    "e_greedy/results_e0": (1.055, 23),
    "gatv2_ddppo/result": (1.047, 22),
    RANDOM_60S: (1.045, 23),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="no difference: it takes a second")
    parser.parse_args()
    results = leaderboard(rows(locate("compilergym-leaderboard", FILE)))
    good = True
    against_oz = {row.solver: row for row in results.compare(reference="-Oz").rows}
    for method, (mean, programs) in PUBLISHED.items():
        row = against_oz[method]
        good &= round(row.ratio, 3) == mean and row.paired == programs
        print(f"{method:34s} {row.ratio:.3f} on {row.paired} programs (target {mean:.3f} on {programs})")
    row = next(row for row in results.compare(reference=RANDOM_3H).rows if row.solver == PPO)
    found = tuple(round(value, 3) for value in (row.ratio, row.low, row.high))
    good &= found == (1.007, 1.002, 1.012) and row.wins == 16
    print(
        f"PPO / random search (3 h)          {row.ratio:.3f} [{row.low:.3f}, {row.high:.3f}], "
        f"{row.wins} of {row.paired} won, p = {row.p_value:.4f}, {row.p_holm:.4f} after Holm: {row.verdict} "
        "(target 1.007 [1.002, 1.012], 16 of 23)"
    )
    return 0 if good else 1


def leaderboard(rows: Iterable[dict[str, Any]]) -> Results:
    """The published runs as a study; a repetition is a seed."""
    runs = [run(row["method"], row["program"], row["repetition"], row) for row in rows]
    programs = sorted({run.instance for run in runs})
    runs += [
        run("-Oz", program, 0, {"instruction_count_reduction_vs_Oz": 1.0, "walltime_s": 0}) for program in programs
    ]
    return Results(
        problem="compilergym_llvm_instcount",
        question="Which optimisation passes make a program smallest?",
        version="0",
        backend="published",
        split="cbench-v1",
        suite="",
        metrics=(Metric("reduction", "1", "maximize"),),
        reference=RANDOM_3H,
        budget=Budget(),
        seeds=tuple(range(10)),
        runs=tuple(runs),
    )


def run(method: str, program: str, repetition: int, row: dict[str, Any]) -> Run:
    value = row["instruction_count_reduction_vs_Oz"]
    return Run(
        key=f"{method} {program} {repetition}",
        problem="compilergym_llvm_instcount",
        version="0",
        backend="published",
        split="cbench-v1",
        instance=program,
        solver=method,
        seed=repetition,
        status="ok" if math.isfinite(value) else "failed",
        track="search",
        metrics={"reduction": value},
        solve_s=row["walltime_s"],
    )


def rows(path: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    table: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return table


if __name__ == "__main__":
    sys.exit(main())
