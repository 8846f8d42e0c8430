# SPDX-License-Identifier: Apache-2.0
"""How many cycles does this block of machine code take?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from trimtab.core.errors import DataError
from trimtab.core.extras import Lazy, lazy
from trimtab.core.problem import Problem, Rendering

from .problem import METRICS, BlockSet, Notion, Prediction
from .workload import SUITES, instances

if TYPE_CHECKING:
    import click
    import numpy as np
    from numpy.typing import NDArray

    from trimtab.core.backend import Backend
    from trimtab.core.solver import Solver


def _mca(output: str) -> Lazy:
    return lazy(f"{__name__}.baselines.mca:LlvmMca", extra="throughput", output=output)


def _costs(rule: str) -> Lazy:
    return lazy(f"{__name__}.baselines.opcodes:shipped", extra="throughput", rule=rule)


def _network(kind: str) -> Lazy:
    return lazy(f"{__name__}.learned.networks:shipped", extra="throughput", kind=kind)


def _capture() -> click.Command:
    from .workload.capture import command

    return command


def predict(blocks: Sequence[bytes], *, cpu: str = "", notion: Notion = "U") -> NDArray[np.float64]:
    """Cycles per iteration of blocks of x86-64 machine code, fast: for compilers and tuners.  (blocks,)

    NaN for what is no straight-line code. `cpu` is a name like "AuthenticAMD-25-17",
    by default this machine's. Raises `Unavailable` for a CPU that the shipped weights
    do not know.
    """
    from .learned import shipped

    return shipped().predict(blocks, cpu, notion).cycles


def _parse(paths: Sequence[Path]) -> Mapping[str, BlockSet]:
    from .workload.inputs import parse

    return parse(paths)


def _render(instance: BlockSet, decision: Prediction, backend: Backend[BlockSet, Prediction], seed: int) -> Rendering:
    from .listing import render

    return render(instance, decision, backend, seed)


def _load(path: Path) -> Solver[BlockSet, Prediction]:
    """Any of the trained solvers: a file names the one that it is of."""
    from trimtab.kit.weights import read_card

    from .baselines.boosted import BoostedCounts
    from .baselines.opcodes import OpcodeCosts
    from .learned import Calibrated
    from .learned.networks import Network

    name = read_card(path).get("solver")
    if name == "calibrated":
        return Calibrated.load(path)
    for kind in (OpcodeCosts, BoostedCounts, Network):
        if name in kind.kinds():
            return kind.load(path)
    raise DataError(f"weights file {path}: of the solver {name!r}, which block_throughput has not")


PROBLEM: Final = Problem(
    name="block_throughput",
    question="How many cycles does this block of machine code take?",
    metrics=METRICS,
    instances=instances,
    suites=SUITES,
    backends={
        "labels": lazy(f"{__name__}.backend:Labels", extra="throughput"),
        "system": lazy(f"{__name__}.system:System", extra="throughput"),
    },
    reference="llvm_mca",
    solvers={
        "calibrated": lazy(f"{__name__}.learned:shipped", extra="throughput"),
        "skeleton": lazy(f"{__name__}.learned:shipped", extra="throughput", correct=False),
        "trivial_bound": lazy(f"{__name__}.baselines.bound:TrivialBound", extra="throughput"),
        "llvm_mca": _mca("steady"),
        "llvm_mca_rthroughput": _mca("rthroughput"),
        "osaca": lazy(f"{__name__}.baselines.osaca:Osaca", extra="osaca"),
        "mean_opcode": _costs("mean_opcode"),
        "linear": _costs("linear"),
        "boosted_counts": lazy(f"{__name__}.baselines.boosted:shipped", extra="throughput", name="boosted_counts"),
        "boosted_mca": lazy(f"{__name__}.baselines.boosted:shipped", extra="throughput", name="boosted_mca"),
        "ithemal": _network("ithemal"),
        "granite": _network("granite"),
    },
    learners={
        "calibrated": lazy(f"{__name__}.learned:CalibratedLearner", extra="throughput"),
        "mean_opcode": lazy(f"{__name__}.baselines.opcodes:OpcodeCostsLearner", extra="throughput", rule="mean_opcode"),
        "linear": lazy(f"{__name__}.baselines.opcodes:OpcodeCostsLearner", extra="throughput", rule="linear"),
        "boosted_counts": lazy(f"{__name__}.baselines.boosted:BoostedCountsLearner", extra="throughput"),
        "boosted_mca": lazy(
            f"{__name__}.baselines.boosted:BoostedCountsLearner", extra="throughput", name="boosted_mca"
        ),
        "ithemal": lazy(f"{__name__}.learned.networks:NetworkLearner", extra="learn", kind="ithemal"),
        "granite": lazy(f"{__name__}.learned.networks:NetworkLearner", extra="learn", kind="granite"),
    },
    quick={"solvers": ("calibrated", "skeleton", "trivial_bound", "llvm_mca", "linear", "boosted_counts")},
    parse=_parse,
    render=_render,
    load=_load,
    capture=_capture,
    card=lambda: files(__name__).joinpath("README.md").read_text(),
)
