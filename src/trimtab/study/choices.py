# SPDX-License-Identifier: Apache-2.0
"""From what was asked to what will be run: instances, solvers, reference, budget, seeds; and what is refused."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from trimtab.core.errors import Leakage, Unavailable, UnknownName, UsageError
from trimtab.core.fingerprint import fingerprint
from trimtab.core.outcome import Track
from trimtab.core.problem import SPLITS, Problem
from trimtab.core.task import Budget

from .plan import Entrant

DEFAULT_SEARCH: Final = Budget(evaluations=200)  # where solvers search and no budget is given
QUICK_SEARCH: Final = Budget(evaluations=30)
QUICK_INSTANCES: Final = 3  # where the problem doesn't say which
OWN: Final = "own"  # the split of instances that are not the problem's


@dataclass(frozen=True)
class Candidate:
    """A solver that was asked for, and the fingerprints of what it was trained on."""

    entrant: Entrant
    trained_on: frozenset[str] = frozenset()


def choose_instances(
    problem: Problem[Any, Any],
    split: str,
    suite: str,
    wanted: Sequence[str] | Mapping[str, Any] | None,
    quick: bool,
) -> dict[str, Any]:
    if isinstance(wanted, Mapping):
        return _some(problem, dict(wanted), "the mapping of instances is empty")
    if split not in SPLITS:
        raise UnknownName("split", split, SPLITS)
    there = problem.suite(suite, split)
    if wanted is not None:
        names = [name for pattern in wanted for name in _matching(problem, pattern, there)]
    elif quick:
        names = [name for name in problem.quick.get("instances", ()) if name in there] or list(there)[:QUICK_INSTANCES]
    else:
        names = list(there)
    where = f"the {split} split" + (f" of suite {suite!r}" if suite else "")
    return _some(problem, {name: there[name] for name in names}, f"{where} has no instances")


def choose_candidates(
    problem: Problem[Any, Any], wanted: Sequence[str] | None, quick: bool, track: Track | None
) -> list[Candidate]:
    if wanted is None:
        wanted = list((quick and problem.quick.get("solvers", ())) or problem.solvers)
    for name in wanted:
        if name not in problem.solvers:
            raise UnknownName(f"solver of {problem.name}", name, problem.solvers)
    candidates = [_candidate(problem, name) for name in dict.fromkeys(wanted)]
    kept = [c for c in candidates if track in (None, c.entrant.track)]
    if not kept:
        raise UsageError(f"{problem.name}: no solver to run" + (f" on the {track} track" if track else ""))
    return kept


def choose_reference(problem: Problem[Any, Any], wanted: str, entrants: Sequence[Entrant]) -> str:
    """The one asked for, which must take part; else the problem's, if it can; else the first that can."""
    names = [entrant.name for entrant in entrants]
    if wanted:
        if wanted not in names:
            raise UnknownName("solver in this study to be its reference", wanted, names)
        return wanted
    able = [entrant.name for entrant in entrants if not entrant.unavailable] or names
    return problem.default_reference if problem.default_reference in able else able[0]


def choose_budget(budget: Budget, entrants: Iterable[Entrant], quick: bool) -> Budget:
    """As given; a search without any bound would never end, and is given one."""
    bounded = math.isfinite(budget.evaluations) or math.isfinite(budget.seconds)
    if bounded or all(entrant.track == "policy" for entrant in entrants):
        return budget
    return QUICK_SEARCH if quick else DEFAULT_SEARCH


def choose_seeds(seeds: Iterable[int]) -> tuple[int, ...]:
    chosen = tuple(int(seed) for seed in seeds)
    if not chosen or min(chosen) < 0 or len(set(chosen)) < len(chosen):
        raise UsageError(f"seeds: one or more different integers >= 0 are needed, got {list(chosen)}")
    return chosen


def refuse_leakage(instances: Mapping[str, str], candidates: Iterable[Candidate]) -> None:
    """Raise `Leakage` where a solver was trained on an instance (name -> fingerprint) of the study."""
    for candidate in candidates:
        seen = [name for name, print_ in instances.items() if print_ in candidate.trained_on]
        if seen:
            raise Leakage(
                f"the solver {candidate.entrant.name!r} was trained on {len(seen)} of the {len(instances)} instances "
                f"it would be judged on ({', '.join(seen[:3])}{', ...' if len(seen) > 3 else ''}). "
                "Leave it out, or train it on the train split only."
            )


def _candidate(problem: Problem[Any, Any], name: str) -> Candidate:
    """Build the solver once, to learn what it is. One that can't be built takes part as a row that says why."""
    try:
        solver = problem.solver(name)
    except Unavailable as error:
        return Candidate(Entrant(name, "policy", fingerprint((name,)), str(error)))
    except Exception:  # the same happens in each of its cells, which say so
        return Candidate(Entrant(name, "policy", fingerprint((name,))))
    track: Track = getattr(solver, "track", "policy")
    if track not in ("policy", "search"):
        raise UsageError(f"the solver {name!r} of {problem.name}: track must be 'policy' or 'search', got {track!r}")
    try:
        made_of = fingerprint((name, getattr(solver, "config", None), getattr(solver, "weights", None)))
    except OSError as error:
        return Candidate(Entrant(name, track, fingerprint((name,)), f"the solver {name!r} lacks its weights: {error}"))
    return Candidate(Entrant(name, track, made_of), frozenset(getattr(solver, "trained_on", ())))


def _matching(problem: Problem[Any, Any], pattern: str, names: Collection[str]) -> list[str]:
    found = [name for name in names if name == pattern] or [name for name in names if fnmatchcase(name, pattern)]
    if not found:
        raise UnknownName(f"instance of {problem.name}", pattern, names)
    return found


def _some(problem: Problem[Any, Any], instances: dict[str, Any], otherwise: str) -> dict[str, Any]:
    if not instances:
        raise UsageError(f"{problem.name}: {otherwise}")
    return instances
