# SPDX-License-Identifier: Apache-2.0
"""A problem that has everything a verb may ask for: guess a hidden number between 0 and 1."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from trimtab.core.errors import BudgetSpent, InvalidInstance
from trimtab.core.extras import Lazy
from trimtab.core.fingerprint import fingerprint
from trimtab.core.outcome import Outcome
from trimtab.core.problem import SPLITS, Metric, Problem, Rendering, Split
from trimtab.core.task import Task


@dataclass(frozen=True)
class Hidden:
    number: float


@dataclass(frozen=True)
class Constant:
    guess: float
    trained_on: frozenset[str] = frozenset()

    @property
    def config(self) -> dict[str, float]:
        return {"guess": self.guess}

    def solve(self, task: Task[Hidden, float]) -> float:
        return self.guess

    def save(self, path: Path) -> None:
        path.write_text(json.dumps({"guess": self.guess, "trained_on": sorted(self.trained_on)}))


class RandomSearch:
    track = "search"

    def solve(self, task: Task[Hidden, float]) -> float:
        rng, best, lowest = task.rng, 0.5, float("inf")
        try:
            while True:
                guess = float(rng.random())
                error = task.evaluate(guess).metrics["error"]
                best, lowest = (guess, error) if error < lowest else (best, lowest)
        except BudgetSpent:
            return best


class Mean:
    """The learner: the mean of what the training instances answer."""

    def fit(self, tasks: Sequence[Task[Hidden, float]]) -> Constant:
        logging.getLogger("trimtab.toy").info("looking at %d instances", len(tasks))
        errors = [task.evaluate(0.0).metrics["error"] for task in tasks]
        return Constant(sum(errors) / len(errors), frozenset(fingerprint(task.instance) for task in tasks))


class Distance:
    def evaluate(self, instance: Hidden, decision: float, *, seed: int) -> Outcome:
        return Outcome({"error": abs(instance.number - decision), "guess": decision})


class Clumsy:
    def solve(self, task: Task[Hidden, float]) -> float:
        raise ZeroDivisionError("seven by nothing")


def instances(split: Split) -> Mapping[str, Hidden]:
    start = SPLITS.index(split) * 10
    return {f"n{i}": Hidden((start + i) / 100 + 0.5) for i in range(6)}


def parse(paths: Sequence[Path]) -> Mapping[str, Hidden]:
    try:
        return {path.name: Hidden(float(path.read_text())) for path in paths}
    except ValueError as error:
        raise InvalidInstance(f"field 'number': {error}") from None


def render(instance: Hidden, decision: float, backend: Any, seed: int) -> Rendering:
    return Rendering(
        f"the guess is {decision:g}",
        [{"what": "hidden", "value": instance.number}],
        {"guess.txt": f"{decision}\n", "guess.bin": b"\x00\x01"},
    )


def load(path: Path) -> Constant:
    saved = json.loads(path.read_text())
    return Constant(saved["guess"], frozenset(saved["trained_on"]))


@click.command()
@click.argument("words", nargs=-1)
@click.option("--loud", is_flag=True)
def capture(words: Sequence[str], loud: bool) -> None:
    """Listen."""
    click.echo(" ".join(words).upper() if loud else " ".join(words))


PROBLEM: Problem[Hidden, float] = Problem(
    name="toy",
    question="Which number is hidden?",
    metrics=(Metric("error", "1"), Metric("guess", "s", "maximize")),
    instances=instances,
    backends={"simulator": Distance},
    solvers={
        "half": lambda: Constant(0.5),
        "high": lambda: Constant(0.62),
        "search": RandomSearch,
        "absent": Lazy("no.such:Thing", extra="exotic"),
    },
    learners={"mean": Mean},
    suites={"same": instances},
    quick={"solvers": ["half", "high"], "instances": ["n0", "n1"]},
    parse=parse,
    render=render,
    load=load,
    capture=capture,
    card=lambda: "# toy\n\nA [number] is hidden.\n",
)
