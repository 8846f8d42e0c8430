# SPDX-License-Identifier: Apache-2.0
"""llvm-mca itself, on blocks whose throughput its documented model of Zen 4 settles."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from trimtab.core.errors import MissingTool
from trimtab.problems.block_throughput.baselines import llvm
from trimtab.problems.block_throughput.baselines.process import Refused

needs_llvm = pytest.mark.skipif(shutil.which("llvm-mca-19") is None, reason="llvm-mca-19 is not here (Debian: llvm-19)")

ADD = bytes.fromhex("4801d8")  # add rax, rbx: a chain of 1
IMUL = bytes.fromhex("480fafc3")  # imul rax, rbx: a chain of 3
INDEPENDENT = bytes.fromhex("4889d84889d94889da4889de4889df4989d8")  # 6 moves from rbx: one cycle at 6 wide
LOCKED = bytes.fromhex("f048832801")  # lock sub qword ptr [rax], 1


@needs_llvm
def test_known_answers() -> None:
    found = llvm.analyse([ADD, IMUL, INDEPENDENT], "znver4")
    np.testing.assert_allclose(found.steady, [1, 3, 1], atol=1e-9)
    assert not found.refused
    assert (found.total > found.steady).all()  # the ramp-up
    assert (found.rthroughput <= found.steady + 1e-9).all()  # a bound without dependencies


@needs_llvm
def test_a_batch_gives_what_each_block_gives_alone() -> None:
    blocks = [ADD, LOCKED, IMUL + ADD, INDEPENDENT]
    together = llvm.analyse(blocks, "znver4")
    for at, block in enumerate(blocks):
        alone = llvm.analyse([block], "znver4")
        assert (together.steady[at], together.rthroughput[at]) == (alone.steady[0], alone.rthroughput[0])


@needs_llvm
def test_listings() -> None:
    assert llvm.disassemble([ADD, LOCKED], "znver4") == ["addq\t%rbx, %rax", "lock subq\t$1, (%rax)"]


@needs_llvm
def test_what_it_cannot_read_is_refused_with_a_reason_and_leaves_the_others_alone() -> None:
    found = llvm.analyse([ADD, ADD + b"\x06" + ADD, IMUL, b"\x48\x8b"], "znver4")  # push es; half an instruction
    assert found.refused == dict.fromkeys((1, 3), "warning: invalid instruction encoding")
    np.testing.assert_allclose(found.steady[[0, 2]], [1, 3])
    assert np.isnan(found.steady[[1, 3]]).all() and np.isnan(found.rthroughput[[1, 3]]).all()
    text = llvm.analyse_text(["addq %rbx, %rax", "frobnicate %rax", Refused("seen before")], "znver4")
    assert "invalid instruction mnemonic" in text.refused[1]
    assert text.refused[2] == "seen before"


@needs_llvm
def test_nothing_to_do() -> None:
    assert len(llvm.analyse([], "znver4").steady) == 0


def test_a_missing_tool_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MissingTool, match="apt-get install llvm-19"):
        llvm.analyse([ADD], "znver4")
