# SPDX-License-Identifier: Apache-2.0
"""Decima as a solver and as a learner: what it promises to a study, and its weights file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("safetensors")

from trimtab.core.errors import DataError, UsageError
from trimtab.core.fingerprint import fingerprint
from trimtab.core.task import Budget, Task
from trimtab.kit.weights import save_weights
from trimtab.problems.cluster_scheduling.learned.decima import (
    SHIPPED,
    Decima,
    DecimaLearner,
    flatten,
    shapes,
    unflatten,
)
from trimtab.problems.cluster_scheduling.problem import JobStream
from trimtab.problems.cluster_scheduling.simulator import Decision, Simulator, simulate
from trimtab.problems.cluster_scheduling.simulator.decima_net import NUM_WEIGHTS
from trimtab.problems.cluster_scheduling.simulator.made import made_stream

FLAT = np.random.default_rng(0).normal(scale=0.3, size=NUM_WEIGHTS).astype(np.float32).astype(np.float64)


def task(stream: JobStream, seconds: float = np.inf) -> Task[JobStream, Decision]:
    return Task(stream, Simulator(), Budget(seconds=seconds), seed=0)


def test_flat_and_named_weights_are_the_same_numbers() -> None:
    np.testing.assert_array_equal(flatten(unflatten(FLAT)), FLAT)
    assert sum(int(np.prod(shape)) for shape in shapes().values()) == NUM_WEIGHTS


def test_saved_and_loaded_it_decides_the_same(tmp_path: Path) -> None:
    path, stream = tmp_path / "d.safetensors", made_stream(1, jobs=8)
    made = Decima(unflatten(FLAT), {"trained_on": ["ab"], "seed": 1})
    made.save(path)
    loaded = Decima.load(path)
    assert loaded.card == made.card
    assert loaded.trained_on == {"ab"}
    json.dumps(loaded.config)
    runs = [simulate(stream, solver.solve(task(stream)), seed=2) for solver in (made, loaded)]
    np.testing.assert_array_equal(runs[0].done_ms, runs[1].done_ms)


def test_another_networks_weights_are_refused(tmp_path: Path) -> None:
    arrays = unflatten(FLAT)
    del arrays["prepare.0.bias"]
    save_weights(tmp_path / "d", arrays, {})
    with pytest.raises(DataError, match=r"prepare\.0\.bias"):
        Decima.load(tmp_path / "d")


def test_deciding_needs_no_torch(tmp_path: Path) -> None:
    path = tmp_path / "d.safetensors"
    Decima(unflatten(FLAT), {}).save(path)
    code = (
        "import sys; from pathlib import Path\n"
        "from trimtab.problems.cluster_scheduling.learned.decima import Decima\n"
        f"Decima.load(Path({str(path)!r}))\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_learner_says_what_it_learnt_from_and_keeps_to_its_seconds() -> None:
    pytest.importorskip("torch")
    streams = [made_stream(seed, jobs=4) for seed in range(3)]
    lines: list[object] = []
    solver = DecimaLearner(report=lines.append).fit([task(stream, seconds=3) for stream in streams])
    assert solver.trained_on == {fingerprint(stream) for stream in streams}
    assert lines
    json.dumps(solver.card, allow_nan=False)
    assert not np.isnan(simulate(streams[0], solver.solve(task(streams[0])), seed=1).done_ms).any()


def test_nothing_to_train_on_is_an_error() -> None:
    with pytest.raises(UsageError, match="no instances"):
        DecimaLearner().fit([])


@pytest.mark.skipif(not SHIPPED.exists(), reason="no weights are shipped yet")
def test_the_shipped_weights_say_where_they_come_from() -> None:
    solver = Decima()
    assert {"command", "seed", "trained_on", "held_out"} <= set(solver.card)
    assert len(solver.trained_on) > 10
