# SPDX-License-Identifier: Apache-2.0
"""Configurations that are worth a look: drawn from everywhere, and moved from given ones."""

from __future__ import annotations

from typing import Final

import numpy as np

from .codes import Encoding
from .column import Floats, Ints

_STEPS: Final = np.array([0.03, 0.12, 0.35])  # of a number, as fractions of its range
_NEAR: Final = np.array([-0.2, -0.05, -0.01, 0.01, 0.05, 0.2])
_MOST_LISTED: Final = 12  # values of one knob that are neighbours


def everywhere(encoding: Encoding, count: int, rng: np.random.Generator) -> Floats:
    """(count, knobs)"""
    return encoding.spread(rng.random((count, encoding.size)))


def mutated(encoding: Encoding, parents: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Each a parent with one to about four knobs changed, or crossed with another parent.  (count, knobs)"""
    codes = parents[rng.integers(0, len(parents), count)]
    share = np.minimum(rng.geometric(0.5, count), encoding.size) / encoding.size
    change = rng.random(codes.shape) < share[:, None]
    change[np.arange(count), rng.integers(0, encoding.size, count)] = True
    fresh = _moved(encoding, codes, rng)
    fresh = np.where(rng.random(codes.shape) < 0.2, encoding.default, fresh)  # back to the default
    other = parents[rng.integers(0, len(parents), count)]
    cross = (rng.random(count) < 0.2)[:, None]
    half = rng.random(codes.shape) < 0.5
    return encoding.canonical(np.where(np.where(cross, half, change), np.where(cross, other, fresh), codes))


def _moved(encoding: Encoding, codes: Floats, rng: np.random.Generator) -> Floats:
    """All knobs changed: choices drawn anew, numbers and steps mostly moved a little."""
    fresh = encoding.anywhere(rng.random(codes.shape))
    size = _STEPS[rng.integers(0, len(_STEPS), codes.shape)] * rng.standard_normal(codes.shape)
    near = fresh.copy()
    numbers, steps = encoding.numbers, encoding.steps
    near[:, numbers] = encoding.rounded(codes[:, numbers] + size[:, numbers])
    last = encoding.counts[steps] - 1.0
    way = np.maximum(np.ceil(np.abs(size[:, steps]) * last), 1.0) * np.sign(size[:, steps])
    near[:, steps] = np.clip(codes[:, steps] + way, 0.0, last)
    return np.where((codes < 0) | (rng.random(codes.shape) < 0.25), fresh, near)


def neighbours(encoding: Encoding, codes: Floats, rng: np.random.Generator) -> Floats:
    """All that differ from one configuration in one knob (numbers: a few steps).  (many, knobs)"""
    listed, values = _listed(encoding, rng)
    numbers, size = encoding.numbers, len(encoding.numbers)
    here = np.where(codes[numbers] >= 0, codes[numbers], 0.5)
    ends = np.array([[0.0], [1.0]]).repeat(size, axis=1)
    steps = here + _NEAR[:, None] * rng.uniform(0.5, 1.5, (len(_NEAR), size))
    near = np.vstack([encoding.rounded(np.vstack([steps, ends])), encoding.default[numbers]])
    knobs = np.r_[listed, np.tile(numbers, len(near)), encoding.special_knob]
    values = np.r_[values, near.ravel(), encoding.special_code]
    differs = values != codes[knobs]
    knobs, values = knobs[differs], values[differs]
    found = np.repeat(codes[None, :], len(knobs), axis=0)
    found[np.arange(len(knobs)), knobs] = values
    return encoding.canonical(found)


def _listed(encoding: Encoding, rng: np.random.Generator) -> tuple[Ints, Floats]:
    """Knobs and values of those that are listed: all, or a few of many."""
    knobs, values = [np.zeros(0, np.int64)], [np.zeros(0)]
    for i in encoding.listed:
        count = int(encoding.counts[i])
        few = np.arange(count) if count <= _MOST_LISTED else rng.integers(0, count, _MOST_LISTED)
        knobs.append(np.full(len(few), i))
        values.append(few.astype(np.float64))
    return np.concatenate(knobs), np.concatenate(values)


def distinct(codes: Floats) -> Floats:
    """Without repeated rows, in the order of first appearance."""
    found = {one.tobytes(): i for i, one in reversed(list(enumerate(codes)))}
    return codes[sorted(found.values())]


def row(codes: Floats, i: int | np.intp) -> Floats:
    """One configuration of many.  (knobs,)"""
    found: Floats = codes[i]
    return found
