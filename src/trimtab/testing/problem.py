# SPDX-License-Identifier: Apache-2.0
"""`check_problem`"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from trimtab.core import registry
from trimtab.core.errors import TrimtabError, Unavailable
from trimtab.core.fingerprint import fingerprints
from trimtab.core.problem import SPLITS, Problem, Split

from .backend import check_backend
from .common import HEAVY, ask_fresh_process, check_names
from .learner import check_learner
from .solver import check_solver

FRESH = """
import json, sys
from trimtab.core import registry
from trimtab.core.errors import Unavailable
problem = registry.load({name!r})
heavy = [module for module in {heavy} if module in sys.modules]
broken = {{}}
for kind in ("solvers", "learners", "backends"):
    for name, make in getattr(problem, kind).items():
        try:
            make()
        except Unavailable:
            pass
        except Exception as error:
            broken[f"{{kind}} {{name}}"] = repr(error)
print(json.dumps({{"heavy": heavy, "broken": broken}}))
"""


def check_problem(problem: Problem[Any, Any], *, suites: bool = False, parts: bool = True) -> list[str]:
    """The promises of a problem; with `parts`, also those of its backends, solvers and learners.

    Names fit on a command line; splits are the same every time and share no instance
    (by contents, not by name), with `suites` those of every suite too; the reference and
    what `quick` names exist; nothing heavy is imported to list the problem; nonsense in a
    file is answered with a `TrimtabError`. Returns why something could not be checked.
    """
    _check_declarations(problem)
    skipped = _check_splits(problem.name, problem.instances)
    if suites:
        for name in problem.suites:
            skipped += _check_splits(f"{problem.name}, suite {name}", partial(problem.suite, name))
    _check_quick(problem)
    _check_by_name(problem)
    _check_parse(problem)
    if parts:
        for name in problem.backends:
            skipped += check_backend(problem, name)
        for name in problem.solvers:
            skipped += check_solver(problem, name)
        for name in problem.learners:
            skipped += check_learner(problem, name)
    return skipped


def _check_declarations(problem: Problem[Any, Any]) -> None:
    check_names("the problem", [problem.name])
    for kind in ("solvers", "learners", "backends", "suites"):
        check_names(f"{problem.name}, {kind}", getattr(problem, kind))
    metrics = [m.name for m in problem.metrics]
    check_names(f"{problem.name}, metrics", metrics)
    assert len(set(metrics)) == len(metrics), f"{problem.name}: two metrics have one name: {metrics}"
    for metric in problem.metrics:
        assert metric.unit, f"{problem.name}: metric {metric.name} has no unit ('1' for a ratio)"
    assert problem.question and "\n" not in problem.question, (
        f"{problem.name}: `question` is one line that says what is decided"
    )
    if problem.card is not None:
        assert problem.card().strip(), f"{problem.name}: the card is empty"


def _check_splits(where: str, instances: Callable[[Split], Mapping[str, Any]]) -> list[str]:
    """Disjoint by contents, and the same twice."""
    owner: dict[str, str] = {}
    for split in SPLITS:
        try:
            first, again = instances(split), instances(split)
        except Unavailable as error:
            return [f"{where}: {error}"]
        assert list(first) == list(again), f"{where}: two calls of the split {split} give other instances"
        keys, keys_again = fingerprints(first), fingerprints(again)
        for name, key in keys.items():
            assert isinstance(name, str) and name, f"{where}, {split}: {name!r} is not a name"
            assert key == keys_again[name], f"{where}, {split}: {name} differs from call to call"
            other = owner.setdefault(key, split)
            assert other == split, f"{where}: {name} of {split} is also in {other}"
    assert "test" in owner.values(), f"{where}: the test split is empty"
    return []


def _check_quick(problem: Problem[Any, Any]) -> None:
    unknown = set(problem.quick) - {"solvers", "instances"}
    assert not unknown, f"{problem.name}: quick has {sorted(unknown)}; it holds 'solvers' and 'instances'"
    missing = set(problem.quick.get("solvers", ())) - set(problem.solvers)
    assert not missing, f"{problem.name}: quick names solvers that are not there: {sorted(missing)}"


def _check_by_name(problem: Problem[Any, Any]) -> None:
    """In a fresh process: loading imports nothing heavy, and names are enough to make solvers and backends."""
    if problem.name not in registry.names() or registry.load(problem.name) is not problem:
        return
    answer = ask_fresh_process(FRESH.format(name=problem.name, heavy=HEAVY))
    heavy = answer["heavy"]
    assert not heavy, f"{problem.name}: importing it imports {heavy}; do that inside functions, or with lazy()"
    assert not answer["broken"], f"{problem.name}: in a fresh process: {answer['broken']}"


def _check_parse(problem: Problem[Any, Any]) -> None:
    if problem.parse is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "nonsense")
        path.write_bytes(bytes(range(256)))
        try:
            problem.parse([path])
        except TrimtabError:
            return
        except Exception as error:
            raise AssertionError(f"{problem.name}: parse meets nonsense with {error!r}, not InvalidInstance") from error
        raise AssertionError(f"{problem.name}: parse takes 256 bytes of nonsense for an instance")
