# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study.toys import BINS, PERILS, Alternate, Loads, Trained, loads
from trimtab.core.errors import Leakage, UnknownName, UsageError
from trimtab.core.fingerprint import fingerprint, fingerprints
from trimtab.core.task import Budget
from trimtab.study.choices import (
    choose_budget,
    choose_candidates,
    choose_instances,
    choose_reference,
    choose_seeds,
    refuse_leakage,
)


def names(*arguments: Any) -> list[str]:
    return list(choose_instances(BINS, *arguments))


def entrants(*solvers: str) -> list[Any]:
    return [c.entrant for c in choose_candidates(BINS, solvers, False, None)]


def test_instances_by_split_name_and_pattern() -> None:
    assert names("test", "", None, False) == [f"test-{i}" for i in range(6)]
    assert names("train", "", ["train-3", "*-[01]"], False) == ["train-3", "train-0", "train-1"]
    with pytest.raises(UnknownName, match=r"no instance of toy_bins named 'test-9'. Did you mean 'test-"):
        names("test", "", ["test-9"], False)
    with pytest.raises(UnknownName, match="no split named 'tests'"):
        names("tests", "", None, False)
    with pytest.raises(UnknownName, match="no suite"):
        names("test", "big", None, False)


def test_a_name_with_brackets_is_a_name_before_it_is_a_pattern() -> None:
    problem = replace(BINS, instances=lambda split: {"a[1]": 1, "a1": 2})
    assert list(choose_instances(problem, "test", "", ["a[1]"], False)) == ["a[1]"]


def test_instances_of_your_own() -> None:
    assert names("own", "", {"mine": Loads(np.ones(3))}, True) == ["mine"]
    with pytest.raises(UsageError, match="empty"):
        names("own", "", {}, False)


def test_quick_is_what_the_problem_says_or_the_first_three() -> None:
    assert names("test", "", None, True) == ["test-1", "test-4"]
    assert names("train", "", None, True) == ["train-0", "train-1", "train-2"]
    assert [c.entrant.name for c in choose_candidates(BINS, None, True, None)] == ["alternate", "longest_first"]


def test_solvers_by_name_and_track() -> None:
    assert [c.entrant.name for c in choose_candidates(BINS, None, False, "search")] == ["random_search"]
    assert [e.name for e in entrants("longest_first", "alternate", "longest_first")] == ["longest_first", "alternate"]
    with pytest.raises(UnknownName, match="Did you mean 'alternate'"):
        entrants("alternates")
    with pytest.raises(UsageError, match="no solver to run on the search track"):
        choose_candidates(BINS, ["alternate"], False, "search")


def test_a_solver_that_cannot_be_built_takes_part_with_the_reason() -> None:
    absent = choose_candidates(PERILS, ["absent"], False, None)[0].entrant
    assert "no_such_package_anywhere" in absent.unavailable
    assert "pip install 'trimtab[learn]'" in absent.unavailable


def test_a_solver_is_its_name_its_config_and_its_weights(tmp_path: Path) -> None:
    def key(name: str = "s", **attributes: Any) -> str:
        solver = Trained()
        for attribute, value in attributes.items():
            setattr(solver, attribute, value)
        problem = replace(BINS, solvers={name: lambda: solver})
        return choose_candidates(problem, None, False, None)[0].entrant.fingerprint

    weights = tmp_path / "w"
    weights.write_bytes(b"1")
    keys = [key(), key("t"), key(config={"a": 1}), key(weights={"w": np.ones(3)}), key(weights=weights)]
    weights.write_bytes(b"2")
    keys.append(key(weights=weights))
    assert len(set(keys)) == 6
    assert key() == keys[0]


def test_a_solver_whose_weights_are_not_there_says_so(tmp_path: Path) -> None:
    solver = Trained()
    solver.weights = tmp_path / "gone"  # type: ignore[attr-defined]
    [candidate] = choose_candidates(replace(BINS, solvers={"s": lambda: solver}), None, False, None)
    assert "the solver 's' lacks its weights" in candidate.entrant.unavailable
    assert "gone" in candidate.entrant.unavailable


def test_a_track_that_does_not_exist_is_refused() -> None:
    class Odd(Alternate):
        track = "magic"

    with pytest.raises(UsageError, match="'magic'"):
        choose_candidates(replace(BINS, solvers={"odd": Odd}), None, False, None)


def test_the_reference_must_take_part() -> None:
    assert choose_reference(BINS, "", entrants("random_search", "alternate")) == "alternate"
    assert choose_reference(BINS, "", entrants("random_search", "longest_first")) == "random_search"
    assert choose_reference(BINS, "longest_first", entrants("alternate", "longest_first")) == "longest_first"
    with pytest.raises(UnknownName, match="'longest_first'"):
        choose_reference(BINS, "longest_first", entrants("alternate"))
    perils = [c.entrant for c in choose_candidates(PERILS, ["absent", "slow"], False, None)]
    assert choose_reference(replace(PERILS, reference="absent"), "", perils) == "slow"


def test_a_search_without_bound_gets_one() -> None:
    assert choose_budget(Budget(), entrants("alternate"), False) == Budget()
    assert choose_budget(Budget(), entrants("random_search"), False) == Budget(evaluations=200)
    assert choose_budget(Budget(), entrants("random_search"), True) == Budget(evaluations=30)
    assert choose_budget(Budget(seconds=2), entrants("random_search"), False) == Budget(seconds=2)


@pytest.mark.parametrize("seeds", [(), (0, 0), (-1,)])
def test_seeds_must_make_sense(seeds: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="seeds"):
        choose_seeds(seeds)


def test_leakage_names_the_solver_and_the_instances() -> None:
    test = fingerprints(loads("test"))

    def trained(*instances: str) -> Any:
        problem = replace(BINS, solvers={"trained": lambda: Trained(frozenset(instances))})
        return choose_candidates(problem, None, False, None)

    refuse_leakage(test, trained(*fingerprints(loads("train")).values()))
    with pytest.raises(Leakage, match=r"'trained' was trained on 1 of the 6 instances .*\(test-3\)"):
        refuse_leakage(test, trained(fingerprint(loads("test")["test-3"])))
