# SPDX-License-Identifier: Apache-2.0
"""Is what `trimtab tune` says true? Real processes, on a machine that is kept busy on purpose.

Two programs of about 30 ms. In the first no knob does anything: each run of tuning
should end with "no significant gain". In the second some do: its gain is measured
once more, in fresh pairs, and what was reported should lie in that interval. Half
of the runs tune CPU seconds, half wall seconds; beside them another process burns
and rests at random, on the same core where this is pinned to one.

Every run is kept in --out as it ends, so that the same command goes on:
``--seconds`` ends it early.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trimtab.problems.runtime_tuning.optimiser import Tuner
from trimtab.problems.runtime_tuning.problem import Objective
from trimtab.problems.runtime_tuning.space import Knob, KnobSpace
from trimtab.problems.runtime_tuning.system.command import Command
from trimtab.problems.runtime_tuning.system.journal import Journal
from trimtab.problems.runtime_tuning.system.meter import Live
from trimtab.problems.runtime_tuning.system.pairs import Turns
from trimtab.problems.runtime_tuning.system.proof import LEAST, prove
from trimtab.problems.runtime_tuning.system.run import Runner
from trimtab.problems.runtime_tuning.system.tuning import Plan, Tuning

SPACE = KnobSpace(
    (
        Knob("a", "int", 5, 0, 10),
        Knob("b", "enum", "p", values=("p", "q", "r")),
        Knob("c", "bool", False),
        Knob("d", "real", 1.0, 0.1, 10.0, log=True),
    )
)
WORK = 300_000  # steps of a loop: about 20 ms
NOTHING = f"import sys\nfor i in range({WORK}): pass"
SOMETHING = f"""
import sys
a, b, c, d = sys.argv[1:]
share = (1 - 0.03 * (int(a) - 5)) * {{'p': 1.0, 'q': 0.8, 'r': 1.3}}[b] * (0.9 if c == 'true' else 1.0)
for i in range(int({2 * WORK} * share)): pass
"""
LOAD = """
import random, sys, time
rng = random.Random(int(sys.argv[1]))
while True:
    until = time.monotonic() + rng.expovariate(1 / 0.4)
    while time.monotonic() < until: pass
    time.sleep(rng.expovariate(1 / 0.4))
"""
TRIALS = 12


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="6 runs of each")
    parser.add_argument("--runs", type=int, default=100, help="of each of the two programs")
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop after these; the same command goes on")
    parser.add_argument("--out", type=Path, default=Path("runs/honesty.jsonl"))
    options = parser.parse_args()
    wanted = 6 if options.quick else options.runs
    until = time.monotonic() + options.seconds
    options.out.parent.mkdir(parents=True, exist_ok=True)
    rows = _read(options.out)
    with busy(), Runner() as runner, options.out.open("a") as out:
        for kind, seed in ((kind, seed) for kind in ("something", "nothing") for seed in range(wanted)):
            if any(row["kind"] == kind and row["seed"] == seed for row in rows):
                continue
            if time.monotonic() > until:
                break
            row = one(kind, seed, runner)
            rows.append(row)
            out.write(json.dumps(row) + "\n")
            out.flush()
    return report([row for row in rows if row["seed"] < wanted], wanted)


@contextmanager
def busy() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-I", "-S", "-c", LOAD, "1"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def one(kind: str, seed: int, runner: Runner) -> dict[str, Any]:
    """A run of tuning, and what it says; where it says that there is a gain, that gain measured once more."""
    objective = Objective("cpu" if seed % 2 else "wall")
    code = NOTHING if kind == "nothing" else SOMETHING
    argv = (sys.executable, "-I", "-S", "-c", code, "{a}", "{b}", "{c}", "{d}")
    meter = Live(Command(argv, SPACE, seconds=30.0), runner)
    with tempfile.TemporaryDirectory() as folder, Journal(Path(folder, "journal"), {}) as journal:
        tuner = Tuner(SPACE, objective, seed=seed, budget=TRIALS)
        answer = Tuning(SPACE, objective, tuner, [meter], journal, seed, Plan(trials=TRIALS)).run()
        row: dict[str, Any] = {"kind": kind, "seed": seed, "metric": objective.metric, "proved": answer.proved}
        if answer.finding is not None and answer.proof is not None:
            row |= {"seen": answer.finding.seen, "expected": answer.finding.loss, "proof": _interval(answer.proof)}
        if answer.proved:
            again = prove(
                Turns("again", objective, meter, journal, seed), SPACE.default, answer.values, objective, LEAST
            )
            row["again"] = _interval(again)
    return row


def _interval(proof: Any) -> list[float]:
    return [proof.interval.mean, proof.interval.low, proof.interval.high, proof.interval.n]


def report(rows: list[dict[str, Any]], wanted: int) -> int:
    same = [row for row in rows if row["kind"] == "nothing"]
    gains = [row for row in rows if row["kind"] == "something"]
    proved = [row for row in gains if row["proved"]]
    silent = sum(not row["proved"] for row in same)
    print(f"A/A, no knob does anything: {silent} of {len(same)} runs say no significant gain (target >= 95 of 100)")
    print(f"A gain is there: {len(proved)} of {len(gains)} runs prove one")
    inside = _share([(row["proof"][0], row["again"]) for row in proved])
    print(f"  the reported gain lies in the interval of {LEAST} fresh pairs: {inside:.2f} of runs (target >= 0.90)")
    both = [row for row in rows if "proof" in row]
    for name, what in (("expected", "what the search expected (shrunk)"), ("seen", "what the search saw")):
        share = _share([(row[name], row["proof"]) for row in both])
        bias = sum(row[name] - row["proof"][0] for row in both) / max(1, len(both))
        print(f"  {what} lies in the interval of the proof: {share:.2f} of {len(both)}; too good by {-bias:.3f} (log)")
    if len(same) < wanted or len(gains) < wanted:
        print(f"unfinished: {len(same)} and {len(gains)} of {wanted} runs; the same command goes on")
        return 1
    return 0 if silent >= 0.95 * len(same) and inside >= 0.9 else 1


def _share(pairs: list[tuple[float, list[float]]]) -> float:
    return sum(low <= value <= high for value, (_, low, high, _) in pairs) / len(pairs) if pairs else math.nan


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


if __name__ == "__main__":
    sys.exit(main())
