# SPDX-License-Identifier: Apache-2.0
"""The simulator with the parameters that learning starts from, against what is known of Zen 4."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.errors import DataError
from trimtab.problems.block_throughput.decode import decode
from trimtab.problems.block_throughput.learned.fitting import start_machine
from trimtab.problems.block_throughput.simulator import columns as P
from trimtab.problems.block_throughput.simulator.many import run_many
from trimtab.problems.block_throughput.simulator.prior import prior
from trimtab.problems.block_throughput.workload.suites import SHIPPED, shipped

PRIOR = prior()


def simulate(blocks: list[bytes], budget: int = 480) -> np.ndarray:
    code, out = decode(blocks), np.zeros((len(blocks), P.RUN))
    run_many(
        np.arange(len(blocks)), code.row, code.disp, code.imm, code.size, code.first, code.records,
        PRIOR, start_machine(), budget, out,
    )  # fmt: skip
    return out


#: Measured on Zen 4 (data set zen4-throughput, and ../research: the harness's known answers).
KNOWN = {
    "add rax, rcx": ("4801c8", 1.0),
    "imul rax, rcx": ("480fafc1", 3.0),
    "mov rax, [rax]: load to use": ("488b00", 4.0),
    "addsd xmm0, xmm1": ("f20f58c1", 3.0),
    "mov rax, rcx: eliminated, six a cycle": ("4889c8", 1 / 6),
    "nop: two are one": ("90", 1 / 12),
    "xor eax, eax": ("31c0", 1 / 6),
    "mov [r14], r15: two stores a cycle": ("4d893e", 0.5),
    "inc qword ptr [rcx]: renamed": ("48ff01", 1.0),
    "inc qword ptr [rdi]; mov rdi, r14: forwarded": ("48ff074c89f7", 7.0),
    "mov [rbx+16], 0; mov [rbx+80], 0: a commit each": ("48c743100000000048c7435000000000", 2.0),
    "mov [rsp+8], rsi; mov [rsp], rdi: one commit": ("48897424084889 3c24".replace(" ", ""), 1.0),
    "add rsp, 56; xor eax, eax; pop rbx; pop rbp: the stack engine's sum": ("4883c43831c05b5d", 2.0),
    "cmp and cmov: a chain through the old value": ("4885ff480f44eb", 1.0),
    "pushes: two a cycle": ("5053", 1.0),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_answers(name: str) -> None:
    code, cycles = KNOWN[name]
    assert simulate([bytes.fromhex(code)])[0, P.CYCLES] == pytest.approx(cycles, rel=0.03)


def test_nothing_is_faster_than_its_front_end_or_its_busiest_port() -> None:
    told = simulate(list(shipped(SHIPPED[0]).blocks[:400]))
    ports = told[:, P.USE : P.USE + P.PORTS_].max(1)
    # a window of whole cycles at the end of a run may be off by one
    assert (told[:, P.CYCLES] >= np.maximum(told[:, P.FRONT], ports) * 0.9 - 0.3).all()


def test_better_than_a_guess_before_anything_is_learned() -> None:
    labelled = shipped(SHIPPED[0])
    error = np.abs(simulate(list(labelled.blocks[:1500]), 240)[:, P.CYCLES] / labelled.cycles[:1500] - 1)
    assert np.median(error) < 0.03 and error.mean() < 0.2


@given(st.lists(st.sampled_from(["4801c8", "488b00", "50", "58", "480fafc1", "48ff01", "f20f58c1", "90"]), min_size=1))
def test_more_instructions_never_take_less_than_their_dispatch(parts: list[str]) -> None:
    told = simulate([bytes.fromhex("".join(parts))], 240)[0]
    assert np.isfinite(told).all()
    assert told[P.CYCLES] >= 0.5 * told[P.FRONT]


def test_parameters_with_which_nothing_would_end_are_refused() -> None:
    machine = start_machine()
    P.check(PRIOR.astype(np.int64), machine)
    machine[P.STORE_PORTS] = 0
    with pytest.raises(DataError, match="machine"):
        P.check(PRIOR.astype(np.int64), machine)
    broken = PRIOR[:1].astype(np.int64)
    broken[0, P.HOLD] = 10_000
    with pytest.raises(DataError, match="form"):
        P.check(broken, start_machine())
