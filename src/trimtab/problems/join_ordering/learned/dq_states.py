# SPDX-License-Identifier: Apache-2.0
"""DQ's decision process, compiled: states are contracted join graphs, an action joins two of their nodes.

`decode` follows a Q network greedily; `lessons` walks through states and writes
down, for every action there, its features and its *regret*: the logarithm of
(least cost of a plan that goes on with it / least cost from here), which dynamic
programming over the nodes of the state tells exactly.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from trimtab.kit.compiled import compiled

from ..problem import COST_MODELS, Floats, Ints
from ..simulator.greedy import cheaper, joined, merge, start
from ..simulator.models import leaf_cost
from ..simulator.pack import Graph

#: Of an action; natural logarithms of rows and costs are divided by 10.
FEATURES: Final = (
    "out", "larger", "smaller", "selectivity", "growth",  # rows of the result and of the operands, as logarithms
    "added", "spent", "out_over_least", "added_over_least",  # cost of this join; of all before, leaves too
    "larger_is_table", "smaller_is_table", "both_tables",
    "degree_larger", "degree_smaller", "degree", "nodes",
    "next_least", "next_growth", "other_larger", "other_smaller",  # the best joins before and after this one
    *COST_MODELS,
)  # fmt: skip
WIDTH: Final = len(FEATURES)
HIDDEN: Final = 32

MOST_NODES: Final = 10  # of a state whose actions `lessons` judges

FARTHEST: Final = 2.5  # a feature counts up to here: larger queries have larger numbers than those learnt from

#: Sizes of the arrays in the flat vector of weights: three layers.
SIZES: Final = (WIDTH * HIDDEN, HIDDEN, HIDDEN * HIDDEN, HIDDEN, HIDDEN, 1)


@compiled
def outcomes(graph: Graph, model: int, p: Floats, sets: Ints, logs: Floats, adjacent: Ints, cross: Floats,
             pairs: Ints, out: Floats, added: Floats) -> int:  # fmt: skip
    """All actions of a state: nodes (larger first), log rows of their joins, costs; returns how many."""
    n = len(sets)
    count = 0
    for a in range(n):
        for b in range(a):
            if sets[a] and sets[b] and adjacent[a, b]:
                pairs[count, 0], pairs[count, 1] = (a, b) if logs[a] >= logs[b] else (b, a)
                out[count] = joined(graph, sets, logs, cross, a, b)
                added[count] = cheaper(graph, model, p, sets, logs, a, b, out[count])[0]
                count += 1
    return count


@compiled
def describe(graph: Graph, model: int, sets: Ints, logs: Floats, adjacent: Ints, cross: Floats,
             pairs: Ints, out: Floats, added: Floats, count: int, spent: float, features: Floats) -> None:  # fmt: skip
    """Features of all actions of a state.  (count, WIDTH)"""
    n = len(sets)
    nodes, least_out, least_added = 0, np.inf, np.inf
    for i in range(n):
        nodes += 1 if sets[i] else 0
    best = np.full((n, 2), np.inf)  # the two least results that a node can be joined to
    for k in range(count):
        least_out, least_added = min(least_out, out[k]), min(least_added, added[k])
        for side in range(2):
            i = pairs[k, side]
            if out[k] < best[i, 0]:
                best[i, 1] = best[i, 0]
                best[i, 0] = out[k]
            else:
                best[i, 1] = min(best[i, 1], out[k])
    for k in range(count):
        a, b = pairs[k, 0], pairs[k, 1]
        row = features[k]
        row[:] = 0.0
        row[0], row[1], row[2] = out[k] / 10, logs[a] / 10, logs[b] / 10
        row[3], row[4] = (out[k] - logs[a] - logs[b]) / 10, (out[k] - logs[a]) / 10
        row[5], row[6] = _log(added[k]) / 10, _log(spent) / 10
        row[7], row[8] = (out[k] - least_out) / 10, (_log(added[k]) - _log(least_added)) / 10
        row[9] = 1.0 if sets[a] & (sets[a] - 1) == 0 else 0.0
        row[10] = 1.0 if sets[b] & (sets[b] - 1) == 0 else 0.0
        row[11] = row[9] * row[10]
        then, both = np.inf, 0
        for c in range(n):
            row[12] += 0.2 if adjacent[a, c] else 0.0
            row[13] += 0.2 if adjacent[b, c] else 0.0
            if sets[c] and c != a and c != b and (adjacent[a, c] or adjacent[b, c]):
                both += 1
                if len(graph.rows_log):
                    then = min(then, graph.rows_log[sets[a] | sets[b] | sets[c]])
                else:
                    then = min(then, out[k] + logs[c] + cross[a, c] + cross[b, c])
        row[14], row[15] = both / 5, min(nodes, MOST_NODES) / MOST_NODES  # more were never judged
        then = out[k] if both == 0 else then
        row[16], row[17] = then / 10, (then - out[k]) / 10
        other_a = best[a, 1] if best[a, 0] == out[k] else best[a, 0]
        other_b = best[b, 1] if best[b, 0] == out[k] else best[b, 0]
        row[18] = (min(other_a, out[k] + 20.0) - out[k]) / 10
        row[19] = (min(other_b, out[k] + 20.0) - out[k]) / 10
        row[20 + model] = 1.0
        for j in range(WIDTH):
            row[j] = min(FARTHEST, max(-FARTHEST, row[j]))


@compiled
def _log(cost: float) -> float:
    """Of a cost that may be negative, where a join takes back what a leaf had cost."""
    return float(np.log(1.0 + cost) if cost >= 0 else -np.log(1.0 - cost))


@compiled
def q_value(w: Floats, x: Floats, first: Floats, second: Floats) -> float:
    """The network: two hidden layers of rectified units."""
    at = WIDTH * HIDDEN
    for j in range(HIDDEN):
        first[j] = w[at + j]
    for i in range(WIDTH):
        if x[i] != 0.0:
            for j in range(HIDDEN):
                first[j] += x[i] * w[i * HIDDEN + j]
    at += HIDDEN
    bias = at + HIDDEN * HIDDEN
    for j in range(HIDDEN):
        second[j] = w[bias + j]
    for i in range(HIDDEN):
        if first[i] > 0.0:
            for j in range(HIDDEN):
                second[j] += first[i] * w[at + i * HIDDEN + j]
    at = bias + HIDDEN
    value = w[at + HIDDEN]
    for j in range(HIDDEN):
        value += max(0.0, second[j]) * w[at + j]
    return float(value)


@compiled
def decode(graph: Graph, model: int, p: Floats, w: Floats) -> Ints:
    """The plan that always takes the action of least Q.  (relations - 1, 2)"""
    n = len(graph.neighbours)
    sets, logs, adjacent, cross = start(graph)
    joins, most = np.zeros((n - 1, 2), np.int64), n * (n - 1) // 2
    pairs, out, added = np.zeros((most, 2), np.int64), np.zeros(most), np.zeros(most)
    features, first, second = np.zeros((most, WIDTH)), np.zeros(HIDDEN), np.zeros(HIDDEN)
    spent = leaves(graph, model, p)
    for k in range(n - 1):
        count = outcomes(graph, model, p, sets, logs, adjacent, cross, pairs, out, added)
        describe(graph, model, sets, logs, adjacent, cross, pairs, out, added, count, spent, features)
        best, chosen = np.inf, 0
        for action in range(count if count > 1 else 0):
            value = q_value(w, features[action], first, second)
            if value < best:
                best, chosen = value, action
        spent += added[chosen]
        take(graph, model, p, sets, logs, adjacent, cross, pairs[chosen], out[chosen], joins[k])
    return joins


@compiled
def leaves(graph: Graph, model: int, p: Floats) -> float:
    """Cost of all leaves."""
    total = 0.0
    for i in range(len(graph.neighbours)):
        total += leaf_cost(model, p, graph, i)
    return total


@compiled
def take(graph: Graph, model: int, p: Floats, sets: Ints, logs: Floats, adjacent: Ints, cross: Floats,
         pair: Ints, out: float, join: Ints) -> None:  # fmt: skip
    """Join two nodes in the cheaper order."""
    a, b = pair[0], pair[1]
    _, swap = cheaper(graph, model, p, sets, logs, a, b, out)
    join[0], join[1] = (sets[b], sets[a]) if swap else (sets[a], sets[b])
    merge(sets, logs, adjacent, cross, a, b, out)


@compiled
def least_ahead(graph: Graph, model: int, p: Floats, sets: Ints, logs: Floats, adjacent: Ints, cross: Floats) -> float:
    """The least cost of all joins from a state on, by dynamic programming over its nodes."""
    n = len(sets)
    node = np.zeros(MOST_NODES, np.int64)
    k = 0
    for i in range(n):
        if sets[i]:
            node[k] = i
            k += 1
    cost, rows = np.full(1 << k, np.inf), np.zeros(1 << k)
    unions, near = np.zeros(1 << k, np.int64), np.zeros(1 << k, np.int64)
    for i in range(k):
        cost[1 << i], rows[1 << i], unions[1 << i] = 0.0, logs[node[i]], sets[node[i]]
        for j in range(k):
            near[1 << i] |= (1 << j) if adjacent[node[i], node[j]] else 0
    pair_sets, pair_logs = np.zeros(2, np.int64), np.zeros(2)
    for subset in range(3, 1 << k):
        low = subset & -subset
        if subset == low:
            continue
        unions[subset], near[subset] = unions[low] | unions[subset ^ low], near[low] | near[subset ^ low]
        counted = False
        left = (subset - 1) & subset
        while left:
            right = subset ^ left
            if left & low and near[left] & right and cost[left] + cost[right] < np.inf:
                if not counted:
                    counted = True
                    rows[subset] = _rows(graph, unions, rows, cross, node, left, right, k)
                pair_sets[0], pair_sets[1] = unions[left], unions[right]
                pair_logs[0], pair_logs[1] = rows[left], rows[right]
                added, _ = cheaper(graph, model, p, pair_sets, pair_logs, 0, 1, rows[subset])
                cost[subset] = min(cost[subset], cost[left] + cost[right] + added)
            left = (left - 1) & subset
    return float(cost[(1 << k) - 1])


@compiled
def _rows(graph: Graph, unions: Ints, rows: Floats, cross: Floats, node: Ints, left: int, right: int, k: int) -> float:
    if len(graph.rows_log):
        return float(graph.rows_log[unions[left] | unions[right]])
    total = rows[left] + rows[right]
    for i in range(k):
        for j in range(k):
            if left >> i & 1 and right >> j & 1:
                total += cross[node[i], node[j]]
    return float(total)


@compiled
def lessons(
    graph: Graph, model: int, p: Floats, w: Floats, wander: float, seed: int, x: Floats, y: Floats, state: Ints
) -> int:
    """One walk from the query to a plan: features and regrets of every action of every state of up to `MOST_NODES`.

    The action of least Q is taken, or with probability `wander` another, the likelier
    the less it is regretted. `state` numbers the states, so that actions of one are
    known to be alternatives. Returns how many rows were written.
    """
    np.random.seed(seed)
    n = len(graph.neighbours)
    sets, logs, adjacent, cross = start(graph)
    most, written = n * (n - 1) // 2, 0
    pairs, out, added, regret = np.zeros((most, 2), np.int64), np.zeros(most), np.zeros(most), np.zeros(most)
    features, first, second = np.zeros((most, WIDTH)), np.zeros(HIDDEN), np.zeros(HIDDEN)
    spent = leaves(graph, model, p)
    for k in range(n - 1):
        count = outcomes(graph, model, p, sets, logs, adjacent, cross, pairs, out, added)
        describe(graph, model, sets, logs, adjacent, cross, pairs, out, added, count, spent, features)
        if count > 1 and n - k <= MOST_NODES and written + count <= len(y):
            for action in range(count):
                sets_, logs_, adjacent_, cross_ = sets.copy(), logs.copy(), adjacent.copy(), cross.copy()
                merge(sets_, logs_, adjacent_, cross_, pairs[action, 0], pairs[action, 1], out[action])
                ahead = least_ahead(graph, model, p, sets_, logs_, adjacent_, cross_)
                regret[action] = spent + added[action] + ahead
            regret[:count] = np.log(np.maximum(regret[:count], 1.0) / max(1.0, regret[:count].min()))
            x[written : written + count], y[written : written + count] = features[:count], regret[:count]
            state[written : written + count] = k
            written += count
        chosen, best = 0, np.inf
        wanders = np.random.random() < wander
        for action in range(count):
            value = q_value(w, features[action], first, second)
            if wanders:
                value = regret[action] - np.log(1.0 - np.random.random()) if n - k <= MOST_NODES else np.random.random()
            if value < best:
                best, chosen = value, action
        spent += added[chosen]
        merge(sets, logs, adjacent, cross, pairs[chosen, 0], pairs[chosen, 1], out[chosen])
    return written
