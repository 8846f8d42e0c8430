# SPDX-License-Identifier: Apache-2.0
"""Spaces and functions that the tests of runtime_tuning share."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from trimtab.problems.runtime_tuning.encoding import Encoding, Floats
from trimtab.problems.runtime_tuning.problem import Trial
from trimtab.problems.runtime_tuning.space import Knob, KnobSpace, Values

#: One knob of each sort, conditions in a chain, a forbidden clause.
MIXED = KnobSpace(
    (
        Knob("gc", "enum", "g1", values=("g1", "serial", "parallel")),
        Knob("regions", "int", 64, 1, 4096, log=True, special=(0, -1), when={"gc": ("g1",)}),
        Knob("pause", "real", 0.2, 0.01, 1.0, log=True, when={"regions": (0,)}),
        Knob("threads", "int", 2, 1, 8),
        Knob("page", "enum", 4096, values=(512, 4096, 16384, 65536)),
        Knob("ratio", "real", 0.5, 0.0, 1.0),
        Knob("huge", "bool", False),
        Knob("order", "permutation", ("a", "b", "c", "d"), values=("a", "b", "c", "d")),
    ),
    forbidden=({"gc": ("serial",), "huge": (True,)},),
)


@st.composite
def knobs(draw: st.DrawFn, name: str) -> Knob:
    """Any knob without conditions."""
    kind = draw(st.sampled_from(["int", "real", "bool", "enum", "steps", "permutation"]))
    if kind == "bool":
        return Knob(name, "bool", draw(st.booleans()))
    if kind in ("enum", "permutation"):
        items = tuple("abcdef"[: draw(st.integers(2, 6 if kind == "enum" else 4))])
        return Knob(name, kind, items if kind == "permutation" else draw(st.sampled_from(items)), values=items)
    if kind == "steps":
        steps = tuple(sorted(draw(st.sets(st.integers(0, 10**6), min_size=2, max_size=7))))
        return Knob(name, "enum", draw(st.sampled_from(steps)), values=steps)
    log = draw(st.booleans())
    low = draw(st.integers(1 if log else -50, 1000))
    high = draw(st.integers(low + 1, low + 100_000))
    special = (low - 1, low - 2)[: draw(st.integers(0, 2))]
    if kind == "int":
        return Knob(name, "int", draw(st.integers(low, high)), low, high, log=log, special=special)
    default = draw(st.floats(low, high, allow_subnormal=False))
    return Knob(name, "real", default, float(low), float(high), log=log, special=special)


@st.composite
def spaces(draw: st.DrawFn) -> KnobSpace:
    return KnobSpace(tuple(draw(knobs(f"k{i}")) for i in range(draw(st.integers(1, 6)))))


def wide(seed: int, count: int = 12) -> KnobSpace:
    """Knobs of random kinds."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(count):
        name, kind = f"k{i}", rng.integers(4)
        if kind == 0:
            made.append(Knob(name, "bool", bool(rng.integers(2))))
        elif kind == 1:
            made.append(Knob(name, "enum", "abcd"[rng.integers(4)], values=tuple("abcd")))
        elif kind == 2:
            made.append(Knob(name, "int", int(2 ** rng.integers(1, 9)), 1, 1024, log=True))
        else:
            made.append(Knob(name, "real", float(rng.random()), 0.0, 1.0))
    return KnobSpace(tuple(made))


class Bumpy:
    """A loss with a few knobs that matter, bends and interactions; 0 at the default."""

    def __init__(self, seed: int, noise: float = 0.02, count: int = 12) -> None:
        self.space = wide(seed, count)
        self.noise = noise
        self._encoding = Encoding(self.space)
        rng = np.random.default_rng((seed, 1))
        many = len(self._encoding.owner)
        matters = rng.exponential(1.0, count) ** 2
        self._scale = (matters / matters.max())[self._encoding.owner]
        self._line = rng.normal(size=(many, 3))
        self._wave = 1.5 * rng.normal(size=(many, 40))
        self._phase = 2.0 * math.pi * rng.random(40)
        self._home = 0.0
        self._home = float(self(self._encoding.default[None, :])[0])

    def __call__(self, codes: Floats) -> Floats:
        z = self._encoding.coordinates(codes) * self._scale
        found: Floats = 0.3 * z @ self._line[:, 0] + 0.2 * np.abs(z @ self._line[:, 1] - 0.3)
        return found + 0.5 * np.cos(z @ self._wave + self._phase).mean(axis=1) * math.sqrt(40.0) * 0.3 - self._home

    def loss(self, values: Values) -> float:
        return float(self(self._encoding.encode([values]))[0])

    def measure(self, values: Values, rng: np.random.Generator) -> Trial:
        return Trial(values, "ok", self.loss(values) + self.noise * float(rng.standard_normal()))

    def lowest(self, draws: int = 20_000) -> float:
        return float(self(self._encoding.spread(np.random.default_rng(0).random((draws, self._encoding.size)))).min())
