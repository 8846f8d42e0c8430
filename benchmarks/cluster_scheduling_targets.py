# SPDX-License-Identifier: Apache-2.0
"""The learned schedulers against the best tuned classical ones, on queries and arrivals that nobody learned from.

    TRIMTAB_DATA=... python benchmarks/cluster_scheduling_targets.py [--quick] [-j 2]

Every suite is one study: all solvers on the same test instances with the same
draws. *Best rule* is the classical solver with the least geometric mean on the
test instances themselves, so the learned one gets no credit for a bad choice;
all parameters were tuned on training instances. The paper's table (Mao et al.,
SIGCOMM 2019, sections 7.2 and 7.3) is printed beside ours.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

import trimtab
from trimtab.study.results import Results, Row

LEARNED = ("evolved_index", "decima")
FAIR = "weighted_fair"


@dataclass(frozen=True)
class Target:
    suite: str
    against: str  # "best rule", or a solver
    ratio: float | None  # at most; None: reported either way
    paper: str


TARGETS = (
    Target("decima-batch", "best rule", 0.95, "-"),
    Target("decima-batch", FAIR, 0.79, "Decima 0.79 x tuned weighted fair"),
    Target("decima-stream", "best rule", 0.92, "-"),
    Target("decima-stream", FAIR, None, "Decima 0.71 x tuned weighted fair"),
    Target("decima-overload", "best rule", 1.0, "-"),
    Target("alibaba-batch", "best rule", None, "-"),
    Target("alibaba-stream", "best rule", None, "Decima up to 17 % better (multi-resource)"),
    Target("", "best rule", None, "-"),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few instances of each suite")
    parser.add_argument("-j", "--jobs", type=int, default=2)
    options = parser.parse_args()
    met = True
    results: dict[str, Results] = {}
    for target in TARGETS:
        if target.suite not in results:
            results[target.suite] = trimtab.study(
                "cluster_scheduling",
                suite=target.suite,
                instances=["*-00[0-3]"] if options.quick else None,
                jobs=options.jobs,
                ledger=f"runs/targets/{target.suite or 'shipped'}{'-quick' if options.quick else ''}",
            )
            table(target.suite, results[target.suite])
        met &= judge(target, results[target.suite])
    return 0 if met or options.quick else 1


def table(suite: str, results: Results) -> None:
    """Average JCT of every solver, and its ratio to the reference."""
    comparison = results.compare()
    print(f"\n{suite or 'shipped'}: {len(comparison.instances)} test instances, ratios to {comparison.reference}")
    for row in comparison.rows:
        print(
            f"  {row.solver:16s} {row.mean:9.2f} s   {row.ratio:.3f} [{row.low:.3f}, {row.high:.3f}]   "
            f"{row.wins}/{row.ties}/{row.losses}   {row.verdict}"
        )
    for solver, reason in results.unavailable.items():
        print(f"  {solver:16s} unavailable: {reason}")


def judge(target: Target, results: Results) -> bool:
    """Print each learned solver's ratio beside the target; the target is for the better one."""
    rules = [row for row in results.compare().rows if row.solver not in LEARNED]
    rival = min(rules, key=lambda row: row.ratio).solver if target.against == "best rule" else target.against
    rows = [row for row in results.compare(reference=rival).rows if row.solver in LEARNED]
    wanted = f"target <= {target.ratio}" if target.ratio else "reported either way"
    for row in sorted(rows, key=lambda row: row.ratio):
        print(f"  -> {row.solver} / {rival}: {line(row)} ({wanted}; paper: {target.paper})")
    return target.ratio is None or any(row.ratio <= target.ratio for row in rows)


def line(row: Row) -> str:
    return f"{row.ratio:.3f} [{row.low:.3f}, {row.high:.3f}], {row.wins} of {row.paired} won, {row.verdict}"


if __name__ == "__main__":
    sys.exit(main())
