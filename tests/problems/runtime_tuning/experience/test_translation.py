# SPDX-License-Identifier: Apache-2.0
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.problems.runtime_tuning.encoding import Encoding
from trimtab.problems.runtime_tuning.experience.translation import Translation
from trimtab.problems.runtime_tuning.space import Knob, KnobSpace

from ..spaces import MIXED, spaces


@given(spaces(), st.integers(0, 99))
def test_equal_spaces_have_equal_codes(space: KnobSpace, seed: int) -> None:
    here = Encoding(space)
    codes = here.spread(np.random.default_rng(seed).random((8, here.size)))
    assert (Translation(here, Encoding(space))(codes) == codes).all()


def test_values_are_kept_and_clipped_and_what_is_not_there_is_at_its_default() -> None:
    """By the values themselves, one by one."""
    here, there = Encoding(MIXED), Encoding(_other())
    codes = here.spread(np.random.default_rng(0).random((300, here.size)))
    for row, moved in zip(codes, Translation(here, there)(codes), strict=True):
        values, found = here.decode(row), there.decode(moved)
        assert found["gc"] == (values["gc"] if values["gc"] != "parallel" else "z")
        assert found["threads"] == min(int(str(values["threads"])), 6)
        assert math.isclose(float(str(found["ratio"])), min(float(str(values["ratio"])), 0.75), rel_tol=1e-6)
        assert found["huge"] == values["huge"]
        assert found["new"] == 7
        regions = int(str(values["regions"]))
        wanted = {0: 0, -1: 256}.get(regions, min(max(regions, 16), 8192)) if found["gc"] == "g1" else 256
        assert found["regions"] == wanted


def test_the_share_of_knobs_that_are_here() -> None:
    assert Translation(Encoding(MIXED), Encoding(_other())).share == pytest.approx(5 / 6)
    assert Translation(Encoding(_other()), Encoding(MIXED)).share == pytest.approx(5 / 8)
    renamed = KnobSpace(tuple(replace(k, name=f"x{k.name}", when={}) for k in MIXED.knobs))
    assert Translation(Encoding(renamed), Encoding(MIXED)).share == 0.0


def _other() -> KnobSpace:
    return KnobSpace(
        (
            Knob("threads", "int", 3, 1, 6),
            Knob("gc", "enum", "z", values=("z", "serial", "g1")),
            Knob("regions", "int", 256, 16, 8192, log=True, special=(0,), when={"gc": ("g1",)}),
            Knob("ratio", "real", 0.1, 0.0, 0.75),
            Knob("huge", "bool", True),
            Knob("new", "int", 7, 0, 100),
        )
    )
