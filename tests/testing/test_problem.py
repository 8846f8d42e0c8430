# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trimtab.core import registry
from trimtab.core.errors import InvalidInstance, MissingData
from trimtab.core.problem import Metric, Split
from trimtab.testing import check_problem

from . import broken
from .broken import Line, made


def test_a_good_problem_passes() -> None:
    assert check_problem(made()) == []


def same_everywhere(split: Split) -> Mapping[str, Line]:
    return {f"{split}-0": Line(np.ones(3))}


def never_the_same(split: Split) -> Mapping[str, Line]:
    return {"a": Line(np.random.default_rng().normal(size=3))}


def no_tests(split: Split) -> Mapping[str, Line]:
    return {} if split == "test" else broken.instances(split)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"name": "two words"}, "'two words' is not a name"),
        ({"solvers": {"a,b": broken.Median}}, "'a,b' is not a name"),
        ({"metrics": (Metric("distance", "m"), Metric("distance", "s"))}, "two metrics have one name"),
        ({"metrics": (Metric("distance", ""),)}, "has no unit"),
        ({"question": ""}, "one line"),
        ({"question": "a\nb"}, "one line"),
        ({"card": lambda: "  "}, "the card is empty"),
        ({"quick": {"solvers": ["nobody"]}}, "quick names solvers"),
        ({"quick": {"solver": ["median"]}}, "quick has"),
        ({"instances": same_everywhere}, "is also in"),
        ({"instances": never_the_same}, "differs from call to call"),
        ({"instances": no_tests}, "the test split is empty"),
        ({"parse": lambda paths: {"a": Line(np.ones(3))}}, "takes 256 bytes of nonsense"),
        ({"parse": lambda paths: {"a": paths[0].read_text()}}, "not InvalidInstance"),
    ],
)
def test_a_broken_promise_is_named(changes: Mapping[str, Any], complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_problem(made(**changes), parts=False)


def test_suites_are_checked_where_wanted() -> None:
    problem = made(suites={"bad": same_everywhere})
    assert check_problem(problem, parts=False) == []
    with pytest.raises(AssertionError, match="suite bad"):
        check_problem(problem, suites=True, parts=False)


def test_missing_data_is_a_reason_not_a_failure() -> None:
    def absent(split: Split) -> Mapping[str, Line]:
        raise MissingData("trimtab data fetch lines")

    (reason,) = check_problem(made(suites={"far": absent}), suites=True, parts=False)
    assert reason == "line, suite far: trimtab data fetch lines"


def test_a_parser_that_complains_well_passes() -> None:
    def parse(paths: object) -> Mapping[str, Line]:
        raise InvalidInstance("not a line")

    assert check_problem(made(parse=parse), parts=False) == []


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ("import scipy.optimize", r"imports \['scipy'\]"),
        ("PROBLEM = dataclasses.replace(PROBLEM, solvers={'bad': lambda: 1 / 0})", "solvers bad.*ZeroDivisionError"),
    ],
)
def test_what_only_a_fresh_process_shows(
    lines: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registered plugin, seen by this process and by its children."""
    source = f"import dataclasses\nfrom testing.broken import made\nPROBLEM = made(name='plugged')\n{lines}\n"
    (tmp_path / "plugged.py").write_text(source)
    info = tmp_path / "plugged-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[{registry.GROUP}]\nplugged = plugged:PROBLEM\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[1]}")
    entry = EntryPoint("plugged", "plugged:PROBLEM", registry.GROUP)
    monkeypatch.setattr(registry, "_entries", lambda: {"plugged": entry})
    sys.modules.pop("plugged", None)
    with pytest.raises(AssertionError, match=complaint):
        check_problem(registry.load("plugged"), parts=False)
    sys.modules.pop("plugged", None)
