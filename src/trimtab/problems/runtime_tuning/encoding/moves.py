# SPDX-License-Identifier: Apache-2.0
"""Configurations that are worth a look: drawn from everywhere, and moved from the best ones."""

from __future__ import annotations

from typing import Final

import numpy as np

from .codes import Encoding, Floats, Ints

_STEPS: Final = (0.03, 0.12, 0.35)  # of a number, as fractions of its range


def everywhere(encoding: Encoding, count: int, rng: np.random.Generator) -> Floats:
    """(count, knobs)"""
    return encoding.spread(rng.random((count, encoding.size)))


def mutated(encoding: Encoding, parents: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Each a parent with one to about four knobs changed, or crossed with another parent.  (count, knobs)"""
    chosen = rng.integers(0, len(parents), count)
    codes = parents[chosen]
    how_many = np.minimum(rng.geometric(0.5, count), encoding.size)
    order = rng.random(codes.shape).argsort(axis=1)
    change = order < how_many[:, None]
    fresh = np.column_stack([_moved(encoding, codes[:, i], i, rng) for i in range(encoding.size)])
    home = np.broadcast_to(encoding.default, codes.shape)
    fresh = np.where(rng.random(codes.shape) < 0.2, home, fresh)  # back to the default
    other = parents[rng.integers(0, len(parents), count)]
    cross = rng.random(count) < 0.2
    half = rng.random(codes.shape) < 0.5
    return encoding.canonical(
        np.where(np.where(cross[:, None], half, change), np.where(cross[:, None], other, fresh), codes)
    )


def _moved(encoding: Encoding, codes: Floats, i: int, rng: np.random.Generator) -> Floats:
    """One knob changed in each row."""
    column = encoding.columns[i]
    anywhere = column.spread(rng.random(len(codes)))
    if not column.is_number and not column.ordered:
        return anywhere
    size = np.array(_STEPS)[rng.integers(0, len(_STEPS), len(codes))] * rng.standard_normal(len(codes))
    if column.is_number:
        near = column.rounded(codes + size)
    else:
        step = np.maximum(np.ceil(np.abs(size) * (column.count - 1)), 1.0) * np.sign(size)
        near = np.clip(codes + step, 0, column.count - 1)
    return np.where((codes < 0) | (rng.random(len(codes)) < 0.25), anywhere, near)


def neighbours(encoding: Encoding, codes: Floats, rng: np.random.Generator) -> Floats:
    """All that differ from one configuration in one knob (numbers: a few steps).  (many, knobs)"""
    rows: list[int] = []
    knobs: list[int] = []
    values: list[float] = []
    for i in range(encoding.size):
        for value in _alternatives(encoding, codes, i, rng):
            if value != codes[i]:
                rows.append(len(rows))
                knobs.append(i)
                values.append(value)
    found = np.repeat(codes[None, :], len(rows), axis=0)
    found[np.array(rows, np.int64), np.array(knobs, np.int64)] = values
    return encoding.canonical(found)


def _alternatives(encoding: Encoding, codes: Floats, i: int, rng: np.random.Generator) -> list[float]:
    column = encoding.columns[i]
    if not column.is_number:
        if column.count <= 12:
            return [float(v) for v in range(column.count)]
        return [float(v) for v in column.spread(rng.random(12))]
    special = [-1.0 - k for k in range(column.count)]
    here = codes[i] if codes[i] >= 0 else 0.5
    steps = np.array([-0.2, -0.05, -0.01, 0.01, 0.05, 0.2])
    near = column.rounded(np.r_[here + steps * rng.uniform(0.5, 1.5), 0.0, 1.0])
    return [*special, *(float(v) for v in near), float(encoding.default[i])]


def distinct(codes: Floats) -> Floats:
    """Without repeated rows, in the order of first appearance."""
    _, first = np.unique(codes, axis=0, return_index=True)
    order: Ints = np.sort(first)
    return codes[order]


def row(codes: Floats, i: int | np.intp) -> Floats:
    """One configuration of many.  (knobs,)"""
    found: Floats = codes[i]
    return found
