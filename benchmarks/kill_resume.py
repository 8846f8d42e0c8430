# SPDX-License-Identifier: Apache-2.0
"""`kill -9` at a random moment, many times: what does a study lose?

A study with two workers is killed (its main process, one of its workers, or all
at once), then the same call is made again, until it ends. Every cell writes a
line to a log when it starts. After each kill the ledger must be readable, no
cell that it holds may have been started again, and at most one cell per worker
may have been started in vain.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import bins

import trimtab
from trimtab.study.ledger import read
from trimtab.study.plan import Plan

JOBS = 2
INSTANCES = 60
SOLVERS = ("exact", "one", "two")
SEEDS = range(2)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="5 kills")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        compare(Path(options.child))
        return 0
    wanted = 5 if options.quick else 20
    kills = lost_most = repeated = studies = 0
    rng = random.Random(options.seed)
    while kills < wanted:
        studies += 1
        for lost, again in one_study(rng, wanted - kills):
            kills, lost_most, repeated = kills + 1, max(lost_most, lost), repeated + again
    good = repeated == 0 and lost_most <= JOBS
    print(f"{kills} kills over {studies} studies of {INSTANCES * len(SOLVERS) * len(SEEDS)} cells on {JOBS} workers:")
    print(f"  finished cells run again: {repeated} (target 0)")
    print(f"  most cells lost to one kill: {lost_most} (target <= {JOBS}, one per worker)")
    print("  ledger readable and complete after every study (target: always)")
    return 0 if good else 1


def compare(folder: Path) -> None:
    trimtab.study(bins.PROBLEM, solvers=SOLVERS, seeds=SEEDS, jobs=JOBS, ledger=folder)


def one_study(rng: random.Random, most: int) -> Iterator[tuple[int, int]]:
    """For each kill: the cells that it lost, and those started though they were finished before."""
    with tempfile.TemporaryDirectory() as name:
        folder, log = Path(name) / "ledger", Path(name) / "starts"
        environment = os.environ | {
            "TRIMTAB_BENCH_INSTANCES": str(INSTANCES),
            "TRIMTAB_BENCH_SLEEP": "0.01",
            "TRIMTAB_BENCH_LOG": str(log),
        }
        ended = False
        for _ in range(most):
            before, begun = finished(folder), started(log)
            ended = killed(folder, environment, rng)
            fresh = started(log)[len(begun) :]
            again = sum(line in before for line in fresh)
            yield len(fresh) - again - len(finished(folder) - before), again
            if ended:
                break
        subprocess.run([sys.executable, __file__, "--child", str(folder)], env=environment, check=True)
        if len(finished(folder)) != INSTANCES * len(SOLVERS) * len(SEEDS):
            raise SystemExit(f"only {len(finished(folder))} cells are in the ledger")


def killed(folder: Path, environment: dict[str, str], rng: random.Random) -> bool:
    """Start the study and kill something after it has begun. True where it reached its end nevertheless."""
    study = subprocess.Popen(
        [sys.executable, __file__, "--child", str(folder)], env=environment, start_new_session=True
    )
    rows = len(finished(folder))
    while len(finished(folder)) == rows and study.poll() is None:
        time.sleep(0.002)
    time.sleep(rng.random() * 0.8)
    workers = children(study.pid)
    victim = rng.choice(["study", "worker", "all"])
    if study.poll() is None:
        if victim == "worker" and workers:
            os.kill(rng.choice(workers), signal.SIGKILL)
            study.wait()
        elif victim == "all":
            os.killpg(study.pid, signal.SIGKILL)
        else:
            study.kill()
    ended = study.wait() == 0
    while any(Path(f"/proc/{worker}").exists() for worker in workers):  # orphans end by themselves
        time.sleep(0.01)
    return ended


def children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in text.split()]


def finished(folder: Path) -> set[str]:
    """What the log says of a cell's start, for each cell that the ledger has."""
    if not (folder / "study.json").exists():
        return set()
    done = read(folder)
    plan = Plan.from_json((folder / "study.json").read_bytes())
    return {f"{int(cell.instance[1:])} {cell.solver} {cell.entropy}" for cell in plan.cells() if cell.key in done}


def started(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


if __name__ == "__main__":
    sys.exit(main())
