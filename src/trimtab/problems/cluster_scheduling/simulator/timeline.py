# SPDX-License-Identifier: Apache-2.0
"""When each executor's next event is, and whose is the earliest.

An executor has at most one event ahead of it, so a tournament over executors
serves as the queue: changing one time replays the matches on its way to the
root. Equal times go in the order in which they were scheduled.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .compiled import compiled
from .state import State


@compiled
def schedule(state: State, executor: int, time_ms: float) -> None:
    """Set an executor's next event."""
    cluster = state.cluster[0]
    record = state.executors[executor]
    record.time_ms = time_ms
    record.order = cluster.order
    cluster.order += 1
    replay(state, executor)


@compiled
def replay(state: State, executor: int) -> None:
    """Settle the matches that an executor's new time may change."""
    winners, executors = state.winners, state.executors
    node = (len(winners) >> 1) + executor
    while node > 1:
        a, b = winners[node], winners[node ^ 1]
        node >>= 1
        winners[node] = a if _before(executors[a], executors[b]) else b


@compiled
def clear(state: State) -> None:
    """No event for anyone."""
    leaves = len(state.winners) >> 1
    for i in range(leaves):
        state.executors[i].time_ms = np.inf
        state.winners[leaves + i] = i
    for node in range(leaves - 1, 0, -1):
        state.winners[node] = state.winners[2 * node]


@compiled
def _before(a: Any, b: Any) -> bool:
    return bool(a.time_ms < b.time_ms or (a.time_ms == b.time_ms and a.order < b.order))
