# SPDX-License-Identifier: Apache-2.0
"""Made-up studies with the shapes of real ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from trimtab.core.outcome import Run, Status, Track
from trimtab.core.problem import Metric
from trimtab.core.task import Budget
from trimtab.study.results import Results

SYSTEM = {
    "cpu": "AMD EPYC 7763",
    "cores": 2,
    "memory_gib": 15.6,
    "os": "Linux 6.1, Debian 12",
    "load": [0.42, 0.51, 0.60],
    "python": "3.11.7",
    "packages": {"trimtab": "0.1.0", "numpy": "2.4.1", "numba": "0.68.0"},
    "git": "1f0c2ab",
    "started": "2026-01-05T09:12:44Z",
    "command": "trimtab run cluster_scheduling --suite tpch-20x50 --seeds 3 -j 2",
}
METRICS = (
    Metric("average_jct", "s"),
    Metric("p95_jct", "s"),
    Metric("makespan", "s"),
    Metric("utilisation", "1", "maximize"),
)
EFFECTS = {
    "fifo": 1.9, "sjf-cp": 1.42, "fair": 1.21, "fair-release": 1.17, "weighted-fair": 1.0, "tetris": 1.33, "graphene": 1.11,
    "critical-path": 1.24, "srpt": 1.02, "srpt-sqrt": 0.868, "srpt-linear": 0.905, "decima": 0.93, "decima-public": 1.08,
    "trimtab-policy": 0.831,
}  # fmt: skip
LEARNED = ("decima", "trimtab-policy")


def run(problem: str, instance: str, solver: str, seed: int, metrics: dict[str, float], **more: object) -> Run:
    fixed = {
        "problem": problem,
        "version": "1",
        "backend": "simulator",
        "split": "test",
        "track": "policy",
        "status": "ok",
    }
    return Run(
        key=f"{instance}/{solver}/{seed}",
        instance=instance,
        solver=solver,
        seed=seed,
        metrics=metrics,
        **{**fixed, **more},
    )  # type: ignore[arg-type]


def results(runs: Sequence[Run], **more: object) -> Results:
    fixed = {
        "problem": "cluster_scheduling",
        "question": "Which stage runs next, and on how many executors?",
        "version": "1",
        "backend": "simulator",
        "split": "test",
        "suite": "",
        "metrics": METRICS,
        "reference": "weighted-fair",
        "budget": Budget(),
        "seeds": tuple(sorted({run.seed for run in runs})),
        "system": SYSTEM,
    }
    return Results(runs=tuple(runs), **{**fixed, **more})  # type: ignore[arg-type]


def scheduling(
    instances: int = 60, seeds: int = 3, effects: dict[str, float] | None = None, noise: float = 0.06
) -> Results:
    """Policies on lognormal instances, seed noise on top; `effects` are true ratios to 1."""
    rng = np.random.default_rng(1)
    runs = []
    for k in range(instances):
        base = float(rng.lognormal(4.4, 0.5))
        for solver, effect in (effects or EFFECTS).items():
            own = effect * float(rng.lognormal(0, noise))
            for seed in range(seeds):
                jct = base * own * float(rng.lognormal(0, 0.03))
                values = {
                    "average_jct": jct,
                    "p95_jct": 2.7 * jct * float(rng.lognormal(0, 0.1)),
                    "makespan": base * 6 * own**0.2,
                }
                values["utilisation"] = 0.7 / own**0.15
                fit_s = 1430.0 if solver == "trimtab-policy" else 1702.0 if solver == "decima" else 0.0
                spent = {
                    "fit_s": fit_s,
                    "solve_s": 1e-5 * (30 if fit_s else 1),
                    "evaluate_s": 0.011,
                    "cpu_s": 0.02 * (3 if fit_s else 1),
                }
                runs.append(run("cluster_scheduling", f"tpch-b20-{k:03d}", solver, seed, values, **spent))
    return results(runs, suite="tpch-20x50")


def search(instances: int = 12, seeds: int = 3, evaluations: int = 200) -> Results:
    """Searches with anytime curves, beside policies that try nothing."""
    rng = np.random.default_rng(2)
    runs = []
    metric = (Metric("run_time", "s"),)
    for k in range(instances):
        base = float(rng.lognormal(1, 0.7))
        for solver, track, effect in (("default", "policy", 1.0), ("rules", "policy", 0.86), ("random", "search", 0.8),
                                      ("bayesian", "search", 0.7), ("annealing", "search", 0.78), ("genetic", "search", 0.75)):  # fmt: skip
            for seed in range(seeds):
                end = base * effect * float(rng.lognormal(0, 0.04))
                curve = _curve(rng, end, base, evaluations) if track == "search" else ()
                spent = len(curve) and evaluations
                runs.append(run("runtime_tuning", f"program-{k:02d}", solver, seed, {"run_time": end}, track=track, anytime=curve,
                                evaluations=spent, solve_s=0.4 * spent + 0.001, cpu_s=0.4 * spent, budget_evaluations=200.0))  # fmt: skip
    more = {"metrics": metric, "reference": "default", "budget": Budget(evaluations=evaluations)}
    return replace(
        results(runs, **more), problem="runtime_tuning", question="Which flags make this program run fastest?"
    )


def _curve(rng: np.random.Generator, end: float, start: float, evaluations: int) -> tuple[tuple[int, float], ...]:
    at = np.unique(np.geomspace(1, evaluations, 14).astype(int))
    gain = np.sort(rng.random(len(at)))[::-1] * (start - end) if start > end else np.zeros(len(at))
    return tuple((int(e), float(end + g)) for e, g in zip(at, gain, strict=True))


def troubled() -> Results:
    """Failures, missing values and solvers that are not installed."""
    sound = scheduling(8, 2, {"weighted-fair": 1.0, "srpt": 1.01, "brittle": 0.9, "broken": 1.0})
    notes: dict[str, tuple[Status, str]] = {
        "brittle": ("timeout", "no decision within 60 s"),
        "broken": ("failed", "ZeroDivisionError: float division by zero"),
    }
    runs = [
        replace(r, status=notes[r.solver][0], note=notes[r.solver][1], metrics={})
        if r.solver == "broken" or (r.solver == "brittle" and r.instance.endswith(("1", "4")))
        else r
        for r in sound.runs
    ]
    return replace(
        sound,
        runs=tuple(runs),
        unavailable={"decima": "the solver 'decima' needs torch.  pip install 'trimtab[learn]'"},
    )


HOSTILE = (
    "</script><img src=x onerror=alert(1)>",
    "$x_1$ ${{}}",
    "=cmd|' /C calc'!A0",
    "a\u202eb\x00c\ud800 \ufffe",
    "\"'><svg onload=alert(2)>&amp;",
    "]]>-->" + "long" * 80,
)


def hostile() -> Results:
    """Names and notes that want to be more than text."""
    plain = scheduling(6, 2, {f"{k}{name}" if k == 3 else name: 1 - 0.02 * k for k, name in enumerate(HOSTILE)})
    bad = HOSTILE[0]
    runs = [replace(r, instance=f"{bad}{r.instance}") for r in plain.runs]
    runs += [replace(r, seed=9, status="failed", metrics={}, note="<b>boom</b> " + bad) for r in runs[:1]]
    metrics = (Metric("average_jct", "<i>s</i>"), *METRICS[1:])
    return replace(plain, runs=tuple(runs), problem=bad, question=bad, suite=bad, split=bad, backend=bad, metrics=metrics,
                   reference=HOSTILE[1], unavailable={bad: bad}, system={bad: bad, "packages": {bad: bad}})  # fmt: skip


def values(
    table: dict[str, Sequence[float]], goal: str = "minimize", track: Track = "policy", **more: object
) -> Results:
    """One metric; the value of each solver on each instance, as given. NaN: the cell failed."""
    runs = [
        run(
            "toy",
            f"i{k}",
            solver,
            0,
            {} if math.isnan(v) else {"cost": v},
            track=track,
            status="failed" if math.isnan(v) else "ok",
        )
        for solver, column in table.items()
        for k, v in enumerate(column)
    ]
    metric = Metric("cost", "s", goal)  # type: ignore[arg-type]
    return results(runs, **{"problem": "toy", "metrics": (metric,), "reference": next(iter(table)), **more})
