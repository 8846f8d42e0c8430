# SPDX-License-Identifier: Apache-2.0
"""How many cycles does this block of machine code take?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from trimtab.core.extras import Lazy, lazy
from trimtab.core.problem import Problem

from .problem import METRICS, BlockSet
from .workload import SUITES, instances

if TYPE_CHECKING:
    import click


def _mca(output: str) -> Lazy:
    return lazy(f"{__name__}.baselines.mca:LlvmMca", extra="throughput", output=output)


def _costs(rule: str) -> Lazy:
    return lazy(f"{__name__}.baselines.opcodes:shipped", extra="throughput", rule=rule)


def _network(kind: str) -> Lazy:
    return lazy(f"{__name__}.learned.networks:shipped", extra="throughput", kind=kind)


def _parse(paths: Sequence[Path], function: str = "") -> Mapping[str, BlockSet]:
    from .workload.parse import parse

    return parse(paths, function)


def _capture() -> click.Command:
    from .workload.capture import command

    return command


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
        "mean_opcode": lazy(f"{__name__}.baselines.opcodes:OpcodeCostsLearner", extra="throughput", rule="mean_opcode"),
        "linear": lazy(f"{__name__}.baselines.opcodes:OpcodeCostsLearner", extra="throughput", rule="linear"),
        "boosted_counts": lazy(f"{__name__}.baselines.boosted:BoostedCountsLearner", extra="throughput"),
        "boosted_mca": lazy(
            f"{__name__}.baselines.boosted:BoostedCountsLearner", extra="throughput", name="boosted_mca"
        ),
        "ithemal": lazy(f"{__name__}.learned.networks:NetworkLearner", extra="learn", kind="ithemal"),
        "granite": lazy(f"{__name__}.learned.networks:NetworkLearner", extra="learn", kind="granite"),
    },
    parse=_parse,
    capture=_capture,
    card=lambda: files(__name__).joinpath("README.md").read_text(),
)
