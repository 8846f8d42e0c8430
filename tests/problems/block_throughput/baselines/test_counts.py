# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

pytest.importorskip("iced_x86")

from trimtab.problems.block_throughput.baselines.counts import SIMPLE, chain_growth, opcode_counts, simple_features
from trimtab.problems.block_throughput.baselines.instructions import decode


@pytest.mark.parametrize(
    ("code", "growth"),
    [
        ("4801d8", 1),  # add rax, rbx
        ("4801d84801d84801d8", 3),
        ("4801d84801d9", 1),  # two chains beside each other
        ("488b00", 4),  # mov rax, [rax]: the address is what was loaded
        ("488b03", 0),  # mov rax, [rbx]
        ("31c04801d8", 0),  # xor eax, eax breaks the chain
        ("11c811c8", 2),  # adc: also through the flags
        ("55", 1),  # push rbp: the stack pointer
    ],
)
def test_the_chain_that_a_further_iteration_adds_to(code: str, growth: int) -> None:
    assert chain_growth(decode([bytes.fromhex(code)])[0])[0] == growth


def test_counts_and_sizes() -> None:
    code = [bytes.fromhex(text) for text in ("4801d84801d848890348 8b0b53".replace(" ", ""), "90")]
    blocks = decode(code)
    counts = opcode_counts(blocks, {"<unknown>": 0, "add64": 1, "mov64": 2}).toarray()
    assert counts.tolist() == [[1, 2, 2], [1, 0, 0]]
    table = simple_features(blocks, [len(one) for one in code])
    row = dict(zip(SIMPLE, table[0], strict=True))
    assert (row["instructions"], row["bytes"], row["loads"], row["stores"]) == (5, 13, 1, 2)
    assert (row["reloaded"], row["load_and_store"], row["stack"], row["vector"]) == (1, 1, 1, 0)
    assert simple_features([], []).shape == (0, len(SIMPLE))
