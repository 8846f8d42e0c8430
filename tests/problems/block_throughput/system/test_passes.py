# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.problems.block_throughput.system.admission import Admitted
from trimtab.problems.block_throughput.system.passes import CHUNK, Passes, Record, closest, measure_labels
from trimtab.problems.block_throughput.system.wire import BAD_ADDRESS, NOISY, OK, Reading


def reading(cycles: float = math.nan, status: int = OK, pages: int = 1) -> Reading:
    return Reading(0, status, 0, pages, 4, 4, 100, cycles, 0.6, 0)


class Scripted:
    """A pool whose passes are what a function of (block's index, pass) says."""

    def __init__(self, script: Callable[[int, int], Reading]) -> None:
        self.script = script
        self.seen: dict[int, int] = {}
        self.passes: list[int] = []

    def batches(
        self, blocks: Sequence[Admitted], proceed: Callable[[], bool] = lambda: True
    ) -> Iterable[tuple[int, list[Reading]]]:
        self.passes.append(len(blocks))
        for start in range(0, len(blocks), 3):
            yield start, [self._next(int.from_bytes(block.code)) for block in blocks[start : start + 3]]

    def _next(self, index: int) -> Reading:
        self.seen[index] = self.seen.get(index, 0) + 1
        return self.script(index, self.seen[index])


def blocks(count: int) -> list[Admitted]:
    return [Admitted(index.to_bytes(4)) for index in range(count)]


@given(st.lists(st.floats(0.1, 100), min_size=2, max_size=6))
def test_closest_is_the_least_relative_difference(cycles: list[float]):
    mean, spread = closest(cycles)
    brute = min(abs(a - b) / min(a, b) for a, b in combinations(cycles, 2))
    assert spread == pytest.approx(brute, abs=1e-12)
    assert min(cycles) <= mean <= max(cycles)


def test_steady_blocks_take_the_least_number_of_passes():
    pool = Scripted(lambda index, nth: reading(index + 1.0))
    records = [Record() for _ in range(10)]
    measure_labels(pool, blocks(10), records, Passes(3, 6))
    assert pool.passes == [10, 10, 10]
    assert [record.label().cycles for record in records] == [index + 1.0 for index in range(10)]


def test_a_disturbed_pass_does_not_count():
    """Of three passes two agree; the label is theirs, however far off the third is."""
    pool = Scripted(lambda index, nth: reading(50.0 if nth == 2 else 4.0 + 0.002 * nth))
    records = [Record()]
    measure_labels(pool, blocks(1), records, Passes(3, 6))
    label = records[0].label()
    assert label.cycles == pytest.approx(4.004)
    assert label.passes == 3


def test_passes_that_never_agree_give_no_label():
    pool = Scripted(lambda index, nth: reading(2.0**nth))
    records = [Record()]
    measure_labels(pool, blocks(1), records, Passes(3, 6))
    assert pool.seen[0] == 6
    assert math.isnan(records[0].label().cycles)
    assert "differ" in records[0].label().reason


def test_a_noisy_pass_is_tried_again_and_a_failure_is_not():
    def script(index: int, nth: int) -> Reading:
        if index == 0:
            return reading(status=NOISY) if nth <= 2 else reading(7.0)
        return reading(status=BAD_ADDRESS)

    pool = Scripted(script)
    records = [Record(), Record()]
    measure_labels(pool, blocks(2), records, Passes(3, 6))
    assert pool.seen == {0: 5, 1: 1}
    assert records[0].label().cycles == 7.0
    assert "mapped" in records[1].label().reason


def test_always_noisy_and_never_measured_have_different_reasons():
    noisy, untouched = Record(noisy=3), Record(cycles=[1.0])
    assert "quiet" in noisy.label().reason
    assert "time" in untouched.label().reason


def test_passes_over_one_block_are_apart():
    """All of a chunk is measured before any of it is measured again."""
    order: list[int] = []

    def script(index: int, nth: int) -> Reading:
        order.append(index)
        return reading(1.0)

    pool = Scripted(script)
    count = CHUNK + 5
    measure_labels(pool, blocks(count), [Record() for _ in range(count)], Passes(2, 4))
    assert order[:CHUNK] == list(range(CHUNK))
    gaps = np.diff([at for at, index in enumerate(order) if index == 17])
    assert gaps.tolist() == [CHUNK]


def test_it_stops_when_told_and_what_was_read_is_kept():
    pool = Scripted(lambda index, nth: reading(3.0))
    records = [Record() for _ in range(9)]
    calls = iter([True, False])
    heard: list[int] = []
    measure_labels(
        pool, blocks(9), records, Passes(3, 6), lambda: next(calls, False), lambda index, reading: heard.append(index)
    )
    assert heard == list(range(9))
    assert all(record.cycles == [3.0] for record in records)
