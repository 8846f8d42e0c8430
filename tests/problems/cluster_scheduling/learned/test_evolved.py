# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("cma")
pytest.importorskip("safetensors")

from trimtab.core.errors import BudgetSpent, DataError, UsageError
from trimtab.core.fingerprint import fingerprint
from trimtab.core.task import Budget, Task
from trimtab.kit.weights import save_weights
from trimtab.problems.cluster_scheduling import learned
from trimtab.problems.cluster_scheduling.learned.evolved import (
    KINDS,
    EvolvedIndex,
    EvolvedIndexLearner,
    Progress,
    Settings,
)
from trimtab.problems.cluster_scheduling.problem import JobStream
from trimtab.problems.cluster_scheduling.simulator import CompiledPolicy, Decision, Simulator, simulate
from trimtab.problems.cluster_scheduling.simulator.index import SIZE, prior
from trimtab.problems.cluster_scheduling.simulator.made import made_stream
from trimtab.problems.cluster_scheduling.simulator.rules import INDEX

QUICK = Settings(generations=6, population=6, jobs=12, check_every=2, threads=1)


def streams(mean_gap_ms: float = 0.0) -> list[JobStream]:
    return [made_stream(seed, jobs=4, executors=5, mean_gap_ms=mean_gap_ms) for seed in range(3)]


def tasks(instances: list[JobStream], seconds: float = np.inf) -> list[Task[JobStream, Decision]]:
    return [Task(instance, Simulator(), Budget(0, seconds), seed=7) for instance in instances]


def fit(instances: list[JobStream], seconds: float = np.inf) -> tuple[EvolvedIndex, list[Progress]]:
    lines: list[Progress] = []
    return EvolvedIndexLearner(QUICK, lines.append).fit(tasks(instances, seconds)), lines


def test_training_is_never_worse_than_where_it_begins_on_the_held_out_stream() -> None:
    instances = streams()
    solver, lines = fit(instances)
    policy = solver.solve(tasks(instances)[0])
    reached, begin = (
        simulate(instances[0], p, seed=0).metrics["average_jct"] for p in (policy, CompiledPolicy("", INDEX, prior()))
    )
    assert reached <= begin
    assert lines[0].average_jct == pytest.approx(begin)
    assert [line.generation for line in lines] == [0, 2, 4, 6]
    assert min(line.average_jct for line in lines) == pytest.approx(
        reached, rel=1e-3
    )  # the weights are kept as float32
    again, _ = fit(instances)
    np.testing.assert_array_equal(again.weights["batch"], solver.weights["batch"])


def test_batches_and_streams_get_weights_of_their_own() -> None:
    both = [*streams(), *streams(3000)]
    solver, lines = fit(both)
    assert {line.kind for line in lines} == set(KINDS)
    assert not np.array_equal(solver.weights["batch"], solver.weights["stream"])
    for instance, kind in ((both[0], "batch"), (both[-1], "stream")):
        chosen = solver.solve(tasks([instance])[0]).parameters
        np.testing.assert_array_equal(chosen, solver.weights[kind].astype(np.float64))


def test_a_budget_ends_training() -> None:
    solver, lines = fit(streams(), seconds=0.0)
    assert [line.generation for line in lines] == [0]
    np.testing.assert_array_equal(solver.weights["batch"], prior().astype(np.float32))
    with pytest.raises(UsageError, match="no instances"):
        EvolvedIndexLearner(QUICK).fit([])


def test_it_says_what_it_learnt_from() -> None:
    instances = streams()
    solver, _ = fit(instances)
    assert solver.trained_on == {fingerprint(instance) for instance in instances}
    assert solver.fit_s > 0


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    solver, _ = fit(streams())
    solver.save(tmp_path / "mine.safetensors")
    loaded = learned.load(tmp_path / "mine.safetensors")
    assert isinstance(loaded, EvolvedIndex)
    assert loaded.trained_on == solver.trained_on
    for kind in KINDS:
        np.testing.assert_array_equal(loaded.weights[kind], solver.weights[kind])
    made = made_stream(9, jobs=6, executors=4)
    policies = [s.solve(tasks([made])[0]) for s in (solver, loaded)]
    np.testing.assert_array_equal(*(simulate(made, policy, seed=1).done_ms for policy in policies))


@pytest.mark.parametrize(
    ("size", "value", "words"), [(SIZE, np.nan, "NaN"), (SIZE - 1, 0.0, "expected float32"), (0, 0.0, "expected")]
)
def test_hostile_weights_are_refused(tmp_path: Path, size: int, value: float, words: str) -> None:
    path = tmp_path / "bad.safetensors"
    save_weights(path, {kind: np.full(size, value, np.float32) for kind in KINDS}, {})
    with pytest.raises(DataError, match=words):
        EvolvedIndex.load(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    save_weights(path, {"batch": np.zeros(SIZE, np.float32)}, {})
    with pytest.raises(DataError, match="'stream' is missing"):
        EvolvedIndex.load(path)
    whole = path.read_bytes()
    for content in (b"", whole[: len(whole) // 2], b"\xff" * 40, b"x" * (1 << 22)):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"bad\.safetensors"):
            EvolvedIndex.load(path)
    with pytest.raises(DataError, match="can't be read"):
        learned.load(tmp_path / "none.safetensors")


def test_deciding_never_evaluates() -> None:
    task = tasks(streams())[0]
    EvolvedIndex({kind: prior().astype(np.float32) for kind in KINDS}).solve(task)
    assert task.evaluations == 0
    with pytest.raises(BudgetSpent):
        task.evaluate(CompiledPolicy("", INDEX, prior()))
