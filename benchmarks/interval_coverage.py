# SPDX-License-Identifier: Apache-2.0
"""Does the 95 % interval hold the truth 95 times in 100? And what would others have done?

A solver and a reference run on n instances with k seeds. An instance has its own
size (lognormal over two decades), its own effect, and noise per run; the true
geometric-mean ratio is known. "lognormal": effect and noise are lognormal.
"heavy-tailed": the effect has Student's t law with 3 degrees of freedom on the
log scale, and a run's time has a Pareto tail of index 2.1 (most runs alike, some
many times longer).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from trimtab.study.statistics import paired

TRUTH = 0.93
LOW, HIGH = 0.93, 0.97
Sample = Callable[[np.random.Generator, int, int], tuple[NDArray[np.float64], NDArray[np.float64]]]


def lognormal(rng: np.random.Generator, n: int, k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Run times of solver and reference.  (n, k) each"""
    size = rng.lognormal(0, 1.5, (n, 1))
    effect = TRUTH * rng.lognormal(0, 0.1, (n, 1))
    return size * effect * rng.lognormal(0, 0.2, (n, k)), size * rng.lognormal(0, 0.2, (n, k))


def heavy_tailed(rng: np.random.Generator, n: int, k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    size = rng.lognormal(0, 1.5, (n, 1))
    effect = TRUTH * np.exp(0.1 * rng.standard_t(3, (n, 1)))
    return size * effect * (1 + 0.2 * rng.pareto(2.1, (n, k))), size * (1 + 0.2 * rng.pareto(2.1, (n, k)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="500 draws; the targets are not judged")
    quick = parser.parse_args().quick
    draws = 500 if quick else 2000
    print(f"coverage of a nominal 95 % interval, {draws} draws (target {LOW}-{HIGH})")
    print(f"{'data':14s} {'n':>3s} {'k':>2s} {'t on logs':>10s} {'pooled':>8s} {'bootstrap':>10s} {'unpaired':>9s}")
    good = True
    for name, sample in (("lognormal", lognormal), ("heavy-tailed", heavy_tailed)):
        for n in (5, 10, 20):
            for k in (3, 5):
                ours, pooled, bootstrap, unpaired = coverage(sample, n, k, draws)
                good &= LOW <= ours <= HIGH
                print(f"{name:14s} {n:3d} {k:2d} {ours:10.3f} {pooled:8.3f} {bootstrap:10.3f} {unpaired:9.1f}")
    print("pooled: seeds counted as instances. bootstrap: percentiles over instances. unpaired: times as wide.")
    return 0 if good or quick else 1


def coverage(sample: Sample, n: int, k: int, draws: int) -> tuple[float, float, float, float]:
    rng = np.random.default_rng((n, k))
    held = np.zeros(3)
    widths = np.zeros(2)
    for _ in range(draws):
        solver, reference = sample(rng, n, k)
        x, r = solver.mean(axis=1), reference.mean(axis=1)
        ours = paired(x, r)
        pooled = paired(solver.ravel(), reference.ravel())
        logs = np.log(x / r)
        low, high = np.exp(np.quantile(logs[rng.integers(n, size=(400, n))].mean(axis=1), [0.025, 0.975]))
        held += [ours.low <= TRUTH <= ours.high, pooled.low <= TRUTH <= pooled.high, low <= TRUTH <= high]
        apart = np.log(x).std(ddof=1) ** 2 + np.log(r).std(ddof=1) ** 2
        widths += [logs.std(ddof=1), np.sqrt(apart)]
    return (*(held / draws), widths[1] / widths[0])


if __name__ == "__main__":
    sys.exit(main())
