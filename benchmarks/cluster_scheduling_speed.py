# SPDX-License-Identifier: Apache-2.0
"""How fast is the compiled cluster, and how fast is the reference simulator on the same jobs, side by side?

Events are task completions, job arrivals and executor arrivals. Building jobs is
in neither time. The two take turns; CPU seconds, the best of several turns.

    python benchmarks/cluster_scheduling_speed.py [--reference PATH] [--quick]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from cluster_scheduling_parity import Reference

from trimtab.core.errors import MissingData
from trimtab.problems.cluster_scheduling.problem import JobProfile, JobStream
from trimtab.problems.cluster_scheduling.simulator import (
    CompiledPolicy,
    fair,
    fifo,
    pack_streams,
    releasing_fair,
    simulate,
    simulate_many,
    sjf_cp,
    srpt,
    weighted_fair,
)
from trimtab.problems.cluster_scheduling.simulator.made import made_profiles

TARGET = 5e6  # events/s on one core
POLICIES = (fifo(), sjf_cp(), fair(), weighted_fair(-0.5), releasing_fair(), srpt(0.5, 0.5))


def profiles() -> tuple[JobProfile, ...]:
    try:
        from trimtab.problems.cluster_scheduling.workload.decima import profiles as decima

        return decima((2, 5, 10, 20, 50, 100))
    except MissingData as error:
        print(f"made-up jobs: {error}")
        return made_profiles(0, 60, max_stages=20, max_tasks=400)


def workloads(quick: bool) -> dict[str, list[JobStream]]:
    """Batches of 20 jobs; a stream of 1,000 (200 if quick) at the load where queues are moderate."""
    jobs = profiles()
    mean_work_ms = 1000 * float(np.mean([p.work_s for p in jobs]))
    batches, streams = [], []
    for seed in range(4 if quick else 20):
        rng = np.random.default_rng(seed)
        batches.append(JobStream(jobs, rng.integers(len(jobs), size=20), np.zeros(20), 50))
    for seed in range(1 if quick else 2):
        rng = np.random.default_rng((seed, 1))
        size = 200 if quick else 1000
        gaps = rng.exponential(mean_work_ms / (50 * 0.8), size)
        streams.append(JobStream(jobs, rng.integers(len(jobs), size=size), np.cumsum(gaps), 50))
    return {"batch-20": batches, f"stream-{streams[0].num_jobs}": streams}


def cpu_seconds(action: Callable[[], object]) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start


def ours(streams: list[JobStream], policy: CompiledPolicy, turns: int) -> float:
    """Events a second of CPU time."""
    seeds = range(len(streams))
    events = sum(simulate(stream, policy, seed=seed).events for seed, stream in zip(seeds, streams, strict=True))
    packed = pack_streams(streams)
    best = min(cpu_seconds(lambda: simulate_many(packed, policy.kind, policy.parameters, seeds)) for _ in range(turns))
    return events / best


def theirs(reference: Reference, streams: list[JobStream]) -> float:
    """Events a second of CPU time of decima-sim's own agent `dynamic_partition`."""
    best = 0.0
    for seed, stream in enumerate(streams[:3]):
        trace, _ = reference.play(stream, reference.heuristic.DynamicPartitionAgent(), seed)
        env, _ = reference.reset(stream, seed)
        agent = reference.heuristic.DynamicPartitionAgent()
        best = max(best, len(trace) / cpu_seconds(partial(reference.run, env, agent)))
    return best


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=Path, help="checkout of hongzimao/decima-sim, to measure it beside ours")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    reference = Reference(options.reference, named_draws=False) if options.reference else None
    worst = np.inf
    for name, streams in workloads(options.quick).items():
        theirs_rate = theirs(reference, streams) if reference else None
        for policy in POLICIES:
            rate = ours(streams, policy, 3 if options.quick else 7)
            worst = min(worst, rate)
            beside = f"   reference {theirs_rate / 1e6:.3f} M   {rate / theirs_rate:5.0f} x" if theirs_rate else ""
            print(f"{name:12} {policy.name:15} {rate / 1e6:6.2f} M events/s{beside}", flush=True)
    print(f"slowest {worst / 1e6:.2f} M events/s; target >= {TARGET / 1e6:g} M")
    return 0 if worst >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
