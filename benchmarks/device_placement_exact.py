# SPDX-License-Identifier: Apache-2.0
"""The contiguous optimum of Tarnawski's 16 pipelines, and what is to be had without contiguity.

Targets: the 13 objectives that the authors' program finds, to 6 digits; a fifth of its
CPU time for the five that took it longest (measured once with g++ 12 on a machine of
the same kind, under load: `REFERENCE`); the three that it did not finish; and searches
that may interleave no worse than the contiguous optimum, 39.94 ms on bert24_training.

    TRIMTAB_DATA=... python benchmarks/device_placement_exact.py [--quick]
"""

from __future__ import annotations

import argparse
import sys
import time

from trimtab.core.task import Budget, Task
from trimtab.data import locate
from trimtab.problems.device_placement.baselines import Search, contiguous_optimum
from trimtab.problems.device_placement.problem import Placement
from trimtab.problems.device_placement.simulator import Simulator
from trimtab.problems.device_placement.workload.archives import read_members
from trimtab.problems.device_placement.workload.tarnawski import read

#: name -> (ms per sample, CPU s of the authors' program), both None where it did not finish.
REFERENCE: dict[str, tuple[float | None, float | None]] = {
    "LayerGraphs/bert24_inference": (17.7899, 0.01),
    "LayerGraphs/bert24_training": (41.7458, 0.01),
    "LayerGraphs/gnmt_inference": (32.9107, 16.0),
    "LayerGraphs/gnmt_training": (None, None),
    "LayerGraphs/inceptionv3_inference": (None, None),
    "LayerGraphs/inceptionv3_training": (None, None),
    "LayerGraphs/resnet50_inference": (33.7747, 0.09),
    "LayerGraphs/resnet50_training": (78.6318, 0.14),
    "OperatorGraphs/bert_l-3_inference": (27.9186, 0.75),
    "OperatorGraphs/bert_l-3_training": (65.3031, 5.0),
    "OperatorGraphs/bert_l-6_inference": (29.5795, 2.7),
    "OperatorGraphs/bert_l-6_training": (72.865, 81.0),
    "OperatorGraphs/bert_l-12_inference": (147.478, 14.0),
    "OperatorGraphs/bert_L-12_training": (437.998, 29.1),
    "OperatorGraphs/resnet50_inference": (124.349, 1.4),
    "OperatorGraphs/resnet50_training": (255.194, 3.5),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="without inceptionv3, which takes most of the time")
    parser.add_argument("--calls", type=int, default=200_000, help="simulator calls of the interleaving search")
    options = parser.parse_args()
    members = read_members(locate("dnn-partitioning", "inputs.tar.xz"), ".json")
    good = True
    print(f"{'pipeline':38s} {'optimum ms':>11s} {'CPU s':>7s} {'theirs':>8s} {'interleaved ms':>15s} {'ratio':>6s}")
    for name, (value, seconds) in REFERENCE.items():
        if options.quick and "inception" in name:
            continue
        instance = read(members[f"throughput-inputs/{name}.json"], name)
        begin = time.thread_time()
        found, device = contiguous_optimum(instance)
        spent = time.thread_time() - begin
        task = Task(instance, Simulator(), Budget(options.calls // (10 if options.quick else 1)), 0, "step_time")
        placement = Search("walk", start=Placement(device), hot=0.003).solve(task)
        apart = Simulator().evaluate(instance, placement, seed=0).metrics["max_load"]
        good &= apart <= found * (1 + 1e-9)
        good &= value is None or f"{found * 1e3:.6g}" == f"{value:.6g}"
        good &= seconds is None or seconds < 14.0 or spent <= seconds / 5
        theirs = "-" if seconds is None else f"{seconds:.2f}"
        print(
            f"{name:38s} {found * 1e3:11.6g} {spent:7.2f} {theirs:>8s} {apart * 1e3:15.6g} {apart / found:6.3f}",
            flush=True,
        )
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
