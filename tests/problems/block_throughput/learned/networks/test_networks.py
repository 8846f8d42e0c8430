# SPDX-License-Identifier: Apache-2.0
"""The NumPy versions against torch, and training against a law that is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("iced_x86")

import torch

from trimtab.core.errors import DataError
from trimtab.problems.block_throughput.baselines.ragged import Ragged
from trimtab.problems.block_throughput.baselines.tokens import vocabulary
from trimtab.problems.block_throughput.baselines.trained import Examples
from trimtab.problems.block_throughput.learned.networks import Network
from trimtab.problems.block_throughput.learned.networks.network import KINDS, Kind, texts
from trimtab.problems.block_throughput.learned.networks.recurrent import last_hidden
from trimtab.problems.block_throughput.learned.networks.training import Settings, begin, train

from ...baselines.made import made


def trained(kind: Kind, seconds: float = 60.0, epochs: float = 30.0) -> tuple[Network, Examples]:
    seen, settings = (
        made(0),
        Settings(seconds=seconds, epochs=epochs, hidden=16, work=400, blocks=24, rate=1e-2, average=0.9),
    )
    words = vocabulary(texts(kind, seen.blocks), 1)
    network = begin(kind, seen, words, settings, seed=0)
    train(network, seen.cycles, settings, seed=0)
    card = {"solver": kind, "words": list(words), "targets": list(seen.targets), "hidden": 16}
    return Network({name: np.array(array) for name, array in network.arrays().items()}, card), seen


@pytest.mark.parametrize("kind", KINDS)
def test_numpy_and_torch_predict_the_same(kind: Kind) -> None:
    seen = made(3, 40)
    words = vocabulary(texts(kind, seen.blocks), 1)
    network = begin(kind, seen, words, Settings(hidden=8), seed=5)
    with torch.no_grad():
        expected = network.log_cycles(np.arange(40)).exp().numpy()
    card = {"solver": kind, "words": list(words), "targets": list(seen.targets), "hidden": 8}
    model = Network(network.arrays(), card)
    for target in (0, 1):
        rows = np.flatnonzero(seen.target == target)
        found = model.predict(seen.code, seen.blocks, target)
        np.testing.assert_allclose(found[rows], expected[rows], rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_training_finds_costs_that_add_up(kind: Kind) -> None:
    model, _ = trained(kind)
    unseen = made(1)
    for target in (0, 1):
        rows = np.flatnonzero(unseen.target == target)
        part = unseen.take(rows)
        error = np.abs(model.predict(part.code, part.blocks, target) / part.cycles - 1)
        assert error.mean() < 0.12  # guessing the median has 0.5 or more


def test_training_ends_in_time_and_repeats() -> None:
    seen = made(0)
    words = vocabulary(texts("ithemal", seen.blocks), 1)
    settings = Settings(seconds=np.inf, epochs=1, hidden=8, work=400, blocks=24)
    first, second = (begin("ithemal", seen, words, settings, seed=4) for _ in range(2))
    for network in (first, second):
        train(network, seen.cycles, settings, seed=4)
    for name, array in first.arrays().items():
        np.testing.assert_array_equal(array, second.arrays()[name])
    at_once = train(first, seen.cycles, Settings(seconds=0.0, hidden=8), seed=4)
    assert at_once.steps == 0


def test_an_lstm_over_rows_of_different_lengths() -> None:
    torch.manual_seed(0)
    cell = torch.nn.LSTM(5, 7, batch_first=True)
    words = torch.randn(20, 5)
    chosen = [[1, 2, 3], [4], [5, 6, 7, 8, 9, 10], [11, 12]]
    with torch.no_grad():
        expected = [cell(words[row][None])[1][0][0, 0].numpy() for row in chosen]
        table = (words @ cell.weight_ih_l0.T + cell.bias_ih_l0 + cell.bias_hh_l0).numpy()
    found = last_hidden(table, Ragged.of(chosen), cell.weight_hh_l0.detach().numpy())
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_go_to_a_file_and_back(kind: Kind, tmp_path: Path) -> None:
    model, seen = trained(kind, seconds=0.0)
    path = tmp_path / "mine.safetensors"
    model.save(path)
    loaded = Network.load(path)
    for target in (0, 1):
        np.testing.assert_array_equal(
            loaded.predict(seen.code, seen.blocks, target), model.predict(seen.code, seen.blocks, target)
        )
    for field, value in {"solver": "decima", "words": ["add64"], "targets": [], "hidden": -3}.items():
        Network(model.weights, {**model.card, field: value}).save(path)
        with pytest.raises(DataError, match=str(field) if field != "solver" else "decima"):
            Network.load(path)
    Network(model.weights, {**model.card, "hidden": 17}).save(path)
    with pytest.raises(DataError, match="expected float32"):
        Network.load(path)
