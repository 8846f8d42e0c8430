# SPDX-License-Identifier: Apache-2.0
"""Decima's network as compiled functions on plain arrays: no torch where decisions are made.

The weights are one flat vector: for each perceptron of `PERCEPTRONS`, in that
order, for each layer the matrix (inputs x outputs, row-major) and the bias.
Arrays of values are (features, rows): the inner loops run over rows and
vectorise. Rows are stages in order of height (longest path to a leaf), so a
round of message passing is a contiguous range of rows. `learned/decima_network.py`
is the same network in torch; a test keeps the two equal.
"""

from __future__ import annotations

import itertools
from typing import Final

import numba
import numpy as np

STAGE_FEATURES: Final = 5
JOB_FEATURES: Final = 3
WIDTH: Final = 8
MAX_DEPTH: Final = 8
SLOPE: Final = 0.2
LIMIT_SCALE: Final = 50.0

_HIDDEN: Final = (16, 8)
_HEAD: Final = (32, 16, 8, 1)
#: Name -> sizes of a perceptron's layers, input first (decima-sim: actor_agent.py, gcn.py, gsn.py).
PERCEPTRONS: Final = {
    "prepare": (STAGE_FEATURES, *_HIDDEN, WIDTH),
    "message": (WIDTH, *_HIDDEN, WIDTH),
    "aggregate": (WIDTH, *_HIDDEN, WIDTH),
    "job": (STAGE_FEATURES + WIDTH, *_HIDDEN, WIDTH),
    "cluster": (WIDTH, *_HIDDEN, WIDTH),
    "stage_head": (STAGE_FEATURES + 3 * WIDTH, *_HEAD),
    "limit_head": (JOB_FEATURES + 2 * WIDTH + 1, *_HEAD),
}


def _size(sizes: tuple[int, ...]) -> int:
    return sum((i + 1) * o for i, o in itertools.pairwise(sizes))


_STARTS: Final = np.cumsum([0, *(_size(sizes) for sizes in PERCEPTRONS.values())])
_PREPARE, _MESSAGE, _AGGREGATE, _JOB, _CLUSTER, _STAGE_HEAD, _LIMIT_HEAD = (int(s) for s in _STARTS[:-1])
NUM_WEIGHTS: Final = int(_STARTS[-1])

_compiled = numba.njit(cache=True, nogil=True, fastmath=True)


@_compiled
def _dense(weights, at, inputs, outputs, x, y, low, high, activate):  # type: ignore[no-untyped-def]
    """y[:outputs, low:high] = act(W x + b); returns where the next layer's weights start."""
    bias = at + inputs * outputs
    paired = inputs - inputs % 4
    for o in range(outputs):
        row = y[o]
        row[low:high] = weights[bias + o]
        for i in range(0, paired, 4):  # four inputs a pass: fewer loads and stores of the row
            w = at + i * outputs + o
            w0, w1, w2, w3 = weights[w], weights[w + outputs], weights[w + 2 * outputs], weights[w + 3 * outputs]
            x0, x1, x2, x3 = x[i], x[i + 1], x[i + 2], x[i + 3]
            for k in range(low, high):
                row[k] += w0 * x0[k] + w1 * x1[k] + w2 * x2[k] + w3 * x3[k]
        for i in range(paired, inputs):
            w0, x0 = weights[at + i * outputs + o], x[i]
            for k in range(low, high):
                row[k] += w0 * x0[k]
        if activate:
            for k in range(low, high):
                row[k] = max(row[k], SLOPE * row[k])
    return bias + outputs


@_compiled
def _embed(weights, at, inputs, x, y, hidden, low, high):  # type: ignore[no-untyped-def]
    """A perceptron inputs-16-8-8, active to the last layer."""
    at = _dense(weights, at, inputs, 16, x, hidden[:16], low, high, True)
    at = _dense(weights, at, 16, 8, hidden[:16], hidden[16:], low, high, True)
    _dense(weights, at, 8, WIDTH, hidden[16:], y, low, high, True)


@_compiled
def _score(weights, at, hidden, scores, n):  # type: ignore[no-untyped-def]
    """The layers 32-16-8-1 of a head over hidden[:32]."""
    at = _dense(weights, at, 32, 16, hidden[:32], hidden[32:48], 0, n, True)
    at = _dense(weights, at, 16, 8, hidden[32:48], hidden[48:56], 0, n, True)
    _dense(weights, at, 8, 1, hidden[48:56], scores, 0, n, False)


@_compiled
def _add_inputs(weights, at, first, count, x, column, hidden, k):  # type: ignore[no-untyped-def]
    """hidden[:32, k] += the share of inputs [first, first + count) in a head's first layer."""
    for i in range(count):
        value = x[i, column]
        for o in range(32):
            hidden[o, k] += weights[at + (first + i) * 32 + o] * value


@_compiled
def embed(weights, x, level, child_start, child, job_of, num_jobs):  # type: ignore[no-untyped-def]
    """Embeddings of stages, jobs and the cluster.

    x (5, stages) in order of height; level (MAX_DEPTH + 3,): stages of height h
    are rows level[h]:level[h + 1], the last range holds all higher ones;
    child_start (stages + 1,), child (edges,): each stage's children, as rows;
    job_of (stages,). Returns (8, stages), (8, jobs), (8, 1).
    """
    n = x.shape[1]
    hidden = np.empty((24, max(n, num_jobs)), x.dtype)
    stages = np.empty((WIDTH, n), x.dtype)
    message = np.empty((WIDTH, n), x.dtype)
    summed = np.zeros((WIDTH, n), x.dtype)
    _embed(weights, _PREPARE, STAGE_FEATURES, x, stages, hidden, 0, n)
    for h in range(1, MAX_DEPTH + 1):
        low, high = level[h], level[h + 1]
        if low == n:
            break
        _embed(weights, _MESSAGE, WIDTH, stages, message, hidden, level[h - 1], low)
        for v in range(low, high):
            for e in range(child_start[v], child_start[v + 1]):
                for d in range(WIDTH):
                    summed[d, v] += message[d, child[e]]
        aggregate = message
        _embed(weights, _AGGREGATE, WIDTH, summed, aggregate, hidden, low, high)
        stages[:, low:high] += aggregate[:, low:high]
    jobs, cluster = _summarise(weights, x, stages, job_of, num_jobs, hidden)
    return stages, jobs, cluster


@_compiled
def _summarise(weights, x, stages, job_of, num_jobs, hidden):  # type: ignore[no-untyped-def]
    n = x.shape[1]
    both = np.empty((STAGE_FEATURES + WIDTH, n), x.dtype)
    both[:STAGE_FEATURES] = x
    both[STAGE_FEATURES:] = stages
    out = np.empty((WIDTH, max(n, num_jobs)), x.dtype)
    _embed(weights, _JOB, STAGE_FEATURES + WIDTH, both, out, hidden, 0, n)
    jobs = np.zeros((WIDTH, num_jobs), x.dtype)
    for d in range(WIDTH):
        for k in range(n):
            jobs[d, job_of[k]] += out[d, k]
    _embed(weights, _CLUSTER, WIDTH, jobs, out, hidden, 0, num_jobs)
    cluster = np.zeros((WIDTH, 1), x.dtype)
    for d in range(WIDTH):
        for j in range(num_jobs):
            cluster[d, 0] += out[d, j]
    return jobs, cluster


@_compiled
def stage_logits(weights, x, stages, jobs, cluster, job_of, candidates):  # type: ignore[no-untyped-def]
    """A score for each candidate, a row of x.  (candidates,)"""
    n = len(candidates)
    num_jobs = jobs.shape[1]
    shared = np.zeros((32, num_jobs), x.dtype)  # what the stages of a job have in common
    bias = _STAGE_HEAD + (STAGE_FEATURES + 3 * WIDTH) * 32
    for j in range(num_jobs):
        _add_inputs(weights, _STAGE_HEAD, STAGE_FEATURES + WIDTH, WIDTH, jobs, j, shared, j)
        _add_inputs(weights, _STAGE_HEAD, STAGE_FEATURES + 2 * WIDTH, WIDTH, cluster, 0, shared, j)
        shared[:, j] += weights[bias : bias + 32]
    hidden = np.empty((56, n), x.dtype)
    for k in range(n):
        row = candidates[k]
        hidden[:32, k] = shared[:, job_of[row]]
        _add_inputs(weights, _STAGE_HEAD, 0, STAGE_FEATURES, x, row, hidden, k)
        _add_inputs(weights, _STAGE_HEAD, STAGE_FEATURES, WIDTH, stages, row, hidden, k)
    _activate(hidden[:32])
    scores = np.empty((1, n), x.dtype)
    _score(weights, bias + 32, hidden, scores, n)
    return scores[0]


@_compiled
def limit_logits(weights, job_features, jobs, cluster, job, limits):  # type: ignore[no-untyped-def]
    """A score for each parallelism limit of one job.  job_features (3, jobs), limits (limits,) -> (limits,)"""
    n = len(limits)
    bias = _LIMIT_HEAD + (JOB_FEATURES + 2 * WIDTH + 1) * 32
    hidden = np.zeros((56, n), weights.dtype)
    _add_inputs(weights, _LIMIT_HEAD, 0, JOB_FEATURES, job_features, job, hidden, 0)
    _add_inputs(weights, _LIMIT_HEAD, JOB_FEATURES, WIDTH, jobs, job, hidden, 0)
    _add_inputs(weights, _LIMIT_HEAD, JOB_FEATURES + WIDTH, WIDTH, cluster, 0, hidden, 0)
    for o in range(32):
        shared = hidden[o, 0] + weights[bias + o]
        w = weights[bias - 32 + o] / LIMIT_SCALE
        for k in range(n):
            hidden[o, k] = shared + w * limits[k]
    _activate(hidden[:32])
    scores = np.empty((1, n), weights.dtype)
    _score(weights, bias + 32, hidden, scores, n)
    return scores[0]


@_compiled
def _activate(values):  # type: ignore[no-untyped-def]
    for i in range(values.shape[0]):
        row = values[i]
        for k in range(len(row)):
            row[k] = max(row[k], SLOPE * row[k])


@_compiled
def choose(logits, uniform):  # type: ignore[no-untyped-def]
    """Index drawn from softmax(logits) at quantile `uniform` in [0, 1); the largest logit where it is negative."""
    best = np.argmax(logits)
    if uniform < 0.0:
        return best
    weight = np.exp(logits - logits[best])
    left = uniform * weight.sum()
    for k in range(len(weight)):
        left -= weight[k]
        if left < 0.0:
            return k
    return best
