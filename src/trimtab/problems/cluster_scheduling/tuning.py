# SPDX-License-Identifier: Apache-2.0
"""Tunes every classical rule on training instances, regime by regime, and writes ``tuned.json``.

    python -m trimtab.problems.cluster_scheduling.tuning

A rule's candidates are tried on all training instances of a regime with the same
draws; the one with the least geometric mean of average JCT stays. The weighted
fair exponent runs over the paper's 41 values (Decima, section 7.1).
"""

from __future__ import annotations

import itertools
import json
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Final

import numpy as np

from .baselines import RULES, TUNED, describe
from .problem import Floats, JobStream
from .simulator.many import pack_streams, simulate_many
from .workload import SUITES, instances
from .workload.files import replace_file

Grid = Sequence[tuple[float, ...]]

_MOST_JOBS: Final = 3000  # of a regime
_ALPHAS: Final = tuple(round(-2 + 0.1 * i, 1) for i in range(41))
_SCALES: Final = tuple(float(f"{2.0**e:.3g}") for e in np.arange(-4, 4.01, 0.5))

#: What is tried for each rule; the rules without parameters have one candidate.
GRIDS: Final[Mapping[str, Grid]] = {
    "fifo": [()],
    "sjf_cp": [()],
    "fair": [()],
    "critical_path": [()],
    "weighted_fair": [(alpha,) for alpha in _ALPHAS],
    "fair_releasing": [(alpha,) for alpha in _ALPHAS],
    "tetris": [(weight,) for weight in (0.0, *_SCALES)],
    "graphene": list(itertools.product((-1.5, -1.0, -0.7, -0.5, -0.2), (0.1, 0.3, 0.5, 0.8))),
    "srpt_constant": [(float(cap),) for cap in (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 75, 100)],
    "srpt_linear": [(scale / 16,) for scale in _SCALES],
    "srpt_concave": list(itertools.product(_SCALES[1:], (0.4, 0.5, 0.6))),
}


def regime_streams() -> Iterator[tuple[str, list[JobStream]]]:
    """Training instances by regime: those of each suite, the shipped ones by their prefix."""
    shipped = instances("train")
    for prefix in sorted({name.rpartition("-")[0] for name in shipped}):
        yield f"shipped-{prefix}", [stream for name, stream in shipped.items() if name.startswith(prefix)]
    for name, suite in SUITES.items():
        if name != "decima-mixed":  # many regimes in one
            yield name, list(suite("train").values())


def tune(rule: str, grid: Grid, streams: Sequence[JobStream]) -> tuple[float, ...]:
    """The candidate with the least geometric mean of average JCT; the best 8 on few streams are tried on all."""
    if len(grid) > 8:
        few = _score(rule, grid, streams[: max(2, len(streams) // 8)])
        grid = [grid[i] for i in few.argsort()[:8]]
    return grid[int(_score(rule, grid, streams).argmin())]


def _score(rule: str, grid: Grid, streams: Sequence[JobStream]) -> Floats:
    """Mean log average JCT of each candidate, on the same draws: those of seeds 0, 1, 2, ...  (candidates,)"""
    packed, seeds = pack_streams(streams), np.arange(len(streams))
    kind = RULES[rule](*grid[0]).kind
    vectors = np.array([RULES[rule](*candidate).parameters for candidate in grid])
    with ThreadPoolExecutor(2) as pool:
        parts = pool.map(lambda part: simulate_many(packed, kind, part, seeds), np.array_split(vectors, 2))
        jct = np.concatenate([part[:, :, 0] for part in parts])
    return np.asarray(np.log(jct).mean(axis=1), np.float64)


def main() -> None:
    rows = []
    for name, every in regime_streams():
        streams = every[: max(3, _MOST_JOBS // every[0].num_jobs)]
        parameters = {rule: tune(rule, grid, streams) for rule, grid in GRIDS.items()}
        rows.append(asdict(describe(name, streams, parameters)))
        print(name, parameters, file=sys.stderr, flush=True)
    command = shlex.join(["python", "-m", __spec__.name])
    text = json.dumps({"command": command, "split": "train", "regimes": rows}, indent=1) + "\n"
    replace_file(TUNED, text.encode())


if __name__ == "__main__":
    main()
