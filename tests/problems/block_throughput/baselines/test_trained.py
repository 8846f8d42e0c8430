# SPDX-License-Identifier: Apache-2.0
"""What all trained baselines promise, whatever they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("iced_x86")
pytest.importorskip("lightgbm")
pytest.importorskip("torch")

from trimtab.core.errors import DataError, Unavailable, UsageError
from trimtab.core.fingerprint import fingerprint
from trimtab.problems.block_throughput.baselines import trained
from trimtab.problems.block_throughput.baselines.boosted import BoostedCounts, BoostedCountsLearner
from trimtab.problems.block_throughput.baselines.opcodes import OpcodeCosts, OpcodeCostsLearner
from trimtab.problems.block_throughput.baselines.trained import Trained
from trimtab.problems.block_throughput.learned.networks import Network, NetworkLearner
from trimtab.problems.block_throughput.learned.networks.training import Settings
from trimtab.problems.block_throughput.problem import BlockSet

from .made import TARGETS, instance, law, made, task_of

LEARNERS = {
    "mean_opcode": (OpcodeCosts, OpcodeCostsLearner("mean_opcode")),
    "linear": (OpcodeCosts, OpcodeCostsLearner("linear")),
    "boosted_counts": (BoostedCounts, BoostedCountsLearner(trees=20)),
    "boosted_mca": (BoostedCounts, BoostedCountsLearner("boosted_mca", trees=20)),
    "ithemal": (Network, NetworkLearner("ithemal", Settings(epochs=2, hidden=8, work=400, blocks=24))),
    "granite": (Network, NetworkLearner("granite", Settings(epochs=2, hidden=8, work=400, blocks=24))),
}
each = pytest.mark.parametrize("name", LEARNERS)


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Trained]:
    monkeypatch.setattr(trained, "truth", law)
    return lambda name: LEARNERS[name][1].fit([task_of(one) for one in INSTANCES])


SEEN = made(0, 200)
INSTANCES = [instance(SEEN, 0), instance(SEEN, 1)]


@each
def test_it_says_what_it_is_and_what_it_learnt_from(name: str, fitted: Callable[[str], Trained]) -> None:
    model = fitted(name)
    assert model.card["solver"] == name and model.card["targets"] == list(TARGETS)
    assert model.trained_on == {fingerprint(one) for one in INSTANCES}
    assert model.card["examples"] + model.card["held_out"]["blocks"] == len(SEEN.cycles)
    assert model.fit_s > 0 and model.card["seed"] == 7


@each
def test_it_answers_for_its_cpus_only(name: str, fitted: Callable[[str], Trained]) -> None:
    model = fitted(name)
    first, second = (model.solve(task_of(one)).cycles for one in INSTANCES)
    assert len(first) == len(INSTANCES[0].blocks) and (first > 0).all() and np.isfinite(first).all()
    swapped = BlockSet(INSTANCES[0].blocks, cpu=INSTANCES[1].cpu)
    other = model.solve(task_of(swapped)).cycles
    assert not np.allclose(first, other)
    assert np.isfinite(second).all()
    for unknown in (BlockSet(swapped.blocks, cpu="Maker-9-9"), BlockSet(swapped.blocks, cpu=swapped.cpu, notion="L")):
        with pytest.raises(Unavailable, match=f"not for {unknown.cpu} {unknown.notion}"):
            model.solve(task_of(unknown))


@each
def test_what_is_saved_is_loaded(name: str, fitted: Callable[[str], Trained], tmp_path: Path) -> None:
    model, path = fitted(name), tmp_path / "mine.safetensors"
    model.save(path)
    kind = LEARNERS[name][0]
    loaded = kind.load(path)
    assert loaded.card == model.card
    one = task_of(INSTANCES[0])
    np.testing.assert_allclose(loaded.solve(one).cycles, model.solve(one).cycles, rtol=1e-5)
    for other in {OpcodeCosts, BoostedCounts, Network} - {kind}:
        with pytest.raises(DataError, match=name):
            other.load(path)


def test_without_labels_there_is_nothing_to_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trained, "truth", lambda one: np.full(len(one.blocks), np.nan))
    with pytest.raises(UsageError, match="no labelled blocks"):
        OpcodeCostsLearner().fit([task_of(INSTANCES[0])])
