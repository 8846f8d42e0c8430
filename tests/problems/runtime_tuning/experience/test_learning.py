# SPDX-License-Identifier: Apache-2.0
"""What other programs taught: learnt, kept, used where it is right and dropped where it is wrong."""

import json
from pathlib import Path

import numpy as np
import pytest

from trimtab.core.errors import DataError, UsageError
from trimtab.core.task import Budget, Task
from trimtab.kit.weights import save_weights
from trimtab.problems.runtime_tuning.encoding import Encoding, Floats
from trimtab.problems.runtime_tuning.experience.learning import Experienced, ExperienceLearner
from trimtab.problems.runtime_tuning.experience.memory import Memory
from trimtab.problems.runtime_tuning.optimiser import Tuner
from trimtab.problems.runtime_tuning.optimiser.informed import Informed
from trimtab.problems.runtime_tuning.problem import Objective, Target
from trimtab.problems.runtime_tuning.simulator import Replay, Row, Simulator, Table
from trimtab.problems.runtime_tuning.solvers import hints_for
from trimtab.problems.runtime_tuning.workload import tables
from trimtab.problems.runtime_tuning.workload.suites import LESSONS, TRAIN

from ..spaces import Bumpy, wide

TRUTH = Bumpy(7, noise=0.05)


def _target(name: str, bumpy: Bumpy, rows: int = 400) -> Target:
    rng = np.random.default_rng(3)
    draws = [bumpy.space.draw(rng) for _ in range(rows)]
    runs = tuple(Row(v=tuple(d.values()), l=bumpy.measure(d, rng).loss) for d in draws)
    table = Table(name, bumpy.space, Objective(), runs)
    return Target(name, table.space, table.objective, replay=Replay(table, name))


def _learnt(*targets: Target) -> Experienced:
    return ExperienceLearner().fit([Task(t, Simulator(), Budget(0), 0) for t in targets])


@pytest.fixture(scope="module")
def learnt() -> Experienced:
    return _learnt(_target("one", TRUTH), _target("other", _other()))


def _other() -> Bumpy:
    """Something else that the same knobs do."""
    found = Bumpy(7, noise=0.05)
    many = len(found._line)
    rng = np.random.default_rng(8)
    found._line, found._wave = rng.normal(size=(many, 3)), 1.5 * rng.normal(size=(many, 40))
    found._scale = rng.permutation(found._scale)
    found._home = 0.0
    found._home = float(found(Encoding(found.space).default[None, :])[0])
    return found


def test_a_hint_ranks_configurations_that_it_never_saw(learnt: Experienced) -> None:
    hints = learnt.memory.hints(TRUTH.space)
    assert hints is not None
    assert hints.names == ("one", "other")
    codes = Encoding(TRUTH.space).spread(np.random.default_rng(50).random((500, 12)))
    found = hints(codes)
    assert np.corrcoef(found[:, 0], TRUTH(codes))[0, 1] > 0.9
    assert abs(np.corrcoef(found[:, 1], TRUTH(codes))[0, 1]) < 0.5


def test_what_was_saved_says_the_same(learnt: Experienced, tmp_path: Path) -> None:
    path = tmp_path / "programs.safetensors"
    learnt.save(path)
    again = Experienced.load(path)
    codes = Encoding(TRUTH.space).spread(np.random.default_rng(0).random((20, 12)))
    before, after = learnt.memory.hints(TRUTH.space), again.memory.hints(TRUTH.space)
    assert before is not None
    assert after is not None
    assert (before(codes) == after(codes)).all()
    assert again.card["programs"]["one"]["rows"] == 400


def test_a_program_is_told_nothing_of_itself(learnt: Experienced) -> None:
    """Neither by name, live or replayed, nor by its table under another name."""

    def names(target: Target) -> tuple[str, ...]:
        hints = hints_for(target, learnt.memory)
        return () if hints is None else hints.names

    assert names(Target("new", TRUTH.space)) == ("one", "other")
    assert names(Target("java-one", TRUTH.space)) == ("other",)
    assert names(_target("renamed", TRUTH)) == ("other",)
    assert names(Target("new", wide(1, 5))) == ()


def _share(hints: object, seed: int, trials: int = 14) -> float:
    """Of the gap that is closed after a few trials."""
    tuner, rng = Tuner(TRUTH.space, seed=seed, budget=trials, hints=hints), np.random.default_rng(seed)  # type: ignore[arg-type]
    for _ in range(trials):
        tuner.tell(TRUTH.measure(tuner.ask(), rng))
    return TRUTH.loss(tuner.best()) / TRUTH.lowest(4000)


def test_a_right_hint_helps_at_once_and_a_wrong_one_does_little_harm() -> None:
    right = _learnt(_target("one", TRUTH)).memory.hints(TRUTH.space)

    def wrong(codes: Floats) -> Floats:
        assert right is not None
        return -right(codes)

    with_it, without, misled = (np.mean([_share(h, s) for s in range(4)]) for h in (right, None, wrong))
    assert with_it > without + 0.1
    assert misled > without - 0.25


def test_favourites_are_what_the_hints_call_best() -> None:
    def near_one(codes: Floats) -> Floats:
        found: Floats = (np.where(codes < 0, 0.5, codes) ** 2).sum(axis=1, keepdims=True)
        return found

    space = wide(3, 6)
    informed = Informed(space, near_one)
    draws = informed.spread(np.random.default_rng(0).random((2000, 6)))
    best = informed.favourites(0)
    assert near_one(best)[0, 0] <= near_one(draws).min()
    assert (np.diff(near_one(best)[:, 0]) >= 0).all()


def test_the_shipped_file_is_of_training_programs_and_is_read() -> None:
    solver = Experienced()
    assert len(solver.trained_on) == len(solver.card["programs"])
    assert set(solver.card["programs"]) <= set(TRAIN)
    for name, about in solver.card["programs"].items():
        assert about["r2_left_out"] > (0.4 if name in LESSONS else 0.7), name


@pytest.mark.parametrize(
    ("name", "told_by"),
    [
        ("gcc", {"gcc-numbers"}),
        ("redis", {"redis-shop"}),
        ("postgresql", {"postgresql-events"}),
        ("rhino", {"h2", "javacc", "xalan"}),
        ("java-h2", {"javacc", "xalan"}),
        ("zstd", set()),
    ],
)
def test_a_program_is_told_of_others_of_its_tool_and_never_of_itself(name: str, told_by: set[str]) -> None:
    table = tables.read(name.removeprefix("java-"))
    hints = hints_for(Target(name, table.space, table.objective))
    assert set(hints.names if hints else ()) == told_by


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda card: card.pop("programs"), "tells of no recorded programs"),
        (lambda card: card["programs"]["one"].pop("digest"), "tells of no recorded programs"),
        (lambda card: card["programs"]["one"].update(space={"knobs": []}), "tells of no recorded programs"),
        (lambda card: card["programs"].update(third=card["programs"]["one"]), "missing or unknown"),
    ],
)
def test_a_file_that_is_none_of_its_own(learnt: Experienced, tmp_path: Path, change: object, message: str) -> None:
    card = json.loads(json.dumps(learnt.card))
    change(card)  # type: ignore[operator]
    path = tmp_path / "bad.safetensors"
    save_weights(path, learnt.weights, card)
    with pytest.raises(DataError, match=message):
        Memory.load(path)


def test_there_must_be_tables() -> None:
    with pytest.raises(UsageError, match="it has none"):
        _learnt(Target("t", TRUTH.space))
    with pytest.raises(UsageError, match="no tables"):
        ExperienceLearner().fit([])
