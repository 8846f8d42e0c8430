# SPDX-License-Identifier: Apache-2.0
"""When each executor's next event is, and whose is the earliest.

An executor has at most one event ahead of it, so a tournament over executors
serves as the queue: changing one time replays the matches on its way to the
root. Equal times go in the order in which they were scheduled.
"""

from __future__ import annotations

import numpy as np

from .compiled import inlined, inner
from .state import State


@inlined
def schedule(state: State, executor: int, time_ms: float) -> None:
    """Set an executor's next event."""
    cluster = state.cluster[0]
    record = state.executors[executor]
    record.time_ms = time_ms
    record.order = cluster.order
    cluster.order += 1
    replay(state, executor)


@inlined
def replay(state: State, executor: int) -> None:
    """Settle the matches that an executor's new time may change."""
    winners, executors = state.winners, state.executors
    best, time_ms, order = executor, executors[executor].time_ms, executors[executor].order
    node = (len(winners) >> 1) + executor
    while node > 1:
        rival = winners[node ^ 1]
        theirs = executors[rival].time_ms
        if theirs < time_ms or (theirs == time_ms and executors[rival].order < order):
            best, time_ms, order = rival, theirs, executors[rival].order
        node >>= 1
        winners[node] = best


@inner
def clear(state: State) -> None:
    """No event for anyone."""
    leaves = len(state.winners) >> 1
    for i in range(leaves):
        state.executors[i].time_ms = np.inf
        state.winners[leaves + i] = i
    for node in range(leaves - 1, 0, -1):
        state.winners[node] = state.winners[2 * node]
