# SPDX-License-Identifier: Apache-2.0
"""Blocks as counts of opcodes, with a few numbers that anybody would add: sizes, memory accesses, chain lengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from .instructions import Instruction

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]

SIMPLE: Final = (
    "instructions",
    "bytes",
    "loads",
    "stores",
    "load_and_store",  # the lesser of the two
    "reloaded",  # loads of an address expression that was stored to before
    "addresses",
    "stack",
    "vector",
    "chain",  # the growth of the longest dependency chain from one iteration to the next, see `chain_growth`
    "depth",  # of one iteration alone
)
_LOAD_STEPS: Final = 4


def opcode_counts(blocks: Sequence[Sequence[Instruction]], vocabulary: Mapping[str, int]) -> csr_array:
    """How often each opcode of a vocabulary occurs; column 0 counts those that are not in it.  (blocks, words)"""
    from scipy.sparse import csr_array

    start = np.concatenate(([0], np.cumsum([len(block) for block in blocks], dtype=np.int64)))
    columns = np.array([vocabulary.get(one.opcode, 0) for block in blocks for one in block], np.int64)
    counts = csr_array((np.ones(len(columns)), columns, start), shape=(len(blocks), len(vocabulary)))
    counts.sum_duplicates()
    return counts


def simple_features(blocks: Sequence[Sequence[Instruction]], sizes: Sequence[int]) -> Floats:
    """`SIMPLE` of each block; `sizes` in bytes.  (blocks, features)"""
    return np.array([_simple(block, size) for block, size in zip(blocks, sizes, strict=True)]).reshape(-1, len(SIMPLE))


def _simple(block: Sequence[Instruction], size: int) -> tuple[float, ...]:
    places = [place for one in block for place in one.memory]
    loads, stores = sum(place.read for place in places), sum(place.written for place in places)
    written, reloaded = set[tuple[str, str, int, int]](), 0
    for place in places:
        key = (place.base, place.index, place.scale, place.displacement)
        reloaded += place.read and key in written
        if place.written:
            written.add(key)
    growth, depth = chain_growth(block)
    return (
        len(block),
        size,
        loads,
        stores,
        min(loads, stores),
        reloaded,
        len(places),
        sum(one.opcode.startswith(("push", "pop", "call", "ret", "leave", "enter")) for one in block),
        sum(any(name.startswith("zmm") for name in (*one.reads, *one.writes)) for one in block),
        growth,
        depth,
    )


def chain_growth(block: Sequence[Instruction]) -> tuple[float, float]:
    """Steps that a further iteration adds to the longest chain of dependencies, and those of the first iteration.

    A step is an instruction, or 4 for one that loads: no latencies are known here.
    """
    ready: dict[str, int] = {}
    tops = []
    for _ in range(3):
        for one in block:
            begin = max((ready.get(name, 0) for name in one.reads), default=0)
            for place in one.memory:
                begin = max(begin, ready.get(place.base, 0), ready.get(place.index, 0))
            done = begin + (_LOAD_STEPS if any(place.read for place in one.memory) else 1)
            for name in one.writes:
                ready[name] = done
        tops.append(max(ready.values(), default=0))
    return float(tops[2] - tops[1]), float(tops[0])
