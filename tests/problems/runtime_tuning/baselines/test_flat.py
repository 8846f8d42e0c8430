# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.errors import UsageError
from trimtab.problems.runtime_tuning.baselines.flat import Flat
from trimtab.problems.runtime_tuning.space import Knob, KnobSpace

from ..spaces import MIXED, spaces


@given(space=spaces(), seed=st.integers(0, 99))
def test_a_configuration_is_its_settings_again(space: KnobSpace, seed: int) -> None:
    flat, values = Flat(space), space.draw(np.random.default_rng(seed))
    settings = flat.settings(values)
    assert set(settings) == {p.name for p in flat.parameters}
    for p in flat.parameters:
        assert p.low <= settings[p.name] <= p.high
    assert flat.values(settings) == values


def test_the_defaults_are_the_default_and_special_values_are_choices() -> None:
    flat = Flat(MIXED)
    assert flat.values({p.name: p.default for p in flat.parameters}) == MIXED.default
    kinds = {p.name: p.kind for p in flat.parameters}
    assert kinds["regions special"] == "choice"
    assert kinds["page"] == "whole"  # steps of one scale
    off = {p.name: p.default for p in flat.parameters} | {"regions special": 1, "pause": 0.5}
    assert flat.values(off)["regions"] == 0


def test_an_order_of_many_items_is_refused() -> None:
    items = tuple("abcdefgh")
    with pytest.raises(UsageError, match="40320 orders"):
        Flat(KnobSpace((Knob("o", "permutation", items, values=items),)))
