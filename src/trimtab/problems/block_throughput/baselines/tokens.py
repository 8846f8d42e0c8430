# SPDX-License-Identifier: Apache-2.0
"""Blocks as tokens, the way Ithemal reads them: opcode, sources, destinations, with marks in between.

Source: Mendis, Renda, Amarasinghe, Carbin: Ithemal. ICML 2019, section 4.1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from .instructions import FLAGS, Instruction, Memory
from .ragged import Ragged

UNKNOWN: Final = "<unknown>"
_CONSTANT, _MEMORY, _MEMORY_END = "<constant>", "<memory>", "</memory>"
_SOURCES, _DESTINATIONS, _END = "<sources>", "<destinations>", "<end>"


def instruction_tokens(one: Instruction) -> tuple[str, ...]:
    """Of one instruction. As in Ithemal, values of constants are not seen, and flags are not operands."""
    loads = [token for place in one.memory if place.read for token in _place(place)]
    stores = [token for place in one.memory if place.written for token in _place(place)]
    idle = [token for place in one.memory if not (place.read or place.written) for token in _place(place)]
    return (
        one.opcode,
        _SOURCES,
        *(name for name in one.reads if name != FLAGS),
        *([_CONSTANT] if one.immediate else []),
        *loads,
        *idle,
        _DESTINATIONS,
        *(name for name in one.writes if name != FLAGS),
        *stores,
        _END,
    )


def _place(memory: Memory) -> tuple[str, ...]:
    parts = [part for part in (memory.base, memory.index) if part]
    return (_MEMORY, *parts, *([_CONSTANT] if memory.displacement else []), _MEMORY_END)


@dataclass(frozen=True)
class Tokens:
    """Blocks as rows of numbers of *different* instructions, and these as rows of numbers of tokens."""

    instructions: Ragged  # (different instructions) of tokens
    blocks: Ragged  # (blocks) of instructions

    def flat(self) -> Ragged:
        """(blocks) of tokens: the instructions' one after the other."""
        every = self.instructions.take(self.blocks.values)
        return Ragged(every.values, every.start[self.blocks.start])


def tokenise(blocks: Sequence[Sequence[Instruction]], vocabulary: Mapping[str, int]) -> Tokens:
    """Blocks by a vocabulary; tokens that are not in it are `UNKNOWN`, which has number 0."""
    rows: dict[tuple[int, ...], int] = {}
    known: dict[Instruction, int] = {}
    numbers = []
    for block in blocks:
        row = []
        for one in block:
            at = known.get(one)
            if at is None:
                tokens = tuple(vocabulary.get(token, 0) for token in instruction_tokens(one))
                at = known[one] = rows.setdefault(tokens, len(rows))
            row.append(at)
        numbers.append(row)
    return Tokens(Ragged.of(list(rows)), Ragged.of(numbers))


def vocabulary(texts: Iterable[Iterable[str]], least: int) -> dict[str, int]:
    """Numbers of the words that occur at least so often, the most frequent first; `UNKNOWN` is 0."""
    count = Counter(word for text in texts for word in text)
    words = sorted((word for word, n in count.items() if n >= least), key=lambda word: (-count[word], word))
    return {word: number for number, word in enumerate([UNKNOWN, *words])}
