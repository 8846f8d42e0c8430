# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau

pytest.importorskip("iced_x86")
pytest.importorskip("numba")

from trimtab.problems.block_throughput.problem import CONTENTS, LENGTHS, METRICS, BlockSet, Floats, Prediction
from trimtab.problems.block_throughput.scoring import kinds, score

ADD, VECTOR, PUSH, UPDATE = (bytes.fromhex(code) for code in ("4801d8", "c5fb58c1", "53", "48830001"))
BLOCKS = BlockSet(
    (ADD, VECTOR, PUSH, UPDATE, ADD * 4, ADD * 11), cpu="Maker-1-1", frequency=np.array([1.0, 1, 1, 1, 1, 5])
)
TRUTH = np.array([1.0, 3.0, 1.0, 7.0, 4.0, 11.0])


def metrics(prediction: Prediction, truth: Floats = TRUTH) -> dict[str, float]:
    outcome = score(BLOCKS, prediction, truth)
    assert outcome.feasible, outcome.note
    interval = prediction.low is not None
    assert set(outcome.metrics) == {metric.name for metric in METRICS if interval or not metric.optional}
    return dict(outcome.metrics)


def test_the_truth_has_no_error() -> None:
    found = metrics(Prediction(TRUTH, TRUTH * 0.9, TRUTH * 1.1))
    assert [found[name] for name in ("mape", "median_ape", "weighted_mape", "mape_scalar", "mape_long")] == [0] * 5
    assert [found[name] for name in ("within_10", "coverage", "answered", "kendall_tau")] == [100, 100, 100, 1]
    assert found["interval_width"] == pytest.approx(1.1 / 0.9)


def test_errors_by_hand() -> None:
    found = metrics(Prediction(np.array([1.5, 3.0, 2.0, np.nan, 4.0, 12.1])))
    errors = [50.0, 0.0, 100.0, 100.0, 0.0, 10.0]
    assert found["mape"] == pytest.approx(np.mean(errors))
    assert found["median_ape"] == pytest.approx(30)
    assert found["within_10"] == pytest.approx(50)
    assert found["weighted_mape"] == pytest.approx((50 + 100 + 100 + 5 * 10) / 10)
    assert found["answered"] == pytest.approx(500 / 6)
    assert {name: found[f"mape_{name}"] for name in CONTENTS} == pytest.approx(
        {"scalar": 20, "vector": 0, "stack": 100, "load_store": 100}
    )
    assert {name: found[f"mape_{name}"] for name in LENGTHS} == pytest.approx({"short": 62.5, "medium": 0, "long": 10})


def test_coverage_is_of_the_blocks_that_have_an_answer() -> None:
    cycles = np.array([1.0, 3.0, 1.0, np.nan, 5.0, 11.0])
    found = metrics(Prediction(cycles, cycles, cycles * 2))
    assert found["coverage"] == pytest.approx(80) and found["interval_width"] == pytest.approx(2)


def test_blocks_without_a_truth_are_left_out_and_kinds_without_blocks_report_the_whole() -> None:
    found = metrics(Prediction(TRUTH * 2), np.where(np.arange(6) == 2, np.nan, TRUTH))
    assert found["mape"] == pytest.approx(100) == found["mape_stack"]
    few = score(BLOCKS, Prediction(TRUTH), np.full(6, np.nan))
    assert not few.feasible and "0 of 6 blocks were ever measured" in few.note


@pytest.mark.parametrize("field", ["cycles", "low", "high"])
def test_a_prediction_of_another_shape_is_infeasible(field: str) -> None:
    wrong = {"cycles": TRUTH, "low": TRUTH, "high": TRUTH, field: TRUTH[:-1]}
    outcome = score(BLOCKS, Prediction(**wrong), TRUTH)
    assert not outcome.feasible and repr(field) in outcome.note


def test_kinds() -> None:
    content, length = kinds(BLOCKS)
    assert [CONTENTS[at] for at in content] == ["scalar", "vector", "stack", "load_store", "scalar", "scalar"]
    assert [LENGTHS[at] for at in length] == ["short"] * 4 + ["medium", "long"]


@settings(max_examples=30)
@given(st.lists(st.floats(0.1, 50), min_size=6, max_size=6), st.sampled_from([0.25, 0.5, 2.0, 8.0]))
def test_tau_is_scipys_and_does_not_change_with_a_scale(values: list[float], scale: float) -> None:
    predicted = np.array(values)
    first, second = metrics(Prediction(predicted)), metrics(Prediction(predicted * scale))
    expected = float(kendalltau(predicted, TRUTH).statistic)
    assert first["kendall_tau"] == pytest.approx(0.0 if np.isnan(expected) else expected)
    assert second["kendall_tau"] == first["kendall_tau"]  # powers of 2: nothing is rounded, no tie comes or goes
