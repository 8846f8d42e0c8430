# SPDX-License-Identifier: Apache-2.0
"""What trimtab's optimiser itself takes: CPU milliseconds a trial, ask and tell together, up to 200 trials.

    python benchmarks/runtime_tuning_overhead.py [--quick]

Synthetic spaces of 8, 16 and 32 knobs of all kinds, with noise, failures and one
constraint on the widest. One thread. Target: at most 20 ms a trial, in the mean of
all 200 trials and in the mean of the last 50.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

from trimtab.problems.runtime_tuning.optimiser import Tuner
from trimtab.problems.runtime_tuning.problem import Constraint, Objective, Trial
from trimtab.problems.runtime_tuning.space import Knob, KnobSpace, Values

TARGET_MS = 20.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="60 trials")
    trials = 60 if parser.parse_args().quick else 200
    met = True
    print(f"CPU ms a trial, ask + tell (target: <= {TARGET_MS:g} in the mean of all and of the last quarter)")
    for knobs, constraints in ((8, 0), (16, 0), (32, 0), (32, 1)):
        spent = run(space_of(knobs), constraints, trials)
        all_of, late = spent.mean(), spent[-trials // 4 :].mean()
        met &= bool(max(all_of, late) <= TARGET_MS)
        print(
            f"{knobs:3} knobs, {constraints} constraints: {all_of:5.1f}, last quarter {late:5.1f}, "
            f"median {np.median(spent):5.1f}, most {spent.max():6.1f}"
        )
    print("met" if met else "MISSED")
    return 0 if met else 1


def run(space: KnobSpace, constraints: int, trials: int) -> np.ndarray:
    """CPU milliseconds of each trial."""
    objective = Objective(constraints=(Constraint("rss", 3e8),) * constraints)
    rng = np.random.default_rng(1)
    weights = rng.normal(size=len(space.knobs)) * rng.random(len(space.knobs)) ** 2
    Tuner(space, objective, seed=1).ask()  # imports
    tuner = Tuner(space, objective, seed=0, budget=trials)
    spent = np.zeros(trials)
    for i in range(trials):
        clock = time.process_time()
        values = tuner.ask()
        spent[i] = time.process_time() - clock
        trial = measured(space, values, weights, rng)
        clock = time.process_time()
        tuner.tell(trial)
        spent[i] += time.process_time() - clock
    return 1e3 * spent


def measured(space: KnobSpace, values: Values, weights: np.ndarray, rng: np.random.Generator) -> Trial:
    u = space.unit_of(values)
    if values["k1"] == "c":
        return Trial(values, "crash")
    loss = float(weights @ (u - 0.5) ** 2 + 0.3 * np.sin(6 * u[0] * u[-1]) + 0.03 * rng.normal())
    return Trial(values, "ok", loss, metrics={"rss": 2e8 * (1 + u[2])})


def space_of(count: int) -> KnobSpace:
    kinds = (
        lambda n: Knob(n, "bool", False),
        lambda n: Knob(n, "enum", "a", values=("a", "b", "c", "d")),
        lambda n: Knob(n, "int", 64, 1, 4096, log=True, special=(0,)),
        lambda n: Knob(n, "real", 0.5, 0.0, 1.0),
    )
    return KnobSpace(tuple(kinds[i % 4](f"k{i}") for i in range(count)))


if __name__ == "__main__":
    sys.exit(main())
