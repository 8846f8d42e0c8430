# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from trimtab.core.errors import UnknownName, UsageError
from trimtab.core.outcome import Run
from trimtab.core.problem import Metric
from trimtab.core.task import Budget
from trimtab.study.results import Results, Row

TIME, RATE = Metric("time", "s"), Metric("rate", "1/s", "maximize")


def run(solver: str, instance: str, seed: int, value: float, **other: Any) -> Run:
    row = Run(
        key=f"{solver} {instance} {seed}",
        problem="p",
        version="1",
        backend="simulator",
        split="test",
        instance=instance,
        solver=solver,
        seed=seed,
        status="ok",
        track="policy",
        metrics={"time": value, "rate": 1 / value},
    )
    return replace(row, **other)


def study(values: Mapping[str, Sequence[Sequence[float]]], *more: Run, **other: Any) -> Results:
    """solver -> instance -> seed -> value"""
    runs = [
        run(solver, f"i{i}", seed, value)
        for solver, instances in values.items()
        for i, seeds in enumerate(instances)
        for seed, value in enumerate(seeds)
    ]
    results = Results("p", "?", "1", "simulator", "test", "", (TIME, RATE), "a", Budget(), (0, 1), (*runs, *more))
    return replace(results, **other)


def by_name(rows: Sequence[Row]) -> dict[str, Row]:
    return {row.solver: row for row in rows}


A = [[1.0, 3.0], [4.0, 4.0], [8.0, 16.0], [2.0, 2.0]]  # seed averages 2, 4, 12, 2
B = [[1.0, 1.0], [2.0, 2.0], [4.0, 4.0], [1.5, 1.5]]  # ratios 1/2, 1/2, 1/3, 3/4


def test_seeds_are_averaged_before_anything_else() -> None:
    comparison = study({"a": A, "b": B}).compare()
    assert comparison.table["a"] == {"i0": 2, "i1": 4, "i2": 12, "i3": 2}
    row = comparison.rows[0]
    logs = np.log([1 / 2, 1 / 2, 1 / 3, 3 / 4])
    assert (row.solver, row.mean, row.instances, row.paired) == ("b", pytest.approx(2.125), 4, 4)
    assert row.ratio == pytest.approx(np.exp(logs.mean()))
    assert row.p_value == row.p_holm == pytest.approx(stats.ttest_1samp(logs, 0).pvalue)
    assert (row.wins, row.ties, row.losses) == (4, 0, 0)
    assert (row.worst_instance, row.worst_ratio) == ("i3", pytest.approx(0.75))
    assert row.verdict == "better"


def test_a_metric_to_maximize_turns_everything_round() -> None:
    row = by_name(study({"a": A, "b": B}).compare("rate").rows)["b"]
    assert row.ratio > 1
    assert row.verdict == "better"
    assert (row.wins, row.losses) == (4, 0)
    assert row.worst_instance == "i3"
    assert study({"a": A, "b": B}).compare("rate").rows[0].solver == "b"


def test_the_reference_can_be_changed_and_is_named() -> None:
    comparison = study({"a": A, "b": B}).compare(reference="b")
    assert comparison.reference == "b"
    rows = by_name(comparison.rows)
    assert (rows["a"].verdict, rows["b"].verdict, rows["b"].ratio) == ("worse", "reference", 1)
    with pytest.raises(UnknownName, match="'c'"):
        study({"a": A}).compare(reference="c")
    with pytest.raises(UnknownName, match="rats"):
        study({"a": A}).compare("rats")


def test_verdicts_pass_through_holm() -> None:
    rng = np.random.default_rng(0)
    base = rng.lognormal(0, 1, 8)
    borderline = base * np.exp(np.array([-0.1, 0.02, -0.05, -0.06, 0.01, -0.04, -0.02, -0.03]))
    p = stats.ttest_1samp(np.log(borderline / base), 0).pvalue
    assert 0.02 < p < 0.05
    alone = study({"a": [[v] for v in base], "b": [[v] for v in borderline]}).compare()
    assert by_name(alone.rows)["b"].verdict == "better"
    others = {f"n{i}": [[v] for v in base * rng.lognormal(0, 0.3, 8)] for i in range(5)}
    crowd = study({"a": [[v] for v in base], "b": [[v] for v in borderline], **others}).compare()
    row = by_name(crowd.rows)["b"]
    assert row.verdict == "not separated"
    assert row.p_holm > 2 * p
    assert row.needed is not None
    assert row.needed > 8


def test_few_instances_get_no_verdict() -> None:
    row = by_name(study({"a": A[:2], "b": B[:2]}).compare().rows)["b"]
    assert (row.verdict, row.ratio) == ("too few instances", pytest.approx(0.5))


def test_failures_are_counted_and_leave_the_pairing() -> None:
    results = study({"a": A, "b": B[:3]}, run("b", "i3", 0, 1.0, status="failed", metrics={}))
    row = by_name(results.compare().rows)["b"]
    assert (row.instances, row.paired, row.failures) == (3, 3, 1)


def test_a_solver_that_always_fails_is_still_a_row_and_the_last() -> None:
    broken = [run("c", f"i{i}", 0, 1.0, status="failed", metrics={}) for i in range(4)]
    row = study({"a": A, "b": B}, *broken).compare().rows[-1]
    assert (row.solver, row.instances, row.failures, row.verdict) == ("c", 0, 4, "too few instances")
    assert math.isnan(row.mean)
    assert row.worst_instance == ""


def test_an_infeasible_decision_has_no_value() -> None:
    results = study({"a": A}, *[run("b", f"i{i}", 0, 0.1, status="infeasible") for i in range(4)])
    assert by_name(results.compare().rows)["b"].failures == 4
    assert results.compare().table["b"] == {}


def search(solver: str, factor: float) -> list[Run]:
    return [run(solver, f"i{i}", 0, factor * (i + 1), track="search", evaluations=50) for i in range(4)]


def test_tracks_are_never_ranked_together() -> None:
    results = study({"a": A, "b": B}, *search("anneal", 1), *search("random", 2))
    assert {row.solver for row in results.compare().rows} == {"a", "b"}
    searching = results.compare(track="search")
    assert searching.reference == "random"
    assert [row.solver for row in searching.rows] == ["anneal", "random"]
    assert searching.rows[0].evaluations == 50
    assert results.solvers() == ("b", "a", "anneal", "random")
    assert results.compare(reference="anneal").rows[0].track == "search"
    with pytest.raises(UsageError, match="search track: it can't be ranked with policy"):
        results.compare(reference="anneal", track="policy")
    with pytest.raises(UsageError, match="no solver of the search track ran"):
        study({"a": A}).compare(track="search")


def test_an_unavailable_reference_is_replaced_by_name() -> None:
    gone = [run("a", f"i{i}", 0, 1.0, status="unavailable", metrics={}, note="needs x") for i in range(4)]
    results = study({"b": B, "c": A}, *gone, unavailable={"a": "needs x"})
    comparison = results.compare()
    assert comparison.reference == "b"
    assert {row.solver for row in comparison.rows} == {"b", "c"}


def test_nothing_that_ran_is_nothing_to_compare() -> None:
    with pytest.raises(UsageError, match="no solver ran"):
        study({}).compare()
