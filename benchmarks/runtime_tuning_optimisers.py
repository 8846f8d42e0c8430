# SPDX-License-Identifier: Apache-2.0
"""Optimisers side by side on replayed spaces: how much of the gap between the default and the best they close.

    TRIMTAB_DATA=... python benchmarks/runtime_tuning_optimisers.py [--seconds 80] [--report] [--quick]
        [--only portfolio,random] [--spaces a,b] [--table FILE.jsonl.xz ...]

A run is one optimiser on one space with one seed and a known number of trials, 30
or 60. Its score is the noise-free loss (log ratio to the default) of what it keeps,
over that of the best configuration known of the space: 20,000 random ones and a
descent from the ten best (`Replay.best`). What an optimiser keeps is what its own API
calls its best: the lowest single result for all but trimtab's, whose `best()` is the
lowest posterior mean; the table has the lowest single result for all of them, too.

Runs are kept in a ledger (`runs/runtime_tuning_optimisers.jsonl`), under the digest
of the space's table and of the optimiser's source or version: nothing is run twice,
and an optimiser that was changed is run again. `--seconds` stops after so many
seconds; run again to go on. `--report` only prints.

Targets: at 30 trials at least the best of Optuna's TPE and GP, SMAC, OpenTuner and
random on every space (within .02), and above each on the mean; at 60 trials a mean
of at least .95, and no seed below .85.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import math
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from replayed import replayed

import trimtab.problems.runtime_tuning as home
from trimtab.problems.runtime_tuning.problem import Target, Trial
from trimtab.problems.runtime_tuning.simulator import Replay
from trimtab.problems.runtime_tuning.solvers import SEARCHES, optimiser
from trimtab.problems.runtime_tuning.workload import parse

RIVALS = ("optuna_tpe", "optuna_gp", "smac", "opentuner", "random")
SLOW = {"optuna_gp": 5, "smac": 5}  # seeds, for those that take more than 300 ms a trial
SEEDS = 10
LENGTHS = (30, 60)
LEDGER = Path("runs/runtime_tuning_optimisers.jsonl")
PACKAGES = {"optuna_tpe": "optuna", "optuna_gp": "optuna", "cma_es": "cma", "smac": "smac", "opentuner": "opentuner"}


@dataclass(frozen=True)
class Record:
    """One run."""

    key: str  # digests of the space and the optimiser
    space: str
    optimiser: str
    seed: int
    trials: int
    score: float  # of what it keeps
    noisy: float  # of the configuration with the lowest single result
    invalid: int
    ms: float  # CPU a trial, of the optimiser itself


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=math.inf)
    parser.add_argument("--report", action="store_true", help="run nothing")
    parser.add_argument("--quick", action="store_true", help="two seeds of 30 trials, without the slow ones")
    parser.add_argument("--only", default=",".join(SEARCHES))
    parser.add_argument("--spaces", default="")
    parser.add_argument("--table", type=Path, nargs="*", default=[], help="tables beside those of the problem")
    options = parser.parse_args()
    known = {**replayed(), **parse(options.table)}
    targets = {name: t for name, t in known.items() if not options.spaces or name in options.spaces.split(",")}
    names = [n for n in options.only.split(",") if not (options.quick and n in SLOW)]
    records = read()
    if not options.report:
        deadline = time.monotonic() + options.seconds
        with_ledger(targets, names, options.quick, deadline, records)
    return report(targets, list(SEARCHES), records, options.quick)


def with_ledger(
    targets: Mapping[str, Target], names: list[str], quick: bool, deadline: float, records: dict[str, Record]
) -> None:
    LEDGER.parent.mkdir(exist_ok=True)
    for seed in range(2 if quick else SEEDS):
        for trials in LENGTHS[:1] if quick else LENGTHS:
            for name in names:
                if seed >= SLOW.get(name, SEEDS) or (name in SLOW and trials > LENGTHS[0]):
                    continue
                for target in targets.values():
                    key = key_of(target, name, seed, trials)
                    if key in records:
                        continue
                    if time.monotonic() > deadline:
                        return
                    records[key] = run(key, target, name, seed, trials)
                    with LEDGER.open("a") as ledger:
                        ledger.write(json.dumps(asdict(records[key])) + "\n")


def run(key: str, target: Target, name: str, seed: int, trials: int) -> Record:
    replay = target.replay
    assert replay is not None
    best = replay.best[1]
    tuner = optimiser(name, target, seed, trials)
    rng = np.random.default_rng((seed, 2024))
    spent, invalid = 0.0, 0
    lowest: Trial = Trial(target.space.default, "ok", math.inf)
    for _ in range(trials):
        clock = time.process_time()
        values = tuner.ask()
        spent += time.process_time() - clock
        trial = replay.measure(values, rng)
        clock = time.process_time()
        tuner.tell(trial)
        spent += time.process_time() - clock
        invalid += not trial.valid
        if trial.loss is not None and trial.loss < (lowest.loss or math.inf):
            lowest = trial
    score, noisy = replay.loss(tuner.best()) / best, replay.loss(lowest.values) / best
    return Record(key, target.name, name, seed, trials, score, noisy, invalid, 1e3 * spent / trials)


def key_of(target: Target, name: str, seed: int, trials: int) -> str:
    assert target.replay is not None
    return f"{table_digest(target.replay)}:{name}:{version_of(name)}:{seed}:{trials}"


def table_digest(replay: Replay) -> str:
    table = replay.table
    text = repr((table.name, [(k.name, k.default) for k in table.space.knobs], table.rows)).encode()
    return hashlib.sha256(text + source("simulator")).hexdigest()[:12]


def version_of(name: str) -> str:
    if name in PACKAGES:
        return importlib.metadata.version(PACKAGES[name])
    rooms = ("optimiser", "encoding") if name in ("portfolio", "projection") else ("baselines/simple.py",)
    return hashlib.sha256(b"".join(map(source, rooms))).hexdigest()[:12]


def source(room: str) -> bytes:
    place = Path(next(iter(home.__path__))) / room
    files = [place] if place.is_file() else sorted(place.rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).digest()


def read() -> dict[str, Record]:
    lines = LEDGER.read_text().splitlines() if LEDGER.exists() else []
    return {record["key"]: Record(**record) for record in map(json.loads, lines)}


def report(targets: Mapping[str, Target], names: list[str], records: dict[str, Record], quick: bool) -> int:
    for target in targets.values():
        assert target.replay is not None
        f = target.replay.fidelity
        mixed = ", ".join(f"{share:.2f} {name}" for name, share in f.members.items())
        print(
            f"{target.name}: {len(target.space.knobs)} knobs, {f.rows} runs of {f.configurations} configurations, "
            f"R2 {f.r2:.2f}, validity {f.validity:.2f}, noise {100 * math.expm1(f.noise):.1f} % ({f.repeats} repeats), "
            f"best {math.exp(target.replay.best[1]):.2f} of the default; {mixed}"
        )
    scores = {trials: table(targets, names, records, trials) for trials in (LENGTHS[:1] if quick else LENGTHS)}
    met = verdict(targets, scores)
    return 0 if met or quick else 1


Cells = dict[tuple[str, str], list[Record]]


def table(targets: Mapping[str, Target], names: list[str], records: dict[str, Record], trials: int) -> Cells:
    """Prints and returns what was run with so many trials."""
    cells: Cells = {}
    for name in names:
        for target in targets.values():
            keys = [key_of(target, name, seed, trials) for seed in range(SEEDS)]
            cells[name, target.name] = [records[key] for key in keys if key in records]
    print(f"\nShare of the gap closed after {trials} trials: mean of seeds (worst seed)")
    width = max([10, *map(len, targets)])
    print(f"{'':20}" + "".join(f"{t:>{width + 8}}" for t in targets) + f"{'mean':>8}{'single':>8}{'seeds':>6}{'ms':>6}")
    for name in names:
        rows = [cells[name, t] for t in targets]
        if not any(rows):
            continue
        text = "".join(f"{shown(r):>{width + 8}}" for r in rows)
        flat = [record for r in rows for record in r]
        means = [np.mean([x.score for x in r]) for r in rows if r]
        noisy = [np.mean([x.noisy for x in r]) for r in rows if r]
        ms = np.mean([x.ms for x in flat])
        whole = "" if all(rows) else " (not all spaces)"
        fewest = min(len(r) for r in rows)
        print(f"{name:20}{text}{np.mean(means):8.3f}{np.mean(noisy):8.3f}{fewest:6}{ms:6.0f}{whole}")
    return cells


def shown(records: list[Record]) -> str:
    if not records:
        return "-"
    scores = [record.score for record in records]
    return f"{np.mean(scores):.3f} ({min(scores):.2f})"


def verdict(targets: Mapping[str, Target], scores: Mapping[int, Cells]) -> bool:
    def mean(cells: Cells, name: str, space: str) -> float:
        return float(np.mean([r.score for r in cells[name, space]])) if cells.get((name, space)) else math.nan

    short = scores[LENGTHS[0]]
    behind = []
    for space in targets:
        best = max(RIVALS, key=lambda name: np.nan_to_num(mean(short, name, space), nan=-9.0))
        lead = mean(short, "portfolio", space) - mean(short, best, space)
        if not lead >= -0.02:
            behind.append(f"{space} ({lead:+.3f} to {best})")
    averages = {n: float(np.mean([mean(short, n, s) for s in targets])) for n in ("portfolio", *RIVALS)}
    ahead = [n for n in RIVALS if not averages["portfolio"] > averages[n]]
    said: list[tuple[str, bool]] = [
        (f"{len(targets)} spaces (target: 8 or more)", len(targets) >= 8),
        (f"behind the best of {', '.join(RIVALS)} at 30 trials: {', '.join(behind) or 'nowhere'}", not behind),
        ("means at 30 trials: " + ", ".join(f"{n} {v:.3f}" for n, v in averages.items()), not ahead),
    ]
    if LENGTHS[1] in scores:
        cells = scores[LENGTHS[1]]
        final = [mean(cells, "portfolio", s) for s in targets]
        worst = min((r.score for s in targets for r in cells["portfolio", s]), default=math.nan)
        said.append((f"mean at 60 trials {np.mean(final):.3f} (target: >= 0.95)", bool(np.mean(final) >= 0.95)))
        said.append((f"worst seed at 60 trials {worst:.3f} (target: >= 0.85)", worst >= 0.85))
    print()
    for text, met in said:
        print(f"{'met   ' if met else 'MISSED'} {text}")
    return all(met for _, met in said)


if __name__ == "__main__":
    sys.exit(main())
