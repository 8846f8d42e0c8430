# SPDX-License-Identifier: Apache-2.0
"""The labels that the package ships."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

from trimtab.core.errors import MissingData, Unavailable
from trimtab.problems.block_throughput.system import Admitted, Passes, Pool, Record, admit, fingerprint, measure_labels
from trimtab.problems.block_throughput.workload import labelled, shipping
from trimtab.problems.block_throughput.workload.labelled import Labelled, read_labelled

DATA = Path(labelled.__file__).parent / "data"


@pytest.fixture(scope="module")
def zen4() -> Labelled:
    return read_labelled(DATA / "zen4.npz")


@pytest.fixture(scope="module")
def zen5() -> Labelled:
    return read_labelled(DATA / "zen5.npz")


def test_they_are_small_enough_for_a_wheel():
    assert sum(path.stat().st_size for path in DATA.iterdir()) < 1_500_000


def test_they_are_of_two_cpus_and_say_how_they_were_made(zen4: Labelled, zen5: Labelled):
    assert (zen4.cpu, zen5.cpu) == ("AuthenticAMD-25-17", "AuthenticAMD-26-2")
    for card in (zen4.card, *zen5.card["captures"]):
        assert card["command"]
        assert card["clock"] == "tsc-calibrated"
        assert all(len(digest) == 64 for digest in card["sources"].values())
    assert "MIT" in zen4.card["licence"]
    assert any("Debian 12 packages" in note for card in zen5.card["captures"] for note in card["notes"])


@pytest.mark.parametrize("name", ["zen4", "zen5"])
def test_each_block_is_there_once_and_may_run(name: str, request: pytest.FixtureRequest):
    shipped: Labelled = request.getfixturevalue(name)
    assert len(shipped) > 20_000
    assert len(set(shipped.blocks)) == len(shipped)
    every = shipped.blocks[::10]
    assert [block.hex() for block in every if not isinstance(admit(block), Admitted)] == []


def test_two_cores_of_one_family_agree_on_the_order(zen4: Labelled, zen5: Labelled):
    """The sets were made apart, by two programs on two machines. A mix-up of rows would give 0."""
    there = dict(zip(zen4.blocks, zen4.cycles, strict=True))
    pairs = np.array(
        [(there[block], cycles) for block, cycles in zip(zen5.blocks, zen5.cycles, strict=True) if block in there]
    )
    assert len(pairs) > 20_000
    assert kendalltau(pairs[:, 0], pairs[:, 1]).statistic > 0.8
    assert 0.5 < np.median(pairs[:, 1] / pairs[:, 0]) < 1  # Zen 5 is wider


def test_the_zen4_sample_is_what_its_command_makes(zen4: Labelled):
    try:
        again = shipping.make_zen4()
    except MissingData as error:
        pytest.skip(f"TRIMTAB_DATA is not set or has no Zen 4 labels: {error}")
    assert again.blocks == zen4.blocks
    assert again.application == zen4.application
    np.testing.assert_allclose(again.cycles, zen4.cycles, rtol=2e-4)


def test_they_can_be_measured_again(zen4: Labelled, zen5: Labelled):
    """On a CPU that labels are shipped for: a sample, measured now."""
    shipped = next((one for one in (zen4, zen5) if one.cpu == fingerprint()), None)
    if shipped is None:
        return  # no labels of this CPU; what the harness itself measures is tested beside it
    chosen = np.random.default_rng(0).permutation(len(shipped))[:200]
    admitted = [admit(shipped.blocks[at]) for at in chosen]
    blocks = [block for block in admitted if isinstance(block, Admitted)]
    assert len(blocks) == len(chosen)
    records = [Record() for _ in blocks]
    try:
        with Pool() as pool:
            measure_labels(pool, blocks, records, Passes(3, 6))
    except Unavailable as error:
        pytest.skip(str(error))
    now = np.array([record.label().cycles for record in records])
    difference = np.abs(now / shipped.cycles[chosen] - 1)
    difference = difference[np.isfinite(difference)]
    assert len(difference) > 100
    assert np.median(difference) < 0.02
