# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trimtab.problems.block_throughput.baselines.ragged import Ragged

ROWS = st.lists(st.lists(st.integers(1, 99), max_size=6), min_size=1, max_size=12)


def lists(ragged: Ragged) -> list[list[int]]:
    return [ragged.values[a:b].tolist() for a, b in zip(ragged.start[:-1], ragged.start[1:], strict=True)]


@given(ROWS, st.data())
def test_rows_are_kept_chosen_and_padded(rows: list[list[int]], data: st.DataObject) -> None:
    ragged = Ragged.of(rows)
    assert lists(ragged) == rows and len(ragged) == len(rows)
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=8))
    assert lists(ragged.take(np.array(chosen, np.int64))) == [rows[at] for at in chosen]
    padded = ragged.padded()
    assert padded.shape == (len(rows), max(map(len, rows)))
    assert [[value for value in row if value] for row in padded.tolist()] == rows
