# SPDX-License-Identifier: Apache-2.0
"""Does device_placement's simulator say how long a step really takes?

    python benchmarks/device_placement_fidelity.py                    both parts, about 4 minutes on a quiet machine
    python benchmarks/device_placement_fidelity.py --part real --models gpt2,vgg --rows FILE   measure some, keep rows
    python benchmarks/device_placement_fidelity.py --rows FILE --only-report

real      Training steps of shipped models by PyTorch in two processes, each on its own core, tensors over gloo on a
          wire that the kernel shapes to 1 Gbit/s. Predicted from op times by the thread clock (both cores at work),
          alpha and beta of the very wire, and the gap between two ops: all measured before the first placement, none
          fitted to one.
emulated  Graphs of shipped models, stretched so that an op takes 10 ms on average, on four emulated devices.

Placements are those of planners, and the same with 5 to 40 % of what may move moved at random. Needs two idle cores
and, for shaped links, root. Prints each target beside its figure; exits 1 where one is missed.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trimtab.core.task import Budget, Task
from trimtab.problems.device_placement import PROBLEM
from trimtab.problems.device_placement.problem import DeviceTopology, Placement, PlacementInstance, homogeneous, units
from trimtab.problems.device_placement.simulator import Simulator
from trimtab.problems.device_placement.system.backend import shipped
from trimtab.problems.device_placement.system.calibrate import calibrate
from trimtab.problems.device_placement.system.session import Emulated, Processes, Session
from trimtab.problems.device_placement.workload.files import load
from trimtab.problems.device_placement.workload.suites import SHIPPED

BANDWIDTH = 125e6  # B/s, 1 Gbit/s
REAL = ("gpt2", "vgg", "mixer", "mixtral", "vit")  # of those whose step takes 0.1 s and more
EMULATED = ("vgg", "unet", "mixer", "bert", "mixtral")
PLANNERS = ("single", "chunks", "contiguous", "heft", "metis")
MOVED = (0.05, 0.1, 0.2, 0.4)
OP_S = 0.010  # of an emulated op, on average
DEVICES = 4
TARGETS = {"real": 0.08, "emulated": 0.03}


def placements(instance: PlacementInstance, seed: int, planners: Sequence[str]) -> Iterator[tuple[str, Placement]]:
    rng = np.random.default_rng(seed)
    made = {name: PROBLEM.solver(name).solve(Task(instance, Simulator(), Budget(0), seed)) for name in planners}
    yield from made.items()
    unit, first = units(instance.graph)
    bases = [name for name in planners if name != "single"]
    for i, share in enumerate(MOVED):
        device = made[bases[i % len(bases)]].device[first].copy()
        moved = rng.random(len(device)) < share
        device[moved] = rng.integers(0, instance.topology.num_devices, int(moved.sum()))
        yield f"{bases[i % len(bases)]}, {share:.0%} moved", Placement(device[unit])


def rows_of(
    part: str, model: str, session: Processes, instance: PlacementInstance, repeats: int
) -> Iterator[dict[str, Any]]:
    """In rounds over all placements: what disturbs the machine for a while must not disturb one of them alone."""
    tried = list(placements(instance, 0, PLANNERS))
    seconds: dict[str, list[float]] = {name: [] for name, _ in tried}
    if isinstance(session, Session):
        session.step(tried[0][1].device)  # warms up
    for _ in range(repeats):
        for name, placement in tried:
            seconds[name].append(session.step(placement.device).step_time)
    for name, placement in tried:
        predicted = Simulator().evaluate(instance, placement, seed=0).metrics["step_time"]
        measured = float(np.median(seconds[name]))
        figures = f"{predicted:9.4f} s {measured:9.4f} s {predicted / measured - 1:+8.2%}"
        print(f"{part:9s}{model:12s}{name:24s}{figures}", flush=True)
        yield {"part": part, "model": model, "placement": name, "predicted": predicted, "seconds": seconds[name]}


def real(models: Sequence[str], repeats: int) -> Iterator[dict[str, Any]]:
    with Session(2, BANDWIDTH) as session:
        links = calibrate(session)
        rates = " and ".join(f"{1e-6 / links.beta_s_per_B[way]:.1f}" for way in ((0, 1), (1, 0)))
        print(
            f"wire: alpha {links.alpha_s.max() * 1e6:.0f} us, {rates} MB/s, fit within {links.error:.1%}; "
            f"{links.gap_s * 1e6:.1f} us between ops; CPU of a transfer {links.cpu_s * 1e6:.0f} us + "
            f"{links.cpu_s_per_B * 1e9:.2f} ns/B"
        )
        for model in models:
            runnable = shipped(f"{model}-training")
            graph = load(SHIPPED / f"{model}-training.npz")[0]
            if tuple(runnable.program.nodes[op].name for op in runnable.program.ops) != graph.op_name:
                raise SystemExit(f"{model}: this PyTorch traces other ops than those of the shipped graph")
            session.load(runnable, graph)
            profiles = session.profile(repeats, together=True)
            seconds = np.mean([profile.seconds for profile in profiles], axis=0)
            graph = dataclasses.replace(graph, compute_s=seconds.reshape(-1, 1))
            topology = DeviceTopology(
                "wire", ("a", "b"), ("core",) * 2, np.full(2, np.inf), links.alpha_s, links.beta_s_per_B,
                np.full(2, links.gap_s),
            )  # fmt: skip
            yield from rows_of("real", model, session, PlacementInstance(graph, topology), repeats)


def emulated(models: Sequence[str], repeats: int) -> Iterator[dict[str, Any]]:
    with Emulated(DEVICES) as session:
        for model in models:
            graph = load(SHIPPED / f"{model}-inference.npz")[0]
            stretch = OP_S / graph.compute_s.mean()
            graph = dataclasses.replace(graph, compute_s=graph.compute_s * stretch)
            topology = homogeneous("wires", DEVICES, kind="core", bandwidth=BANDWIDTH, latency_s=1e-4)
            instance = PlacementInstance(graph, topology)
            session.load(instance)
            yield from rows_of("emulated", model, session, instance, repeats)


def report(rows: Sequence[dict[str, Any]]) -> bool:
    from scipy.stats import kendalltau

    fine = True
    for part, limit in TARGETS.items():
        mine = [row for row in rows if row["part"] == part]
        if not mine:
            continue
        predicted = np.array([row["predicted"] for row in mine])
        measured = np.array([np.median(row["seconds"]) for row in mine])
        models = np.array([row["model"] for row in mine])
        taus, regrets = [], []
        for model in dict.fromkeys(models):
            of = models == model
            taus.append(float(kendalltau(predicted[of], measured[of]).statistic))
            regrets.append(float(measured[of][predicted[of].argmin()] / measured[of].min()))
        error = np.abs(predicted / measured - 1)
        mape, count = float(error.mean()), len(mine)
        checks = [
            (f"placements of {len(taus)} models", f"{count}", ">= 40 of >= 4", count >= 40 and len(taus) >= 4),
            ("MAPE", f"{mape:.2%} (worst {error.max():.1%})", f"<= {limit:.0%}", mape <= limit),
            ("Kendall tau, mean over models", f"{np.mean(taus):.3f} (worst {min(taus):.3f})", ">= 0.9",
             float(np.mean(taus)) >= 0.9),
            ("chosen / measured best, worst model", f"{max(regrets):.3f}", "<= 1.03", max(regrets) <= 1.03),
        ]  # fmt: skip
        for what, figure, target, good in checks:
            print(f"{part:9s}{what:38s}{figure:26s}target {target:16s}{'ok' if good else 'MISSED'}")
            fine &= good
    return fine


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--part", choices=["real", "emulated"])
    parser.add_argument("--models", help="with commas between them")
    parser.add_argument("--rows", type=Path, help="keep rows here, and skip models that have theirs in it")
    parser.add_argument("--only-report", action="store_true")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="two models, and no verdict")
    args = parser.parse_args()
    store = args.rows or Path(tempfile.mkdtemp()) / "rows.jsonl"
    kept = [json.loads(line) for line in store.read_text().splitlines()] if store.exists() else []
    for part, run, known in (("real", real, REAL), ("emulated", emulated, EMULATED)):
        if args.only_report or args.part not in (None, part):
            continue
        wanted = args.models.split(",") if args.models else known[-1:] if args.quick else known
        names = [row["model"] for row in kept if row["part"] == part]
        done = {model for model in names if names.count(model) == len(PLANNERS) + len(MOVED)}
        kept = [row for row in kept if row["part"] != part or row["model"] in done]
        missing = [model for model in wanted if model not in done]
        store.parent.mkdir(parents=True, exist_ok=True)
        for row in run(missing, args.repeats) if missing else ():
            kept.append(row)
            with store.open("a") as file:
                file.write(json.dumps(row) + "\n")
    fine = report(kept)
    return 0 if fine or args.quick or args.models else 1


if __name__ == "__main__":
    sys.exit(main())
