# SPDX-License-Identifier: Apache-2.0
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.problems.runtime_tuning.encoding import Encoding
from trimtab.problems.runtime_tuning.space import Knob, KnobSpace

from ..spaces import MIXED, spaces


@given(space=spaces(), seed=st.integers(0, 1000))
def test_a_code_is_its_value_again(space: KnobSpace, seed: int) -> None:
    encoding = Encoding(space)
    values = space.draw(np.random.default_rng(seed))
    again = encoding.decode(encoding.encode([values])[0])
    for knob in space.knobs:
        assert again[knob.name] == (pytest.approx(values[knob.name]) if knob.kind == "real" else values[knob.name])


@given(space=spaces(), seed=st.integers(0, 1000))
def test_points_of_the_cube_are_spread_as_the_space_spreads_them(space: KnobSpace, seed: int) -> None:
    u = np.random.default_rng(seed).random((20, len(space.knobs)))
    encoding = Encoding(space)
    for row, codes in zip(u, encoding.spread(u), strict=True):
        expected, found = space.at(row), encoding.decode(codes)
        for knob in space.knobs:
            want = expected[knob.name]
            assert found[knob.name] == (pytest.approx(want, rel=1e-6, abs=1e-6) if knob.kind == "real" else want)


def test_conditions_and_clauses_hold_as_the_space_says() -> None:
    encoding = Encoding(MIXED)
    u = np.random.default_rng(0).random((400, encoding.size))
    codes = encoding.spread(u)
    assert len({bool(a) for a in encoding.allowed(codes)}) == 2
    chains = 0
    for row, active, allowed in zip(codes, encoding.active(codes), encoding.allowed(codes), strict=True):
        values = encoding.decode(row)
        names = {c.knob.name for c, a in zip(encoding.columns, active, strict=True) if a}
        assert names == set(MIXED.active(values))
        assert allowed == MIXED.allows(values)
        chains += "pause" in names
    assert chains > 4  # gc -> regions -> pause


def test_distances_of_each_sort_of_knob() -> None:
    def apart(knob: Knob, a: object, b: object) -> float:
        encoding = Encoding(KnobSpace((knob,)))
        x, y = encoding.coordinates(encoding.encode([{knob.name: a}, {knob.name: b}]))  # type: ignore[dict-item]
        return float(((x - y) ** 2).sum())

    assert apart(Knob("b", "bool", False), False, True) == pytest.approx(1.0)
    enum = Knob("e", "enum", "x", values=("x", "y", "z"))
    assert [apart(enum, *p) for p in itertools.combinations("xyz", 2)] == pytest.approx([1.0] * 3)
    steps = Knob("s", "enum", 1, values=(1, 2, 4, 8))
    assert apart(steps, 1, 2) < apart(steps, 1, 4) < apart(steps, 1, 8) == pytest.approx(1.0)
    number = Knob("n", "real", 1.0, 1.0, 100.0, log=True, special=(0,))
    assert apart(number, 1.0, 10.0) == pytest.approx(apart(number, 10.0, 100.0)) == pytest.approx(0.25)
    assert apart(number, 0, 10.0) == pytest.approx(1.0)  # a special value is no neighbour of any number
    order = Knob("o", "permutation", ("a", "b", "c"), values=("a", "b", "c"))
    assert apart(order, ("a", "b", "c"), ("b", "a", "c")) == pytest.approx(1 / 3)  # one of three pairs turned
    assert apart(order, ("a", "b", "c"), ("c", "b", "a")) == pytest.approx(1.0)


def test_an_inactive_knob_has_one_place_and_no_effect() -> None:
    encoding = Encoding(MIXED)
    off = {**MIXED.default, "gc": "parallel"}
    same = encoding.encode([{**off, "regions": 2}, {**off, "regions": 2000}])
    points, features = encoding.arrays(same)
    assert (points[0] == points[1]).all()
    assert (features[:, encoding.feature_owner == 1] == 0).all()
    on = encoding.coordinates(encoding.encode([{**MIXED.default, "regions": 64}]))
    assert ((on - points[:1]) ** 2)[:, encoding.owner == 1].sum() > 0


@given(space=spaces())
def test_every_column_has_an_owner(space: KnobSpace) -> None:
    encoding = Encoding(space)
    codes = encoding.spread(np.random.default_rng(0).random((3, encoding.size)))
    assert encoding.coordinates(codes).shape == (3, len(encoding.owner))
    assert encoding.features(codes).shape == (3, len(encoding.feature_owner))
    for i in range(encoding.size):  # a changed knob moves only what it owns
        other = codes.copy()
        other[:, i] = encoding.spread(np.random.default_rng(1).random((3, encoding.size)))[:, i]
        moved = (encoding.coordinates(codes) != encoding.coordinates(other)).any(axis=0)
        assert set(encoding.owner[moved]) <= {i}
        bent = (encoding.features(codes) != encoding.features(other)).any(axis=0)
        assert set(encoding.feature_owner[bent]) <= {i}


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_basis_of_a_number_is_a_gaussian_kernel(a: float, b: float) -> None:
    encoding = Encoding(KnobSpace((Knob("x", "real", 0.5, 0.0, 1.0),)))
    x, y = encoding.features(encoding.encode([{"x": a}, {"x": b}]))
    assert x @ y == pytest.approx(np.exp(-0.5 * ((a - b) / 0.45) ** 2), abs=0.01)
