# SPDX-License-Identifier: Apache-2.0
"""How well does the simulator predict a real Spark? TPC-H queries alone and sharing a cluster of two task slots.

    python benchmarks/cluster_scheduling_fidelity.py [--quick] [--work FOLDER] [--scale 0.2]

One session runs every query alone, again and again; after three that let the JVM
compile its code, every other run goes into the profile, and the rest is to be predicted. Then several queries at a time
arrive at random, under Spark's FIFO and under its FAIR scheduler. The simulator
gets the profile and the arrivals, and plays Spark's own scheduling
(`simulator.spark`). Completion is Spark's, from the start of a SQL execution to
its end. The error of a query is |predicted - measured| / measured, of means over
runs (alone) or of single runs (shared).

Two more figures say what an error is made of. The runs of the profile against those to
be predicted: how far the machine repeats itself; no prediction can be better. And the
shared streams with the durations of their own tasks: the error of the scheduling model.

Decima's simulator claims 5 % for jobs alone and 9 % for shared clusters
(Mao et al., SIGCOMM 2019, section 6.2). An idle machine is needed. Event logs
stay in --work; with them there, only the prediction is done again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trimtab.problems.cluster_scheduling.problem import JobProfile, JobStream
from trimtab.problems.cluster_scheduling.simulator import simulate
from trimtab.problems.cluster_scheduling.simulator.spark import spark_fair, spark_fifo
from trimtab.problems.cluster_scheduling.system import Query, play, prepared
from trimtab.problems.cluster_scheduling.workload import spark_tpch
from trimtab.problems.cluster_scheduling.workload.spark_events import log_files
from trimtab.problems.cluster_scheduling.workload.spark_profiles import profiles_of
from trimtab.problems.cluster_scheduling.workload.spark_runs import Run, read_application

CORES = 2
MODES = {"fifo": spark_fifo, "fair": spark_fair}
TARGETS = {"alone": 0.05, "shared": 0.09}
SEEDS = 40  # simulations of which a prediction is the mean

Floats = NDArray[np.float64]


def record(work: Path, scale: float, names: Sequence[str], repeats: int, streams: int, size: int) -> None:
    """Alone runs and FIFO streams in one session, FAIR streams in another."""
    rng = np.random.default_rng(22)
    logs = work / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    once = [Query(0.0, scale, name, "") for name in names]
    for mode in MODES:
        settings = {**spark_tpch.event_log(logs), "spark_driver_memory": "2g"}
        with prepared(once, CORES, mode.upper(), work, **settings) as session:
            spark_tpch.open_tables(session, scale, spark_tpch.generate(scale, work / "data"))
            for turn in range(-2, 2 * repeats) if mode == "fifo" else ():
                kind = "warm-up" if turn < 0 else "profile" if turn % 2 == 0 else "alone"
                for name in rng.permutation(names):
                    session.sparkContext.setJobDescription(f"{kind} {spark_tpch.job_name(scale, name)}")
                    session.sql(spark_tpch.query(name)).collect()
                print(f"{kind} runs, pass {max(turn, 0) // 2 + 1}", flush=True)
            for stream in range(streams):
                arrivals = np.cumsum(rng.exponential(0.7, size)) - 0.7
                chosen = [str(name) for name in rng.choice(names, size)]
                play(
                    session,
                    [_query(f"{mode}{stream}", at, scale, name) for at, name in zip(arrivals, chosen, strict=True)],
                )
                print(f"{mode.upper()} stream {stream + 1} of {streams}", flush=True)


def _query(kind: str, at: float, scale: float, name: str) -> Query:
    return Query(max(0.0, float(at)), scale, name, label=f"{kind} {spark_tpch.job_name(scale, name)}")


def recorded(work: Path) -> dict[str, list[Run]]:
    """Runs by kind: "profile", "alone", "fifo0", "fair3"; each with the name of its query."""
    found: dict[str, list[Run]] = {}
    for files in log_files(work / "logs"):
        for run in read_application(files).runs:
            kind, _, name = run.name.partition(" ")
            if name.startswith("tpch-"):
                run.name = name
                found.setdefault(kind, []).append(run)
    return found


def predicted_s(profiles: tuple[JobProfile, ...], jobs: Sequence[int], arrival_ms: Floats, mode: str) -> Floats:
    """Mean completion times over the seeds, s."""
    stream = JobStream(profiles, np.array(jobs), arrival_ms, CORES, moving_delay_ms=0.0, warmup_delay_ms=0.0)
    policy = MODES[mode](profiles)
    completions = np.array([simulate(stream, policy, seed=seed).jct_ms for seed in range(SEEDS)])
    return np.asarray(completions.mean(axis=0) / 1000, np.float64)


def measured_s(runs: Sequence[Run]) -> Floats:
    return np.array([(run.completion - run.arrival) / 1000 for run in runs])


def alone(profiles: tuple[JobProfile, ...], found: dict[str, list[Run]]) -> Floats:
    """Relative errors, one of each query; prints them."""
    errors, repeatability = [], []
    print(f"\n{'alone':22} {'measured':>9} {'predicted':>9} {'error':>7}")
    for index, profile in enumerate(profiles):
        measured = measured_s([run for run in found["alone"] if run.name == profile.name]).mean()
        before = measured_s([run for run in found["profile"] if run.name == profile.name]).mean()
        predicted = predicted_s(profiles, [index], np.zeros(1), "fifo")[0]
        errors.append(predicted / measured - 1)
        repeatability.append(before / measured - 1)
        print(f"{profile.name:22} {measured:7.2f} s {predicted:7.2f} s {errors[-1]:+7.1%}")
    print(f"the runs of the profile themselves differ by {np.abs(repeatability).mean():.1%}")
    return np.array(errors)


def shared(profiles: tuple[JobProfile, ...], found: dict[str, list[Run]]) -> tuple[Floats, Floats]:
    """Relative errors of each job of each stream: with the profiles, and with the durations of the runs themselves."""
    index = {profile.name: at for at, profile in enumerate(profiles)}
    errors, scheduling = [], []
    print(f"\n{'shared':22} {'measured':>9} {'predicted':>9} {'error':>7} {'scheduling':>11}   (means over jobs)")
    for kind in sorted(kind for kind in found if kind.rstrip("0123456789") in MODES):
        runs, mode = sorted(found[kind], key=lambda run: run.arrival), kind.rstrip("0123456789")
        arrival = np.array([run.arrival for run in runs], np.float64)
        predicted = predicted_s(profiles, [index[run.name] for run in runs], arrival - arrival[0], mode)
        own = profiles_of([(replace(run, name=str(place)), True) for place, run in enumerate(runs)])
        known = predicted_s(*own, arrival - arrival[0], mode)
        measured = measured_s(runs)
        errors.append(predicted / measured - 1)
        scheduling.append(known / measured - 1)
        of_job, of_scheduling = np.abs(errors[-1]).mean(), np.abs(scheduling[-1]).mean()
        print(f"{kind:22} {measured.mean():7.2f} s {predicted.mean():7.2f} s {of_job:7.1%} {of_scheduling:11.1%}")
    return np.concatenate(errors), np.concatenate(scheduling)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="4 queries at scale factor 0.05")
    parser.add_argument("--scale", type=float, default=0.2)
    parser.add_argument(
        "--repeats", type=int, default=4, help="runs of each query in the profile, and as many to predict"
    )
    parser.add_argument("--streams", type=int, default=6, help="of each scheduler")
    parser.add_argument("--work", type=Path, default=Path("runs/fidelity"))
    options = parser.parse_args()
    names = ("q3", "q5", "q6", "q13") if options.quick else spark_tpch.QUERIES
    work = (options.work / ("quick" if options.quick else f"{options.scale:g}")).absolute()
    if not (work / "logs").is_dir():
        scale, repeats, streams = (0.05, 2, 2) if options.quick else (options.scale, options.repeats, options.streams)
        record(work, scale, names, repeats, streams, size=8)
    found = recorded(work)
    profiles, _ = profiles_of([(run, True) for run in found["profile"]])
    figures = {"alone": alone(profiles, found)}
    figures["shared"], scheduling = shared(profiles, found)
    print(f"\nscheduling, durations known: mean error {np.abs(scheduling).mean():.1%} (bias {scheduling.mean():+.1%})")
    missed = False
    for what, errors in figures.items():
        error, target = float(np.abs(errors).mean()), TARGETS[what]
        missed |= error > target
        spread = f"bias {errors.mean():+.1%}, worst {np.abs(errors).max():.1%}"
        verdict = "ok" if error <= target else "MISSED"
        print(f"{what:7} mean error {error:.1%} of {len(errors)} ({spread})   target <= {target:.0%}   {verdict}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
