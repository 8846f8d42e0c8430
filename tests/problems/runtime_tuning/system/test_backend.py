# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from trimtab.core.errors import UsageError
from trimtab.problems.runtime_tuning.problem import Configuration, Constraint, Objective, Search, Target
from trimtab.problems.runtime_tuning.system.backend import System, evaluate
from trimtab.problems.runtime_tuning.system.command import Command

from .fakes import SPACE, Fake, truth

CODE = """
import sys, time
until = time.process_time() + 0.05 * (1 - 0.08 * int(sys.argv[1]))
while time.process_time() < until: pass
if sys.argv[2] == "c": sys.exit("no c")
print(sys.argv[2])
"""
ARGV = (sys.executable, "-I", "-S", "-c", CODE, "{x}", "{y}", "{idle}", "{order}")


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    made = System()
    yield made
    made.close()


def target(name: str = "small", objective: Objective | None = None, **more: Any) -> Target:
    return Target(name, SPACE, objective or Objective(), command=Command(ARGV, SPACE, **more))


def decision(**changed: Any) -> Configuration:
    return Configuration({**SPACE.default, **changed})


def test_the_ratio_of_a_program_whose_cost_is_known(system: System) -> None:
    """0.05 s of work against 0.014 s, and an interpreter's start on top of both."""
    outcome = system.evaluate(target(), decision(x=9), seed=0)
    assert outcome.feasible and 0.28 < outcome.metrics["ratio"] < 0.75
    same = system.evaluate(target(), decision(), seed=0)
    assert same.metrics["ratio"] == pytest.approx(1.0, abs=0.25)


def test_what_fails_or_breaks_a_constraint_is_not_feasible(system: System) -> None:
    failed = system.evaluate(target(), decision(y="c"), seed=0)
    assert not failed.feasible and failed.note == "crash: exit code 1" and failed.metrics == {}
    other = system.evaluate(target("equal", equal=("stdout",)), decision(y="b"), seed=0)
    assert not other.feasible and "stdout differs" in other.note
    tight = target("tight", Objective(constraints=(Constraint("rss", 1e3),)))
    over = system.evaluate(tight, decision(), seed=0)
    assert not over.feasible and over.metrics["rss"] > 1e3 and "rss" in over.note


def test_what_a_search_took_is_told(system: System) -> None:
    found = Configuration(decision().values, Search(30, 4, 12.0, 0.01))
    metrics = dict(system.evaluate(target(), found, seed=0).metrics)
    metrics.pop("ratio")
    assert metrics == {"trials": 30, "invalid": 4, "seconds": 12.0, "overhead": 0.01}


def test_pairs_in_a_random_order_cancel_a_machine_that_slows_down() -> None:
    meter = Fake(noise=0.0, drift=lambda n: 0.05 * n)
    values = {**SPACE.default, "x": 6}
    outcome = evaluate(meter, Target("t", SPACE), Configuration(values), 200, 1)
    assert outcome.metrics["ratio"] == pytest.approx(2.718281828 ** truth(values), rel=0.01)
    assert len(meter.asked) == 400


def test_a_default_that_fails_and_a_target_without_a_command(system: System) -> None:
    broken = Target("broken", SPACE, command=Command((*ARGV[:4], "import sys; sys.exit('oh')", *ARGV[5:]), SPACE))
    with pytest.raises(UsageError, match="oh"):
        system.evaluate(broken, decision(), seed=0)
    with pytest.raises(UsageError, match="no command to run"):
        system.evaluate(Target("none", SPACE), decision(), seed=0)
    assert System.exclusive
