# SPDX-License-Identifier: Apache-2.0
"""Which device runs which operation of a model?"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from trimtab.core.extras import Lazy, lazy
from trimtab.core.problem import Problem, Rendering

from .problem import METRICS, Placement, PlacementInstance
from .workload import GENERATED, SUITES, instances, parse, solve_options

if TYPE_CHECKING:
    import click

    from trimtab.core.backend import Backend
    from trimtab.core.solver import Solver


def _heuristic(name: str) -> Lazy:
    return lazy(f"{__name__}.baselines:Heuristic", extra="fast", name=name)


def _search(name: str, *, warm: bool = False, **options: float) -> Lazy:
    return lazy(f"{__name__}.baselines:Search", extra="fast", name=name, warm=warm, **options)


def _render(
    instance: PlacementInstance, placement: Placement, backend: Backend[PlacementInstance, Placement], seed: int
) -> Rendering:
    from .rendering import render

    return render(instance, placement, backend, seed)


def _capture() -> click.Command:
    from .workload.capture import command

    return command


def _load(path: Path) -> Solver[PlacementInstance, Placement]:
    from .learned import load

    return load(path)


def _paper(name: str) -> Lazy:
    return lazy(f"{__name__}.learned:PolicyGradient", extra="learn", paper=name)


PROBLEM: Final = Problem(
    name="device_placement",
    question="Which device runs which operation of a model, and in which order?",
    metrics=METRICS,
    instances=instances,
    suites={**SUITES, **GENERATED},
    backends={
        "simulator": lazy(f"{__name__}.simulator:Simulator", extra="fast"),
        "processes": lazy(f"{__name__}.system.backend:RealProcesses", extra="learn"),
        "emulated": lazy(f"{__name__}.system.backend:EmulatedDevices", extra="fast"),
    },
    reference="heft",
    solvers={
        "single": _heuristic("single"),
        "chunks": _heuristic("chunks"),
        "contiguous": lazy(f"{__name__}.baselines:ContiguousSplit", extra="fast"),
        "metis": lazy(f"{__name__}.baselines:MetisCut", extra="placement"),
        "mt_kahypar": lazy(f"{__name__}.baselines:KaHyParCut", extra="placement"),
        "scotch": lazy(f"{__name__}.baselines:ScotchMap", extra="placement"),
        "heft": _heuristic("heft"),
        "critical_path": _heuristic("critical_path"),
        "cpop": _heuristic("cpop"),
        "peft": _heuristic("peft"),
        "m_etf": _heuristic("m_etf"),
        "m_sct": _heuristic("m_sct"),
        "ideals": lazy(f"{__name__}.baselines:IdealSplit", extra="fast", max_ideals=20_000),
        "cp_sat": lazy(f"{__name__}.baselines:CpSat", extra="exact"),
        "random_search": _search("random"),
        "hill_climbing": _search("walk", hot=0.0),
        "annealing": _search("walk", hot=0.01),
        "annealing_warm": _search("walk", warm=True, hot=0.003),
        "cross_entropy": _search("cross_entropy"),
        "brkga": _search("brkga"),
        "critical_annealing": lazy(f"{__name__}.learned:CriticalAnnealing", extra="fast"),
        "kept_ties": lazy(f"{__name__}.learned:KeptTies", extra="fast"),
        "tie_annealing": lazy(f"{__name__}.learned:CriticalAnnealing", extra="fast", begin="ties"),
        "imitation": lazy(f"{__name__}.learned:Imitation", extra="fast"),
        "imitation_annealing": lazy(f"{__name__}.learned:CriticalAnnealing", extra="fast", begin="network"),
        "sequence": _paper("sequence"),
        "hierarchical": _paper("hierarchical"),
        "graph_attention": _paper("graph_attention"),
    },
    learners={"imitation": lazy(f"{__name__}.learned:ImitationLearner", extra="learn")},
    load=_load,
    quick={"solvers": ("chunks", "contiguous", "heft", "peft", "m_etf", "kept_ties", "imitation")},
    parse=parse,
    solve_options=solve_options,
    render=_render,
    capture=_capture,
    card=lambda: files(__name__).joinpath("README.md").read_text(),
)
