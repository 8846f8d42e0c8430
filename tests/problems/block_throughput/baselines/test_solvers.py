# SPDX-License-Identifier: Apache-2.0
"""The tools as solvers: which CPU they answer for, and what happens to a block that they refuse."""

from __future__ import annotations

import logging
import shutil

import numpy as np
import pytest

pytest.importorskip("iced_x86")

from trimtab.core.errors import Unavailable
from trimtab.problems.block_throughput.baselines.bound import TrivialBound
from trimtab.problems.block_throughput.baselines.mca import LlvmMca
from trimtab.problems.block_throughput.baselines.osaca import Osaca
from trimtab.problems.block_throughput.problem import BlockSet

from .made import task_of

ZEN4 = "AuthenticAMD-25-17"
ADD, IMUL, HALF = bytes.fromhex("4801d8"), bytes.fromhex("480fafc3"), b"\x48\x8b"
SIX_LOADS = bytes.fromhex("".join(f"488b43{8 * k:02x}" for k in range(6)))  # mov rax, [rbx + 8 k]
FOUR_STORES = bytes.fromhex("".join(f"488943{8 * k:02x}" for k in range(4)))
needs_llvm = pytest.mark.skipif(shutil.which("llvm-mca-19") is None, reason="llvm-mca-19 is not here (Debian: llvm-19)")


@pytest.mark.parametrize(
    ("cpu", "expected"),
    [
        (ZEN4, [1 / 6, 1 / 6, 2, 2]),
        ("GenuineIntel-6-60", [1 / 4, 1 / 4, 3, 4]),
        ("AuthenticAMD-26-2", [1 / 8, 1 / 8, 1.5, 2]),
    ],
)
def test_the_trivial_bound_by_hand(cpu: str, expected: list[float]) -> None:
    """Zen 4: 6 instructions, 3 loads, 2 stores a cycle; Haswell: 4, 2, 1; Zen 5: 8, 4, 2."""
    found = TrivialBound().solve(task_of(BlockSet((ADD, IMUL, SIX_LOADS, FOUR_STORES), cpu=cpu)))
    np.testing.assert_allclose(found.cycles, expected)


@needs_llvm
def test_llvm_mca_has_no_answer_where_it_refuses_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    blocks = BlockSet((ADD, HALF, IMUL, SIX_LOADS), cpu=ZEN4)
    with caplog.at_level(logging.WARNING, "trimtab"):
        steady = LlvmMca().solve(task_of(blocks)).cycles
    assert "no answer for 1 of 4 blocks: warning: invalid instruction encoding" in caplog.text
    np.testing.assert_allclose(steady, [1, np.nan, 3, 2], atol=0.02)
    bound = LlvmMca("rthroughput").solve(task_of(blocks)).cycles
    assert np.isnan(bound[1]) and bound[0] < 1 and bound[3] == pytest.approx(2)


@pytest.mark.parametrize("solver", [TrivialBound(), LlvmMca(), Osaca()])
def test_an_unknown_cpu_is_unavailable(solver: TrivialBound | LlvmMca | Osaca) -> None:
    with pytest.raises(Unavailable, match="nothing is documented"):
        solver.solve(task_of(BlockSet((ADD,), cpu="Maker-1-1")))


def test_osaca_declines_many_blocks() -> None:
    with pytest.raises(Unavailable, match=r"block_throughput_mca\.py --osaca"):
        Osaca(most=2).solve(task_of(BlockSet((ADD, IMUL, ADD), cpu=ZEN4)))


@needs_llvm
def test_osaca_answers_few(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("osaca")
    with caplog.at_level(logging.INFO, "trimtab"):
        found = Osaca().solve(task_of(BlockSet((ADD, HALF), cpu=ZEN4))).cycles
    assert found[0] == pytest.approx(1) and np.isnan(found[1])
    assert "osaca: no answer for 1 of 2 blocks" in caplog.text
