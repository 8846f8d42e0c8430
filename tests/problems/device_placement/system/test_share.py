# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trimtab.problems.device_placement.system.share import ReadyQueue, Wiring, share_of

from ..made import random_instance


@given(st.integers(0, 10_000))
def test_what_is_sent_is_what_is_received_and_nothing_is_done_twice(seed: int) -> None:
    instance, placement = random_instance(np.random.default_rng(seed), "bus")
    graph, device = instance.graph, placement.device.tolist()
    shares = [share_of(Wiring.of(graph), device, d) for d in range(instance.topology.num_devices)]
    assert sorted(op for share in shares for op in share.ops) == list(range(graph.num_ops))
    sent = {(t, d) for share in shares for t, to in share.sends.items() for d in to}
    received = {(t, here) for here, share in enumerate(shares) for ts in share.receives.values() for t in ts}
    crossing = {
        (int(t), device[int(op)])
        for t, op in zip(graph.edge_tensor, graph.edge_op, strict=True)
        if device[int(graph.tensor_op[t])] != device[int(op)]
    }
    assert sent == received == crossing
    reads = np.bincount(graph.edge_op, minlength=graph.num_ops)
    assert all(share.awaited[op] == reads[op] for share in shares for op in share.ops)


def _share(ops: int) -> ReadyQueue:
    return ReadyQueue(share_of(Wiring(ops, [], [], []), [0] * ops, 0))


def test_first_ready_first_out_and_of_two_the_lower() -> None:
    wiring = Wiring(4, [0, 1, 1], [8, 8, 8], [[3], [2], [3]])
    queue = ReadyQueue(share_of(wiring, [0, 0, 0, 0], 0))
    assert [queue.take(), queue.take(), queue.take()] == [0, 1, -1]
    queue.arrive(0, 5)
    queue.arrive(1, 7)
    queue.arrive(2, 6)
    assert [queue.take(), queue.take()] == [3, 2]  # 3 was ready at 6
    assert _share(3).take() == 0


def test_ranks_go_before_times() -> None:
    wiring = Wiring(3, [0, 0], [8, 8], [[1], [2]])
    queue = ReadyQueue(share_of(wiring, [0, 0, 0], 0), rank=[0, 2, 1])
    assert queue.take() == 0
    queue.arrive(0, 1)
    queue.arrive(1, 2)
    assert [queue.take(), queue.take()] == [2, 1]
