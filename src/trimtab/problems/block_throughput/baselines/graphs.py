# SPDX-License-Identifier: Apache-2.0
"""Blocks as dependency graphs, after GRANITE: instructions, and the values that flow between them.

A node is an instruction (named by its opcode) or a value (a register's, a
memory cell's, an address, a constant). An instruction's inputs point at it, it
points at its outputs; a value that is read again is the same node, so paths in
the graph are chains of dependency. Two loads of one address expression without
a store in between share a node, and a load after a store to it reads what was
stored. Beyond GRANITE, the value that a register has at the end points at the
one it had at the beginning: these edges close the chains of the next iteration.

Source: Sýkora, Phothilimthana, Mendis, Yazdanbakhsh: GRANITE: A Graph Neural
Network Model for Basic Block Throughput Estimation. IISWC 2022, section III.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from .instructions import Instruction, Memory
from .ragged import Ints, Ragged

#: Kinds of edges; each is also there backwards, as number + len(KINDS).
KINDS: Final = ("next", "input", "output", "base", "index", "address", "constant", "carried")
_NEXT, _INPUT, _OUTPUT, _BASE, _INDEX, _ADDRESS, _CONSTANT, _CARRIED = range(len(KINDS))


@dataclass(frozen=True)
class Graphs:
    """Blocks as rows of nodes and rows of edges; nodes are counted from 0 in each block."""

    nodes: Ragged  # (blocks) of word numbers
    decoded: Ragged  # (blocks) of nodes: those that are instructions
    source: Ragged  # (blocks) of nodes, an entry an edge
    target: Ragged
    kind: Ragged  # forward kinds only

    def take(self, rows: Ints) -> Graphs:
        parts = (part.take(rows) for part in (self.nodes, self.decoded, self.source, self.target, self.kind))
        return Graphs(*parts)

    def joined(self) -> tuple[Ints, Ints, Ints, Ints, Ints]:
        """One disjoint graph: words (nodes,), decoded (instructions,), their block, edges (2, edges), kinds (edges,).

        Edges are there in both directions.
        """
        first = self.nodes.start[:-1]
        at = np.repeat(first, self.source.lengths)
        source, target = self.source.values + at, self.target.values + at
        edges = np.concatenate((np.stack((source, target)), np.stack((target, source))), axis=1)
        kinds = np.concatenate((self.kind.values, self.kind.values + len(KINDS)))
        decoded = self.decoded.values + np.repeat(first, self.decoded.lengths)
        block = np.repeat(np.arange(len(self.nodes)), self.decoded.lengths)
        return self.nodes.values, decoded, block, edges, kinds


def graphs(blocks: Sequence[Sequence[Instruction]], vocabulary: Mapping[str, int]) -> Graphs:
    """Blocks by a vocabulary of `words`; what is not in it is number 0."""
    drawn = [_Drawing(block) for block in blocks]
    return Graphs(
        nodes=Ragged.of([[vocabulary.get(word, 0) for word in one.words] for one in drawn]),
        decoded=Ragged.of([one.decoded for one in drawn]),
        source=Ragged.of([[edge[0] for edge in one.edges] for one in drawn]),
        target=Ragged.of([[edge[1] for edge in one.edges] for one in drawn]),
        kind=Ragged.of([[edge[2] for edge in one.edges] for one in drawn]),
    )


def words(block: Sequence[Instruction]) -> Iterator[str]:
    """The names of a block's nodes."""
    return iter(_Drawing(block).words)


@dataclass
class _Drawing:
    block: Sequence[Instruction]
    words: list[str] = field(default_factory=list)
    decoded: list[int] = field(default_factory=list)
    edges: list[tuple[int, int, int]] = field(default_factory=list)  # source, target, kind
    _now: dict[str, int] = field(default_factory=dict)  # register -> node of its value
    _first: dict[str, int] = field(default_factory=dict)  # register -> node of its value before the block
    _cells: dict[tuple[int, int, int, int], int] = field(default_factory=dict)  # address expression -> node

    def __post_init__(self) -> None:
        for one in self.block:
            self._instruction(one)
        for register, node in self._first.items():
            if self._now[register] != node:
                self.edges.append((self._now[register], node, _CARRIED))

    def _instruction(self, one: Instruction) -> None:
        me = self._node(one.opcode)
        if self.decoded:
            self.edges.append((self.decoded[-1], me, _NEXT))
        self.decoded.append(me)
        for register in one.reads:
            self.edges.append((self._value(register), me, _INPUT))
        if one.immediate:
            self.edges.append((self._node("<constant>"), me, _INPUT))
        stores = [self._place(place, me) for place in one.memory]
        for register in one.writes:
            fresh = self._now[register] = self._node(register)
            self.edges.append((me, fresh, _OUTPUT))
        for place, key, address in stores:
            if place.written:
                fresh = self._cells[key] = self._node("<memory>")
                self.edges += [(address, fresh, _ADDRESS), (me, fresh, _OUTPUT)]

    def _place(self, place: Memory, me: int) -> tuple[Memory, tuple[int, int, int, int], int]:
        """Draw the address; and the cell and its edge where it is read."""
        base = self._value(place.base) if place.base else -1
        index = self._value(place.index) if place.index else -1
        key = (base, index, place.scale, place.displacement)
        address = self._node("<address>")
        self.edges += [(node, address, kind) for node, kind in ((base, _BASE), (index, _INDEX)) if node >= 0]
        if place.displacement:
            self.edges.append((self._node("<constant>"), address, _CONSTANT))
        if not (place.read or place.written):
            self.edges.append((address, me, _INPUT))
        if place.read:
            cell = self._cells.get(key)
            if cell is None:
                cell = self._cells[key] = self._node("<memory>")
            self.edges += [(address, cell, _ADDRESS), (cell, me, _INPUT)]
        return place, key, address

    def _value(self, register: str) -> int:
        if register not in self._now:
            self._now[register] = self._first[register] = self._node(register)
        return self._now[register]

    def _node(self, word: str) -> int:
        self.words.append(word)
        return len(self.words) - 1
