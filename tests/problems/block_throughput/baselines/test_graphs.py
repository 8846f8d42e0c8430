# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("iced_x86")

from trimtab.problems.block_throughput.baselines.graphs import KINDS, graphs, words
from trimtab.problems.block_throughput.baselines.instructions import decode

ADD, IMUL = "4801d8", "480fafc3"  # add rax, rbx; imul rax, rbx
STORE, LOAD, ELSEWHERE = "488903", "488b0b", "488b4b08"  # mov [rbx], rax; mov rcx, [rbx]; mov rcx, [rbx+8]


def edges(code: str) -> set[tuple[str, str, str]]:
    """(source word, kind, target word), nodes named by word and their number among those of the same word."""
    blocks = decode([bytes.fromhex(code)])
    named: list[str] = []
    for word in words(blocks[0]):
        named.append(f"{word}.{sum(name.startswith(word + '.') for name in named)}")
    drawn = graphs(blocks, {})
    return {
        (named[a], KINDS[kind], named[b])
        for a, b, kind in zip(drawn.source.values, drawn.target.values, drawn.kind.values, strict=True)
    }


def test_a_chain_through_a_register_and_back_to_the_next_iteration() -> None:
    found = edges(ADD + IMUL)
    assert {("add64.0", "next", "imul64.0"), ("rax.0", "input", "add64.0"), ("add64.0", "output", "rax.1")} <= found
    assert {("rax.1", "input", "imul64.0"), ("imul64.0", "output", "rax.2"), ("rax.2", "carried", "rax.0")} <= found
    assert {edge for edge in found if "rbx.0" in edge} == {
        ("rbx.0", "input", "add64.0"),
        ("rbx.0", "input", "imul64.0"),
    }


def test_a_load_reads_what_a_store_to_the_same_address_wrote() -> None:
    forwarded, apart = edges(STORE + LOAD), edges(STORE + ELSEWHERE)
    assert {("mov64.0", "output", "<memory>.0"), ("<memory>.0", "input", "mov64.1")} <= forwarded
    assert ("mov64.0", "output", "<memory>.0") in apart and ("<memory>.1", "input", "mov64.1") in apart
    assert ("<constant>.0", "constant", "<address>.1") in apart


def test_an_address_that_changed_is_another_one() -> None:
    moved = edges(STORE + "4883c308" + LOAD)  # add rbx, 8 in between
    assert ("<memory>.1", "input", "mov64.1") in moved
    assert ("rbx.1", "base", "<address>.1") in moved


def test_joined_is_the_disjoint_union_with_every_edge_both_ways() -> None:
    blocks = decode([bytes.fromhex(code) for code in (ADD, STORE + LOAD, IMUL)])
    drawn = graphs(blocks, {"add64": 1, "imul64": 2, "mov64": 3, "rax": 4})
    named, decoded, block, both, kinds = drawn.take(np.array([2, 0])).joined()
    assert named[decoded].tolist() == [2, 1] and block.tolist() == [0, 1]
    half = both.shape[1] // 2
    np.testing.assert_array_equal(both[:, :half], both[::-1, half:])
    np.testing.assert_array_equal(kinds[:half] + len(KINDS), kinds[half:])
    sizes = drawn.nodes.lengths[[2, 0]]
    owner = np.repeat([0, 1], sizes)
    assert (owner[both[0]] == owner[both[1]]).all()
