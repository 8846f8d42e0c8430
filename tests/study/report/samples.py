# SPDX-License-Identifier: Apache-2.0
"""Made-up studies with the shapes of real ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from trimtab.core.outcome import Run, Status
from trimtab.core.problem import Metric
from trimtab.core.task import Budget
from trimtab.study.results import Results

SYSTEM = {
    "cpu": "AMD EPYC 7763",
    "cores": 2,
    "memory": 16 * 2**30,
    "load": 0.42,
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
    "fifo": 1.9,
    "sjf-cp": 1.42,
    "fair": 1.21,
    "fair-release": 1.17,
    "weighted-fair": 1.0,
    "tetris": 1.33,
    "graphene": 1.11,
    "critical-path": 1.24,
    "srpt": 1.02,
    "srpt-sqrt": 0.868,
    "srpt-linear": 0.905,
    "decima": 0.93,
    "decima-public": 1.08,
    "trimtab-policy": 0.831,
}
TRAINING_S = {"decima": 1702.0, "trimtab-policy": 1430.0}
SEARCHES = {"random": 0.8, "bayesian": 0.7, "annealing": 0.78, "genetic": 0.75}
CELL: dict[str, Any] = {"version": "1", "backend": "simulator", "split": "test", "track": "policy", "status": "ok"}


def run(instance: str, solver: str, seed: int, metrics: Mapping[str, float], **more: Any) -> Run:
    key = f"{instance}/{solver}/{seed}"
    fixed = {**CELL, "problem": "toy", **more}
    return Run(key=key, instance=instance, solver=solver, seed=seed, metrics=dict(metrics), **fixed)


def results(runs: Sequence[Run], **more: Any) -> Results:
    fixed: dict[str, Any] = {
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
    return Results(runs=tuple(runs), **{**fixed, **more})


def values(table: Mapping[str, Sequence[float]], goal: str = "minimize", *, fit_s: float = 0.0, **more: Any) -> Results:
    """One metric, the first solver is the reference; NaN: the cell failed. Solvers named ``learned…`` cost `fit_s`."""
    runs = []
    for solver, column in table.items():
        spent = fit_s if solver.startswith("learned") else 0.0
        for k, v in enumerate(column):
            status = "failed" if math.isnan(v) else "ok"
            runs.append(run(f"i{k}", solver, 0, {"cost": v} if v == v else {}, status=status, fit_s=spent))
    metric: Any = Metric("cost", "s", goal)  # type: ignore[arg-type]
    return results(runs, **{"problem": "toy", "metrics": (metric,), "reference": next(iter(table)), **more})


def scheduling(instances: int = 60, seeds: int = 3, effects: Mapping[str, float] = EFFECTS) -> Results:
    """Policies on lognormal instances, seed noise on top; `effects` are true ratios to 1."""
    rng = np.random.default_rng(1)
    runs = []
    for k in range(instances):
        base = float(rng.lognormal(4.4, 0.5))
        for solver, effect in effects.items():
            own = effect * float(rng.lognormal(0, 0.06))
            training = TRAINING_S.get(solver, 0.0)
            spent = {"fit_s": training, "solve_s": 3e-4 if training else 1e-5, "cpu_s": 0.06 if training else 0.02}
            for seed in range(seeds):
                jct = base * own * float(rng.lognormal(0, 0.03))
                p95 = 2.7 * jct * float(rng.lognormal(0, 0.1))
                measured = {"average_jct": jct, "p95_jct": p95, "makespan": base * 6 * own**0.2}
                measured["utilisation"] = 0.7 / own**0.15
                runs.append(run(f"tpch-b20-{k:03d}", solver, seed, measured, **spent))
    return results(runs, suite="tpch-20x50")


def search(instances: int = 12, seeds: int = 3, evaluations: int = 200) -> Results:
    """Searches with anytime curves, beside policies that try nothing."""
    rng = np.random.default_rng(2)
    runs = []
    for k in range(instances):
        base = float(rng.lognormal(1, 0.7))
        for solver, effect in {"default": 1.0, "rules": 0.86, **SEARCHES}.items():
            for seed in range(seeds):
                end = base * effect * float(rng.lognormal(0, 0.04))
                spent: dict[str, Any] = {"solve_s": 0.001}
                if solver in SEARCHES:
                    curve = _curve(rng, end, base, evaluations)
                    spent = {"track": "search", "anytime": curve, "evaluations": evaluations, "solve_s": 80.0}
                runs.append(run(f"program-{k:02d}", solver, seed, {"run_time": end}, cpu_s=spent["solve_s"], **spent))
    asked: dict[str, Any] = {"metrics": (Metric("run_time", "s"),), "reference": "default"}
    question = "Which flags make this program run fastest?"
    return results(runs, problem="runtime_tuning", question=question, budget=Budget(evaluations=evaluations), **asked)


def _curve(rng: np.random.Generator, end: float, start: float, evaluations: int) -> tuple[tuple[int, float], ...]:
    at = np.unique(np.geomspace(1, evaluations, 14).astype(int))
    gain = np.sort(rng.random(len(at)))[::-1] * max(0.0, start - end)
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
    reason = "the solver 'decima' needs torch.  pip install 'trimtab[learn]'"
    return replace(sound, runs=tuple(runs), unavailable={"decima": reason})


BAD = "</script><img src=x onerror=alert(1)>"
HOSTILE = (
    BAD,
    "$x_1$ ${{}}",
    "=cmd|' /C calc'!A0",
    "a\u202eb\x00\x1b[31mc\ud800 \ufffe",
    "\"'><svg onload=alert(2)>&amp;",
    "[bold]]]>-->" + "long" * 80,
)


def hostile() -> Results:
    """Names and notes that want to be more than text."""
    plain = scheduling(6, 2, {name: 1 - 0.02 * k for k, name in enumerate(HOSTILE[1:])})
    runs = [replace(r, instance=BAD + r.instance) for r in plain.runs]
    runs += [replace(r, seed=9, status="failed", metrics={}, note="<b>boom</b> " + BAD) for r in runs[:1]]
    bad: dict[str, Any] = dict.fromkeys(("problem", "question", "suite", "split", "backend", "version"), BAD)
    return replace(
        plain,
        **bad,
        runs=tuple(runs),
        metrics=(Metric("average_jct", "<i>s</i>"), *METRICS[1:]),
        reference=HOSTILE[1],
        unavailable={BAD: BAD},
        system={BAD: BAD, "packages": {BAD: BAD}, "command": BAD},
    )
