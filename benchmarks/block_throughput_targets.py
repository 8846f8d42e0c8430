# SPDX-License-Identifier: Apache-2.0
"""block_throughput: errors on applications that nothing was trained on, every predictor on the same blocks.

    python benchmarks/block_throughput_targets.py [--suite zen4] [--train] [--solvers a,b] [--quick]

With TRIMTAB_DATA the blocks are all Zen 4 labels of the test applications (suite
zen4), without it the shipped ones. --train trains the calibrated solver anew, on the
training split of the suite, and says how long that took.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from typing import Final

import numpy as np

from trimtab.core import registry
from trimtab.core.errors import Unavailable
from trimtab.core.task import Budget, Task
from trimtab.problems.block_throughput.problem import BlockSet, Prediction
from trimtab.problems.block_throughput.scoring import score
from trimtab.problems.block_throughput.workload import truth

TARGETS: Final = {"mape": "<= 7", "median_ape": "<= 1.5", "kendall_tau": ">= 0.92", "coverage": "85 to 95"}
SHOWN: Final = (
    *("mape", "median_ape", "kendall_tau", "within_10", "coverage", "interval_width", "weighted_mape"),
    *("mape_scalar", "mape_vector", "mape_stack", "mape_load_store", "mape_short", "mape_medium", "mape_long"),
)
SOLVERS: Final = (
    *("calibrated", "skeleton", "trivial_bound", "llvm_mca", "llvm_mca_rthroughput", "mean_opcode", "linear"),
    *("boosted_counts", "boosted_mca", "ithemal", "granite"),
)


def merged(instances: Mapping[str, BlockSet]) -> BlockSet:
    """All blocks of some instances of one CPU as one."""
    parts = list(instances.values())
    blocks = tuple(block for part in parts for block in part.blocks)
    return BlockSet(blocks, parts[0].cpu, parts[0].notion, frequency=np.concatenate([p.frequency for p in parts]))


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--suite", default="zen4", help="'' for the shipped blocks")
    options.add_argument("--split", default="test")
    options.add_argument("--train", action="store_true")
    options.add_argument("--solvers", default=",".join(SOLVERS))
    options.add_argument("--quick", action="store_true", help="the first three solvers, shipped blocks")
    asked = options.parse_args()
    problem = registry.load("block_throughput")
    suite = "" if asked.quick else asked.suite
    names = asked.solvers.split(",")[: 3 if asked.quick else None]
    groups: dict[str, dict[str, BlockSet]] = {}
    for name, instance in problem.suite(suite, asked.split).items():
        groups.setdefault(instance.cpu, {})[name] = instance
    solvers = {}
    if asked.train:
        started = time.perf_counter()
        tasks = [Task(one, problem.backend(), Budget(), 0) for one in problem.suite(suite, "train").values()]
        solvers["trained now"] = problem.learner("calibrated").fit(tasks)
        print(f"training: {sum(len(t.instance) for t in tasks)} blocks, {time.perf_counter() - started:.0f} s"
              "   (target: <= 300 s on two cores)")  # fmt: skip
    for name in names:
        try:
            solvers[name] = problem.solver(name)
        except Unavailable as error:
            print(f"{name}: {error}")
    for cpu, instances in groups.items():
        whole = merged(instances)
        known = truth(whole)
        print(f"\n{cpu}: {len(whole)} blocks of {', '.join(instances)}")
        print(f"{'':22}" + "".join(f"{name.replace('mape_', ''):>15}" for name in SHOWN))
        print(f"{'target':22}" + "".join(f"{TARGETS.get(name, ''):>15}" for name in SHOWN))
        for name, solver in solvers.items():
            started = time.perf_counter()
            try:
                answer: Prediction = solver.solve(Task(whole, problem.backend(), Budget(0), 0))
            except Unavailable as error:
                print(f"{name}: {error}")
                continue
            seconds = time.perf_counter() - started
            metrics = score(whole, answer, known).metrics
            print(
                f"{name:22}" + "".join(f"{metrics.get(shown, np.nan):15.3f}" for shown in SHOWN) + f"   {seconds:.1f} s"
            )


if __name__ == "__main__":
    main()
