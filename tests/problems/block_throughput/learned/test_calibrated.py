# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trimtab.core.errors import DataError, Unavailable, UsageError
from trimtab.kit.weights import load_weights, save_weights
from trimtab.problems.block_throughput import predict
from trimtab.problems.block_throughput.learned import Calibrated, fit_model, shipped
from trimtab.problems.block_throughput.learned.trees import Trees
from trimtab.problems.block_throughput.workload.suites import SHIPPED, instances, truth
from trimtab.problems.block_throughput.workload.suites import shipped as labels

ZEN4 = "AuthenticAMD-25-17"


@pytest.fixture(scope="module")
def small() -> Calibrated:
    one = labels(SHIPPED[0])
    return fit_model(one.blocks[:700], one.cycles[:700], cpu=one.cpu, seconds=6)


def test_what_is_trained_is_saved_and_loaded_whole(small: Calibrated, tmp_path: Path) -> None:
    small.save(tmp_path / "m.safetensors")
    loaded = Calibrated.load(tmp_path / "m.safetensors")
    blocks = labels(SHIPPED[0]).blocks[700:900]
    before, after = small.predict(blocks, ZEN4), loaded.predict(blocks, ZEN4)
    for name in ("cycles", "low", "high"):
        assert np.array_equal(getattr(before, name), getattr(after, name)), name


def test_a_small_training_already_predicts_other_blocks(small: Calibrated) -> None:
    one = labels(SHIPPED[0])
    error = np.abs(small.predict(one.blocks[700:1700], ZEN4).cycles / one.cycles[700:1700] - 1)
    assert np.median(error) < 0.03


def test_an_unknown_cpu_is_refused_with_the_command_that_measures_it(small: Calibrated) -> None:
    with pytest.raises(Unavailable, match="capture block_throughput"):
        small.predict([b"\x90"], "GenuineIntel-6-85")


def test_a_strange_instruction_widens_the_interval(small: Calibrated) -> None:
    known, strange = bytes.fromhex("4801c8"), bytes.fromhex("0f38c8c1")  # sha1nexte
    answer = small.predict([known, strange], ZEN4)
    assert answer.low is not None and answer.high is not None
    width = answer.high / answer.low
    assert width[1] >= 4 and width[0] < width[1]


def test_what_is_no_straight_line_code_has_no_answer(small: Calibrated) -> None:
    answer = small.predict([b"\x06", bytes.fromhex("eb00"), b"\x90"], ZEN4)
    assert np.isnan(answer.cycles).tolist() == [True, True, False]


def test_other_versions_and_broken_files_are_refused(small: Calibrated, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    small.save(path)
    payload = path.read_bytes()
    size = int.from_bytes(payload[:8], "little")
    header = json.loads(payload[8 : 8 + size])
    shapes = {name: tuple(part["shape"]) for name, part in header.items() if name != "__metadata__"}
    arrays, card = load_weights(path, shapes)
    for wrong, message in (({**card, "version": "0"}, "version"), ({**card, "cores": [{}]}, "describe")):
        save_weights(path, arrays, wrong)
        with pytest.raises(DataError, match=message):
            Calibrated.load(path)
    hanging = dict(arrays)
    hanging["0.forms"] = arrays["0.forms"].copy()
    hanging["0.forms"][0, 6] = 0  # no port to run on
    save_weights(path, hanging, card)
    with pytest.raises(DataError, match="form"):
        Calibrated.load(path)


def test_nothing_to_learn_from_is_said() -> None:
    with pytest.raises(UsageError, match="no labelled blocks"):
        fit_model([b"\x06"], np.array([1.0]), cpu="x")


def test_compiled_trees_are_the_forest(small: Calibrated) -> None:
    core = small.cores[0]
    table = np.random.default_rng(0).normal(size=(700, 200)).astype(np.float32)
    assert np.allclose(Trees(core.residual).predict(table), core.residual.predict(table.astype(np.float64)), atol=1e-5)


def test_the_shipped_weights_hold_what_they_promise() -> None:
    """Held-out applications of the shipped labels, both CPUs."""
    model = shipped()
    for cpu in {one.cpu for one in model.cores}:
        parts = [one for one in instances("test").values() if one.cpu == cpu]
        blocks = [block for one in parts for block in one.blocks]
        true = np.concatenate([truth(one) for one in parts])
        answer = model.predict(blocks, cpu)
        assert answer.low is not None and answer.high is not None
        error = np.abs(answer.cycles / true - 1)
        assert error.mean() < 0.09 and np.median(error) < 0.02, cpu
        assert 0.85 <= ((answer.low <= true) & (true <= answer.high)).mean() <= 0.95, cpu


def test_predict_is_the_shipped_model() -> None:
    blocks = [bytes.fromhex("480fafc1"), bytes.fromhex("4801c8")]
    assert predict(blocks, cpu=ZEN4) == pytest.approx([3.0, 1.0], rel=0.03)
    assert np.array_equal(predict(blocks, cpu=ZEN4), shipped().predict(blocks, ZEN4).cycles)


def test_without_trees_the_simulator_answers(small: Calibrated) -> None:
    bare = replace(small, correct=False)
    assert bare.predict([bytes.fromhex("480fafc1")], ZEN4).cycles[0] == pytest.approx(3.0, rel=0.05)
