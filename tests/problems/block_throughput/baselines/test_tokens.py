# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

pytest.importorskip("iced_x86")

from trimtab.problems.block_throughput.baselines.instructions import decode
from trimtab.problems.block_throughput.baselines.tokens import UNKNOWN, instruction_tokens, tokenise, vocabulary


def tokens(code: str) -> list[str]:
    ((one,),) = decode([bytes.fromhex(code)])
    return list(instruction_tokens(one))


def test_tokens_of_instructions() -> None:
    """As in figure 3 of the paper: opcode, sources, destinations; constants without their value."""
    assert tokens("4801d8") == ["add64", "<sources>", "rax", "rbx", "<destinations>", "rax", "<end>"]
    assert tokens("4883c010") == ["add64", "<sources>", "rax", "<constant>", "<destinations>", "rax", "<end>"]
    assert tokens("488b448b08") == (
        ["mov64", "<sources>", "<memory>", "rbx", "rcx", "<constant>", "</memory>", "<destinations>", "rax", "<end>"]
    )
    assert tokens("48891b") == ["mov64", "<sources>", "rbx", "<destinations>", "<memory>", "rbx", "</memory>", "<end>"]


def test_equal_instructions_are_told_apart_from_others_only() -> None:
    blocks = decode([bytes.fromhex("4801d84883c0104801d8"), bytes.fromhex("4883c020")])
    words = vocabulary(((token for one in block for token in instruction_tokens(one)) for block in blocks), 1)
    found = tokenise(blocks, words)
    assert len(found.instructions) == 2  # rax + 16 and rax + 32 read the same
    assert found.blocks.values.tolist() == [0, 1, 0, 1]
    names = list(words)
    flat = found.flat()
    assert [names[at] for at in flat.values[: flat.start[1]]] == [
        token for one in blocks[0] for token in instruction_tokens(one)
    ]


def test_a_vocabulary_has_the_frequent_words_first_and_zero_for_the_others() -> None:
    words = vocabulary([["a", "b"], ["b", "c", "b"], ["a"]], least=2)
    assert words == {UNKNOWN: 0, "b": 1, "a": 2}
    blocks = decode([bytes.fromhex("4801d8")])
    assert set(tokenise(blocks, words).instructions.values.tolist()) == {0}
