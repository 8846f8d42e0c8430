# SPDX-License-Identifier: Apache-2.0
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trimtab.problems.runtime_tuning.encoding import Encoding
from trimtab.problems.runtime_tuning.encoding.moves import distinct, everywhere, mutated, neighbours
from trimtab.problems.runtime_tuning.encoding.sobol import design
from trimtab.problems.runtime_tuning.space import Knob, KnobSpace

from ..spaces import MIXED, spaces


@given(space=spaces(), seed=st.integers(0, 99))
def test_moves_lead_to_values_that_the_knobs_have(space: KnobSpace, seed: int) -> None:
    encoding, rng = Encoding(space), np.random.default_rng(seed)
    parents = everywhere(encoding, 3, rng)
    for codes in [*mutated(encoding, parents, 20, rng), *neighbours(encoding, parents[0], rng)]:
        space.check(encoding.decode(codes))
        assert np.allclose(encoding.encode([encoding.decode(codes)])[0], codes, atol=1e-9)


def test_neighbours_differ_in_one_knob_and_reach_every_listed_value() -> None:
    encoding = Encoding(KnobSpace(tuple(k for k in MIXED.knobs if not k.when)))
    home = encoding.default
    near = neighbours(encoding, home, np.random.default_rng(0))
    assert ((near != home).sum(axis=1) == 1).all()
    for i in encoding.listed:
        count = int(encoding.counts[i])
        reached = {float(v) for v in near[:, i]}
        assert len(reached) == count if count <= 12 else len(reached) > 6


def test_mutants_change_few_knobs_most_of_the_time() -> None:
    encoding = Encoding(KnobSpace(tuple(Knob(f"x{i}", "real", 0.5, 0.0, 1.0) for i in range(20))))
    codes = mutated(encoding, encoding.default[None, :], 2000, np.random.default_rng(0))
    changed = (codes != encoding.default).sum(axis=1)
    assert np.median(changed) <= 3
    assert changed.max() <= 20


def test_the_design_fills_small_spaces_without_repeats_and_avoids_what_is_forbidden() -> None:
    tiny = KnobSpace((Knob("a", "bool", False), Knob("b", "bool", False)), forbidden=({"a": (True,), "b": (True,)},))
    assert len(design(Encoding(tiny), 10, seed=0)) == 3
    encoding = Encoding(MIXED)
    codes = design(encoding, 50, seed=3)
    assert len(distinct(codes)) == 50
    assert encoding.allowed(codes).all()
    assert (codes == design(encoding, 50, seed=3)).all()
    assert (codes != design(encoding, 50, seed=4)).any()


def test_the_design_is_more_even_than_random_draws() -> None:
    """Star discrepancy of one dimension: scrambled Sobol is O(1/n), random O(1/sqrt(n))."""
    encoding = Encoding(KnobSpace(tuple(Knob(f"x{i}", "real", 0.5, 0.0, 1.0) for i in range(6))))
    codes = design(encoding, 64, seed=1)
    steps = (np.arange(64) + 0.5) / 64
    uneven = max(np.abs(np.sort(codes[:, i]) - steps).max() for i in range(6))
    assert uneven < 0.05
