# SPDX-License-Identifier: Apache-2.0
"""Optuna's Gaussian process in a tenth of the time: the same proposals, its acquisition function compiled.

    python benchmarks/quick_gp.py [--space gcc] [--trials 20]

Asks Optuna's `GPSampler` as it is and with `quick()`, and says whether all it proposed
was the same, and what each took. Two things are most of its time in spaces of choices
and whole numbers: it evaluates the acquisition function (logarithm of the expected
improvement) at one point after the other by a dozen operations of torch, and it does
so within `torch.device("cpu")`, a mode that makes each of them twice as long. Here the
same formulas are one compiled loop; its gradients, and values far in the tail, are
left to Optuna.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import sys
import time
import types
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from replayed import repeated, replayed

from trimtab.problems.runtime_tuning.solvers import optimiser

Floats = NDArray[np.float64]
_TAIL = -25.0  # standard deviations below which Optuna has another formula


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="gcc")
    parser.add_argument("--trials", type=int, default=20)
    options = parser.parse_args()
    plain, slow = asked(options.space, options.trials)
    quick()
    asked(options.space, 12)  # compiles
    same, fast = asked(options.space, options.trials)
    print(f"{options.space}, {options.trials} trials: {slow:.1f} CPU s as it is, {fast:.1f} compiled")
    print("all proposals the same" if same == plain else "MISSED: proposals differ")
    return 0 if same == plain else 1


def asked(space: str, trials: int) -> tuple[list[Any], float]:
    """What is proposed, and the CPU seconds that it took."""
    target = replayed()[space]
    assert target.replay is not None
    tuner, rng = optimiser("optuna_gp", target, 0, trials), np.random.default_rng(0)
    found, spent = [], 0.0
    for _ in range(trials):
        clock = time.process_time()
        found.append(tuner.ask())
        spent += time.process_time() - clock
        tuner.tell(repeated(target.replay, found[-1], 3, rng))
    return found, spent


@cache
def quick() -> None:
    """From now on, in this process."""
    acquisition: Any = import_module("optuna._gp.acqf")
    sampler: Any = import_module("optuna.samplers._gp.sampler")
    torch = import_module("torch")

    class Torch(types.ModuleType):
        def __getattr__(self, name: str) -> Any:
            return getattr(torch, name)

        def device(self, _: str) -> Any:
            return contextlib.nullcontext()  # the default is the CPU

    sampler.torch = Torch("torch")
    exact = acquisition.LogEI.eval_acqf_no_grad

    def values(self: Any, x: Floats) -> Any:
        if not np.isfinite(self._threshold):
            return exact(self, x)
        if not hasattr(self, "_arrays"):
            gp = self._gpr
            weight, factor, alpha = gp.inverse_squared_lengthscales, gp._cov_Y_Y_chol, gp._cov_Y_Y_inv_Y
            parts = (gp._X_all, gp._is_categorical, weight, factor, alpha)
            numbers = (float(gp.kernel_scale), float(self._threshold), float(self._stabilizing_noise))
            self._arrays = (*(np.ascontiguousarray(part.numpy()) for part in parts), *numbers)
        found, usual = _log_improvement(np.ascontiguousarray(np.atleast_2d(x)), *self._arrays)
        return (found if x.ndim == 2 else found[0]) if usual else exact(self, x)

    acquisition.LogEI.eval_acqf_no_grad = values


@njit(cache=True)
def _log_improvement(
    points: Floats, told: Floats, listed: Any, weight: Floats, factor: Floats, alpha: Floats,
    scale: float, best: float, jitter: float,
) -> tuple[Floats, bool]:  # fmt: skip
    """The logarithm of the expected improvement over `best`; False where a point is in the tail.

    points: (m, knobs). told: (n, knobs). listed: (knobs,), those of choices. weight:
    (knobs,), of squared distances. factor: lower Cholesky factor of the covariance.
    """
    m, n = len(points), len(told)
    found, cross, half = np.empty(m), np.empty(n), np.empty(n)
    for q in range(m):
        mean, variance = 0.0, scale
        for i in range(n):
            squared = 0.0
            for j in range(points.shape[1]):
                apart = points[q, j] - told[i, j]
                if listed[j]:
                    apart = 1.0 if apart != 0.0 else 0.0
                squared += apart * apart * weight[j]
            root = math.sqrt(5.0 * squared)
            cross[i] = math.exp(-root) * (5.0 / 3.0 * squared + root + 1.0) * scale
            mean += cross[i] * alpha[i]
            rest = cross[i]
            for k in range(i):
                rest -= factor[i, k] * half[k]
            half[i] = rest / factor[i, i]
            variance -= half[i] * half[i]
        spread = math.sqrt(max(variance, 0.0) + jitter)
        z = (mean - best) / spread
        if z < _TAIL:
            return found, False
        gain = 0.5 * z * math.erfc(-z / math.sqrt(2.0)) + math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
        found[q] = math.log(gain) + math.log(spread)
    return found, True


if __name__ == "__main__":
    sys.exit(main())
