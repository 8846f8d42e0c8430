# SPDX-License-Identifier: Apache-2.0
"""How far is each scheduler from the best possible?

    python benchmarks/cluster_scheduling_gap.py [--quick]

Tiny streams of random jobs, where the optimum is known (CP-SAT, proven): mean and
worst gap of every shipped solver to it. Then the gap to the lower bound on
test instances of the shipped suite, and of decima-batch where its data is here.
The bound knows all draws and pays for no conflict, so the gap is what a better
scheduler could gain at most. There is no target; a solver that beats the optimum
or the bound is an error (exit 1).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from trimtab.core.errors import DataError, Unavailable
from trimtab.core.solver import Solver
from trimtab.core.task import Budget, Task
from trimtab.problems.cluster_scheduling import PROBLEM
from trimtab.problems.cluster_scheduling.bounds import lower_bound_s
from trimtab.problems.cluster_scheduling.exact import optimum_s
from trimtab.problems.cluster_scheduling.problem import Floats, JobProfile, JobStream
from trimtab.problems.cluster_scheduling.simulator import Decision, Simulator, simulate

Solvers = Mapping[str, Solver[JobStream, Decision]]
EXACT = 1e-9  # relative; sums of the same numbers in another order


@dataclass(frozen=True)
class Case:
    stream: JobStream
    seed: int  # of the draws
    best: float  # s; no policy has a lesser average JCT


def tiny(seed: int) -> JobStream:
    """3 jobs of up to 3 stages of up to 2 tasks, 2 or 3 executors; half of the streams are batches."""
    rng = np.random.default_rng(seed)
    profiles = tuple(_tiny_profile(rng, f"tiny-{seed}-{i}") for i in range(3))
    arrival_ms = np.sort(rng.integers(0, 4000, 3)).astype(np.float64) * (seed % 2)
    return JobStream(profiles, np.arange(3), arrival_ms, int(rng.integers(2, 4)), 0.0, 0.0)


def _tiny_profile(rng: np.random.Generator, name: str) -> JobProfile:
    """Every task of a stage draws from the same four durations, whatever the wave."""
    stages = int(rng.integers(1, 4))
    edges = [(a, b) for b in range(stages) for a in range(b) if rng.random() < 0.5]
    ranges = np.array([(4 * s, 4 * s + 4) for s in range(stages)])
    return JobProfile(
        name=name,
        group=name,
        num_tasks=rng.integers(1, 3, stages),
        edges=np.array(edges, np.int64).reshape(-1, 2),
        levels=np.array([1]),
        durations=np.ceil(1000 * rng.lognormal(0, 0.6, 4 * stages)),
        offsets=np.ascontiguousarray(np.broadcast_to(ranges[:, None, None], (stages, 1, 3, 2))),
    )


def loaded() -> Solvers:
    """Every solver that can be had; says why not, of the others."""
    found = {}
    for name in PROBLEM.solvers:
        try:
            found[name] = PROBLEM.solver(name)
        except (Unavailable, DataError) as error:
            print(f"{name} is left out: {error}")
    return found


def gaps(solvers: Solvers, cases: Sequence[Case]) -> dict[str, Floats]:
    """Average JCT over the best possible, minus 1, by solver.  (cases,)"""
    found = {name: np.empty(len(cases)) for name in solvers}
    for at, case in enumerate(cases):
        for name, solver in solvers.items():
            decision = solver.solve(Task(case.stream, Simulator(), Budget(0), case.seed))
            jct = simulate(case.stream, decision, seed=case.seed).metrics["average_jct"]
            found[name][at] = jct / case.best - 1
    return found


def show(title: str, found: Mapping[str, Floats]) -> bool:
    """Print a table, the best first. False where something is better than the best possible."""
    print(f"\n{title}\n{'solver':18} {'mean gap':>9} {'least':>9} {'worst':>9}")
    for name, gap in sorted(found.items(), key=lambda item: float(item[1].mean())):
        print(f"{name:18} {gap.mean():9.1%} {round(float(gap.min()), 9) + 0.0:9.1%} {gap.max():9.1%}")
    return all(gap.min() >= -EXACT for gap in found.values())


def proven(count: int) -> list[Case]:
    """Tiny streams with their optima; those whose proof takes too long are left out."""
    cases = []
    for seed in range(count):
        stream = tiny(seed)
        optimum = optimum_s(stream, seed, seconds=60)
        if optimum.proven:
            cases.append(Case(stream, seed, optimum.average_jct))
        else:
            print(f"tiny stream {seed} is left out: no proof in 60 s")
    return cases


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="5 tiny streams, 4 test instances")
    count, tests = (5, 4) if parser.parse_args().quick else (20, 10)
    solvers = loaded()
    cases = proven(count)
    fine = show(f"gap to the optimum, {len(cases)} tiny streams", gaps(solvers, cases))
    below = np.array([lower_bound_s(case.stream, case.seed) / case.best - 1 for case in cases])
    print(f"{'(lower bound)':18} {below.mean():9.1%} {below.min():9.1%} {below.max():9.1%}")
    fine &= bool((below <= EXACT).all())
    for suite in ("", "decima-batch"):
        title = suite or "shipped suite"
        try:
            streams = list(islice(PROBLEM.suite(suite, "test").values(), tests))
        except Unavailable as error:
            print(f"\n{title} is left out: {error}")
            continue
        cases = [Case(stream, seed, lower_bound_s(stream, seed)) for seed, stream in enumerate(streams)]
        fine &= show(f"gap to the lower bound, {title}, {len(cases)} test instances", gaps(solvers, cases))
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
