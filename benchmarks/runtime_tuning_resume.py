# SPDX-License-Identifier: Apache-2.0
"""`kill -9` at a random moment, many times: does tuning end as if nothing had happened?

Tuning runs in a process of its own on recorded results (the n-th reading of all is
always the same), is killed, and the same call is made again, until it ends. Its
journal must then be, row by row, that of a run which was never killed (but for the
optimiser's own seconds and the machine's load); and no kill may have cost more
than the trial, or the round, that was being measured. Then the same with a real
program: `trimtab tune` is killed, and nothing that it started may live on.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from trimtab.problems.runtime_tuning.optimiser import Tuner
from trimtab.problems.runtime_tuning.problem import Objective
from trimtab.problems.runtime_tuning.space import Knob, KnobSpace, Values
from trimtab.problems.runtime_tuning.system.journal import Journal
from trimtab.problems.runtime_tuning.system.measure import Reading
from trimtab.problems.runtime_tuning.system.meter import FOREVER, Patience
from trimtab.problems.runtime_tuning.system.tuning import Plan, Tuning

SPACE = KnobSpace(
    (
        Knob("x", "real", 1.0, 0.01, 100.0, log=True),
        Knob("y", "enum", "a", values=("a", "b", "c")),
        Knob("z", "int", 0, 0, 20),
        Knob("order", "permutation", ("p", "q", "r"), values=("p", "q", "r")),
    )
)
TRIALS = 24
PAUSE = 0.01  # s that a recorded reading takes
OWN = ("overhead", "elapsed", "load")  # fields that are of the process and not of the results


class Recorded:
    """A meter: what the n-th reading is depends on n and the configuration alone. Logs that a reading begins."""

    def __init__(self, journal: Journal, seed: int, log: Path | None) -> None:
        self._n = sum(len(row["shots"] if row["kind"] == "trial" else row["order"]) for row in journal.rows)
        self._seed, self._log = seed, log

    def read(self, values: Values, patience: Patience = FOREVER) -> Reading:
        if self._log is not None:
            with self._log.open("a") as file:
                file.write(f"{self._n}\n")
            time.sleep(PAUSE)
        rng = np.random.default_rng((self._seed, self._n))
        self._n += 1
        assert isinstance(values["x"], float) and isinstance(values["z"], int)
        log = 0.1 * abs(math.log(values["x"] / 5)) - 0.3 * (values["y"] == "b") - 0.01 * values["z"]
        if values["y"] == "c" and values["z"] > 10:
            return Reading("crash", seconds=0.1, note="recorded")
        cpu = 0.1 * math.exp(log + 0.05 * rng.standard_normal())
        if cpu > patience[1]:
            return Reading("censored", {"cpu": patience[1], "wall": patience[1], "rss": 1e7}, patience[1])
        return Reading("ok", {"cpu": cpu, "wall": cpu, "rss": 1e7}, cpu)

    def stop(self) -> None:
        return


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="8 kills, and 2 of a real program")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", nargs=2, metavar=("FOLDER", "SEED"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        folder = Path(options.child[0])
        tune(folder / "journal", int(options.child[1]), folder / "log")
        return 0
    wanted, real = (8, 2) if options.quick else (options.kills, 10)
    rng = random.Random(options.seed)
    kills = runs = different = lost_most = 0
    while kills < wanted:
        runs += 1
        losses, same = killed_again_and_again(runs, rng, wanted - kills)
        kills, different, lost_most = kills + len(losses), different + (not same), max([lost_most, *losses])
    print(f"{kills} kills over {runs} runs of {TRIALS} trials with recorded results:")
    print(f"  runs that ended otherwise than one that was never killed: {different} (target 0)")
    print(f"  most trials or rounds lost to one kill: {lost_most} (target <= 1)")
    survivors, not_ended = real_program(rng, real)
    print(f"{real} kills of `trimtab tune` on a real program:")
    print(f"  processes of its program that live on: {survivors} (target 0)")
    print(f"  runs that could not be resumed to their end: {not_ended} (target 0)")
    return int(bool(different or lost_most > 1 or survivors or not_ended))


def tune(path: Path, seed: int, log: Path | None) -> None:
    with Journal(path, {"seed": seed}) as journal:
        tuner = Tuner(SPACE, Objective(), seed=seed, budget=TRIALS)
        meter = Recorded(journal, seed, log)
        Tuning(SPACE, Objective(), tuner, [meter], journal, seed, Plan(trials=TRIALS, minimise=True)).run()


def killed_again_and_again(seed: int, rng: random.Random, most: int) -> tuple[list[int], bool]:
    """What each kill lost, and whether the end was the same."""
    losses: list[int] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        while True:
            before = rows(folder / "journal")
            child = subprocess.Popen([sys.executable, __file__, "--child", name, str(seed)])
            if len(losses) < most:
                while len(rows(folder / "journal")) == len(before) and child.poll() is None:
                    time.sleep(0.002)
                time.sleep(rng.random() * 0.5)
                child.kill()
            if child.wait() == 0:
                break
            if child.returncode != -signal.SIGKILL:
                raise SystemExit("the child failed")
            losses.append(unfinished(folder))
        tune(folder / "never", seed, None)
        return losses, plain(folder / "journal") == plain(folder / "never")


def unfinished(folder: Path) -> int:
    """Trials and rounds that were begun and are not in the journal: 1 where readings are left over, else 0."""
    logged = (folder / "log").read_text().splitlines()
    kept = sum(len(row["shots"] if row["kind"] == "trial" else row["order"]) for row in rows(folder / "journal"))
    begun = len({int(n) for n in logged})
    biggest = 4 + 3  # readings of one trial at most: its runs, and controls that failed
    return math.ceil((begun - kept) / biggest)


def rows(path: Path) -> list[dict[str, Any]]:
    """The whole rows of a journal that may still be written."""
    if not path.exists():
        return []
    data = path.read_bytes()
    return [json.loads(line) for line in data[: data.rfind(b"\n") + 1].splitlines()[1:]]


def plain(path: Path) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in OWN} for row in rows(path)]


def real_program(rng: random.Random, kills: int) -> tuple[int, int]:
    """Processes that lived on after a kill, and runs that did not come to their end."""
    survivors = 0
    with tempfile.TemporaryDirectory() as name:
        marker = f"trimtab-resume-{os.getpid()}"
        space = Path(name, "space.toml")
        space.write_text("[knobs]\nn = { default = 2000, range = [1000, 3000] }\n")
        code = f"import os; os.fork(); '{marker}'; sum(range({{n}} * 100))"
        options = ["--space", str(space), "--trials", "30", "--out", f"{name}/out"]
        program = [sys.executable, "-I", "-S", "-c", code]
        call = [sys.executable, "-m", "trimtab.cli.main", "tune", *options, "--", *program]
        for _ in range(kills):
            child = subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(1.0 + rng.random())
            child.kill()
            child.wait()
            time.sleep(0.5)
            survivors += len(alive(marker))
        done = subprocess.run(call, capture_output=True, text=True)
        if done.returncode:
            print(done.stderr)
        return survivors, int(done.returncode != 0)


def alive(marker: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_text().split("\0")
        except OSError:
            continue
        if any(marker in word for word in words) and "tune" not in words:
            found.append(path.parent.name)
    return found


if __name__ == "__main__":
    sys.exit(main())
