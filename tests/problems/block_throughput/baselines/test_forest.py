# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from trimtab.core.errors import DataError
from trimtab.problems.block_throughput.baselines.forest import Forest, shapes

lightgbm = pytest.importorskip("lightgbm")


def data(rows: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 9, (rows, 6)).astype(float)
    return x, x[:, 0] * np.sqrt(x[:, 1]) - (x[:, 2] > 4)


def fitted() -> tuple[object, Forest, np.ndarray]:
    x, y = data()
    options = {"num_leaves": 15, "min_data_in_leaf": 5, "verbose": -1, "num_threads": 1}
    booster = lightgbm.train(options, lightgbm.Dataset(x, y), 30)
    return booster, Forest.of(booster), x


def test_it_predicts_what_lightgbm_predicts_also_from_float32() -> None:
    booster, forest, x = fitted()
    expected = booster.predict(x)  # type: ignore[attr-defined]
    np.testing.assert_allclose(forest.predict(x), expected, rtol=1e-9)
    arrays = forest.arrays()
    assert {name: array.shape for name, array in arrays.items()} == shapes(30, len(forest.feature))
    np.testing.assert_allclose(Forest.load(arrays, 6).predict(x), expected, rtol=1e-5, atol=1e-5)
    assert forest.predict(x[:0]).shape == (0,)


def test_hostile_arrays_are_refused() -> None:
    _, forest, _ = fitted()
    arrays = forest.arrays()
    inner = int(np.flatnonzero(arrays["nodes"][0] >= 0)[0])
    for row, value in ((0, 6), (0, -2), (2, inner), (3, 1e6), (2, -1)):
        nodes = arrays["nodes"].copy()
        nodes[row, inner] = value
        with pytest.raises(DataError, match="not there"):
            Forest.load({**arrays, "nodes": nodes}, 6)
    with pytest.raises(DataError, match="root"):
        Forest.load({**arrays, "root": arrays["root"] + 1e6}, 6)
