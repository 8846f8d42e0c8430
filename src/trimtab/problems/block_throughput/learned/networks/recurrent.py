# SPDX-License-Identifier: Apache-2.0
"""An LSTM over rows of different lengths in NumPy, with torch's weights: inference without torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...baselines.ragged import Ints, Ragged

Floats = NDArray[np.float32]


def last_hidden(table: Floats, rows: Ragged, recurrent: Floats) -> Floats:
    """The hidden state after the last step of each row.  (rows, hidden)

    `table` holds the gates that each word brings, ``x @ W_ih.T + b_ih + b_hh`` in the
    order input, forget, cell, output (words, 4 hidden); `rows` are words; `recurrent`
    is W_hh (4 hidden, hidden).
    """
    hidden = recurrent.shape[1]
    order = np.argsort(-rows.lengths, kind="stable")
    start, lengths = rows.start[:-1][order], rows.lengths[order]
    h = np.zeros((len(rows), hidden), np.float32)
    c = np.zeros_like(h)
    weights = np.ascontiguousarray(recurrent.T)
    for step in range(int(lengths.max(initial=0))):
        active = int(np.searchsorted(-lengths, -step, side="left"))  # rows longer than `step` stand first
        words: Ints = rows.values[start[:active] + step]
        gates = table[words] + h[:active] @ weights
        enter, forget, out = (
            _sigmoid(np.asarray(gates[:, k * hidden : (k + 1) * hidden], np.float32)) for k in (0, 1, 3)
        )
        c[:active] = forget * c[:active] + enter * np.tanh(gates[:, 2 * hidden : 3 * hidden])
        h[:active] = out * np.tanh(c[:active])
    found = np.empty_like(h)
    found[order] = h
    return found


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(0.5 * np.tanh(0.5 * x) + 0.5, np.float32)
