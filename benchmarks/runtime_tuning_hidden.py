# SPDX-License-Identifier: Apache-2.0
"""Hidden rules: how many trials are wasted on configurations that a program refuses.

    TRIMTAB_DATA=... python benchmarks/runtime_tuning_hidden.py [--quick]

Replayed spaces, with rules added that the optimiser is not told of, until a third of
all random configurations is refused: a value of one knob, two values together, a
range of a number. (Spaces whose programs refuse a quarter or more by themselves are
taken as they are, and named so.) 60 trials. Target: at most 10 % of the trials after
the first 20 are refused, in the mean of every space.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable

import numpy as np
from replayed import replayed

from trimtab.problems.runtime_tuning.encoding import Bools, Encoding, Floats
from trimtab.problems.runtime_tuning.problem import Target, Trial
from trimtab.problems.runtime_tuning.solvers import optimiser

Rule = Callable[[Floats], Bools]
TRIALS, FREE, MOST, SHARE = 60, 20, 0.10, 1 / 3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two seeds")
    parser.add_argument("--spaces", default="", help="names, with commas")
    parser.add_argument("--rival", default="random", help="beside trimtab's: any of the searches")
    options = parser.parse_args()
    targets = {n: t for n, t in replayed().items() if not options.spaces or n in options.spaces.split(",")}
    seeds = 2 if options.quick else 5
    met = True
    print(f"Share of trials refused after the first {FREE} of {TRIALS} (target: <= {MOST:.0%}), {seeds} seeds")
    for name, target in targets.items():
        rows = [run(target, "portfolio", seed) for seed in range(seeds)]
        other = np.mean([run(target, options.rival, seed)[0] for seed in range(seeds)])
        late, gap = np.mean([late for late, _, _ in rows]), np.mean([gap for _, gap, _ in rows])
        met &= bool(late <= MOST)
        print(
            f"{name:18} refused at random {np.mean([share for _, _, share in rows]):4.0%}: portfolio {late:5.1%}, "
            f"{options.rival} {other:5.1%}; gap closed {gap:.2f}",
            flush=True,
        )
    print("met" if met else "MISSED")
    return 0 if met else 1


def run(target: Target, name: str, seed: int) -> tuple[float, float, float]:
    """Share refused after the first trials; of the gap to the best of 5,000 allowed ones, closed; share at random."""
    replay = target.replay
    assert replay is not None
    encoding = replay.encoding
    rng = np.random.default_rng((seed, 7))
    codes = encoding.spread(rng.random((5000, encoding.size)))
    by_itself = replay.valid(codes)
    rules = [] if by_itself.mean() < 0.75 else rules_of(encoding, codes, by_itself, rng)
    works = by_itself & ~broken(rules, codes)
    tuner, failed = optimiser(name, target, seed, TRIALS), []
    for _ in range(TRIALS):
        values = tuner.ask()
        trial = replay.measure(values, rng)
        if broken(rules, encoding.encode([values]))[0]:
            trial = Trial(values, "crash")
        failed.append(not trial.valid)
        tuner.tell(trial)
    gap = replay.loss(tuner.best()) / float(replay.losses(codes[works]).min())
    return float(np.mean(failed[FREE:])), gap, 1.0 - float(works.mean())


def broken(rules: list[Rule], codes: Floats) -> Bools:
    bad = np.zeros(len(codes), np.bool_)
    for rule in rules:
        bad |= rule(codes)
    return bad


def rules_of(encoding: Encoding, codes: Floats, works: Bools, rng: np.random.Generator) -> list[Rule]:
    """Random rules, one of each kind in turn, none against the default, until a third is refused."""
    rules: list[Rule] = []
    for i in range(200):
        refused = 1.0 - float((works & ~broken(rules, codes)).mean())
        if refused >= SHARE - 0.02:
            break
        rule = (one_value, two_together, a_range)[i % 3](encoding, rng)
        grown = 1.0 - float((works & ~broken([*rules, rule], codes)).mean())
        if refused + 0.02 < grown < SHARE + 0.07 and not rule(encoding.default[None, :])[0]:
            rules.append(rule)
    return rules


def one_value(encoding: Encoding, rng: np.random.Generator) -> Rule:
    knob, value = literal(encoding, rng)
    return lambda codes: codes[:, knob] == value


def two_together(encoding: Encoding, rng: np.random.Generator) -> Rule:
    (a, x), (b, y) = literal(encoding, rng), literal(encoding, rng)
    return lambda codes: (codes[:, a] == x) & (codes[:, b] == y)


def a_range(encoding: Encoding, rng: np.random.Generator) -> Rule:
    knob, cut = int(rng.choice(encoding.numbers)), float(rng.uniform(0.6, 0.95))
    return lambda codes: codes[:, knob] > cut


def literal(encoding: Encoding, rng: np.random.Generator) -> tuple[int, float]:
    knob = int(rng.choice(encoding.listed)) if len(encoding.listed) else int(rng.choice(encoding.numbers))
    return knob, float(rng.integers(max(1, math.ceil(encoding.counts[knob]))))


if __name__ == "__main__":
    sys.exit(main())
