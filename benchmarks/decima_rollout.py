# SPDX-License-Identifier: Apache-2.0
"""Decisions a second of Decima: compiled rollouts, beside the same network asked in torch for one state at a time.

    python benchmarks/decima_rollout.py [--quick]

Batches of 20 jobs of Decima's TPC-H profile on 50 executors, choices drawn as in
training. The target is 20 times what a public pure-torch Decima does
(spark-sched-sim: 220-290 decisions a second, its whole loop, measured on such a
machine). The torch line here is the network alone, without a simulator.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from trimtab.problems.cluster_scheduling.learned.decima_network import DecimaNetwork
from trimtab.problems.cluster_scheduling.learned.decima_states import Decisions
from trimtab.problems.cluster_scheduling.problem import JobStream
from trimtab.problems.cluster_scheduling.simulator import rules, simulate, srpt
from trimtab.problems.cluster_scheduling.simulator.decima import decima
from trimtab.problems.cluster_scheduling.simulator.decima_record import Conduct, play
from trimtab.problems.cluster_scheduling.workload import SUITES

PUBLISHED = (220, 290)
TARGET = 20 * PUBLISHED[1]


def cpu_rate(network: DecimaNetwork, streams: list[JobStream], seed: int, repeats: int) -> tuple[float, float]:
    """Decisions and events per CPU second, the best of several."""
    policy = decima(network.flat(), seed=seed)
    best = (0.0, 0.0)
    for _ in range(repeats + 1):
        started = time.process_time()
        runs = [simulate(stream, policy, seed=1) for stream in streams]
        spent = time.process_time() - started
        best = max(best, (sum(r.decisions for r in runs) / spent, sum(r.events for r in runs) / spent))
    return best


def torch_rate(network: DecimaNetwork, stream: JobStream, decisions: int) -> float:
    """Forward passes per CPU second, one state each."""
    conduct = Conduct(0, 1.0, 1.0, rules.SRPT, np.array([0.5, 0.5]))
    recorded = Decisions.of([play(stream, network.flat(), conduct, seed=1).recording])
    count = min(decisions, len(recorded.rows))
    started = time.process_time()
    with torch.no_grad():
        for k in range(count):
            network(*recorded.batch(np.array([k])))
    return count / (time.process_time() - started)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="5 streams instead of 20")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = DecimaNetwork()
    streams = list(SUITES["decima-batch"]("train").values())[: 5 if quick else 20]
    greedy, events = cpu_rate(network, streams, -1, 2)
    drawn, _ = cpu_rate(network, streams, 0, 2)
    in_torch = torch_rate(network, streams[0], 50 if quick else 300)
    runs = [simulate(stream, srpt(0.5, 0.5), seed=1) for stream in streams]
    print(f"compiled, choices drawn     {drawn:9,.0f} decisions / CPU s   (target {TARGET:,})")
    print(f"compiled, likeliest         {greedy:9,.0f} decisions / CPU s   {events:,.0f} events / CPU s")
    print(f"torch, one state at a time  {in_torch:9,.0f} decisions / CPU s   (network alone: no simulator)")
    print(
        f"published pure-torch loops  {PUBLISHED[0]}-{PUBLISHED[1]} decisions / s: we are {drawn / PUBLISHED[1]:.0f} x"
    )
    print(f"under srpt such a batch has {np.mean([r.decisions for r in runs]):9,.0f} decisions")
    return 0 if drawn >= TARGET else 1


if __name__ == "__main__":
    raise SystemExit(main())
