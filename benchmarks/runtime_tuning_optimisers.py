# SPDX-License-Identifier: Apache-2.0
"""Optimisers side by side on replayed spaces: how much of the gap between the default and the best they close.

    TRIMTAB_DATA=... python benchmarks/runtime_tuning_optimisers.py [--workers 16] [--seconds 80] [--report] [--quick]
        [--only portfolio,random] [--spaces a,b] [--table FILE.jsonl.xz ...] [--memory FILE.safetensors]
        [--settings "start=10" ...]
        [--rules single,tune,exact]

A run is one optimiser on one space with one seed and a known number of trials, 30
or 60. Its score is the noise-free loss (log ratio to the default) of what is kept,
over that of the best configuration known of the space: 20,000 random ones and a
descent from the ten best (`Replay.best`). There are two rules, the same for all:

single  a trial is one run. What is kept is what an optimiser's own API calls its best:
        the lowest single result for all but trimtab's, whose `best()` is the lowest
        posterior mean; the table has the lowest single result for all of them, too
tune    as `trimtab tune` measures, but for racing: a trial is the median of three runs, and
        at the end what would be kept meets the two best by their measurements in six
        fresh runs each; an optimiser that would keep one of these has no third rival
exact   a trial is the noise-free loss: what the search leaves without any noise. Only of
        trimtab's, with 60 trials, where it is asked for (`--rules exact`)

A table holds ratios to the default beside each run, so the noise of a run is that of
such a ratio; the default is not run again.

`experienced` is `portfolio` with what was learnt from other programs: it is run where
some other recorded program has the space's knobs, and is never told of the program
itself. Elsewhere it is `portfolio`, and is taken as that where all spaces are counted.

Runs are kept in a ledger (`runs/runtime_tuning_optimisers.jsonl`), under the digest
of the space's table and of the optimiser's source, constants or version: nothing is
run twice, and an optimiser that was changed is run again. `--seconds` begins nothing
after so many seconds; run again to go on. `--report` only prints. `--settings` are
other constants of trimtab's optimisers (`Settings`), run after the shipped ones and
compared on the spaces that constants are chosen on. `optuna_gp` is compiled in part: it
proposes the same in a tenth of the time (`quick_gp.py`).

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
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
from quick_gp import quick
from replayed import Crew, decided, fitted, repeated, replayed

import trimtab.problems.runtime_tuning as home
from trimtab.problems.runtime_tuning.asktell import AskTell
from trimtab.problems.runtime_tuning.experience.memory import SHIPPED, Memory
from trimtab.problems.runtime_tuning.optimiser import Tuner
from trimtab.problems.runtime_tuning.optimiser.gp import Prior
from trimtab.problems.runtime_tuning.optimiser.settings import Settings
from trimtab.problems.runtime_tuning.problem import Target, Trial
from trimtab.problems.runtime_tuning.simulator import Replay
from trimtab.problems.runtime_tuning.solvers import SEARCHES, hints_for, optimiser
from trimtab.problems.runtime_tuning.space import Values
from trimtab.problems.runtime_tuning.system.finals import FINALISTS, ROUNDS
from trimtab.problems.runtime_tuning.system.session import POLICY
from trimtab.problems.runtime_tuning.workload import parse

RIVALS = ("optuna_tpe", "optuna_gp", "smac", "opentuner", "random")
OWN = ("portfolio", "experienced")
CHOSEN_ON = ("xz", "sqlite", "zstd", "xalan", "h2", "javacc")  # spaces that constants are chosen on
SLOW = ("optuna_gp", "smac")  # more than 150 ms a trial
SHIPPED_SETTINGS = Settings()
SEEDS = 10
LENGTHS = (30, 60)
RULES = ("single", "tune")
EXACT = "exact"
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
    score: float  # of what is kept
    noisy: float  # of the configuration with the lowest single result; by the rule `tune`, of `best()`
    invalid: int
    ms: float  # CPU a trial, of the optimiser itself


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=math.inf)
    parser.add_argument("--report", action="store_true", help="run nothing")
    parser.add_argument("--quick", action="store_true", help="two seeds of 30 trials, without the slow ones")
    parser.add_argument("--only", default=",".join(SEARCHES))
    parser.add_argument("--spaces", default="")
    parser.add_argument("--rules", default=",".join(RULES))
    parser.add_argument("--table", type=Path, nargs="*", default=[], help="tables beside those of the problem")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--memory", type=Path, default=SHIPPED, help="what `experienced` was trained to")
    parser.add_argument("--settings", nargs="*", default=[], help="other constants, as arguments of Settings")
    options = parser.parse_args()
    deadline = time.monotonic() + options.seconds
    known = {**replayed(), **parse(options.table)}
    wanted = {name: t for name, t in known.items() if not options.spaces or name in options.spaces.split(",")}
    names = [n for n in options.only.split(",") if not (options.quick and n in SLOW)]
    others = [settings_of(text) for text in options.settings]
    records = read()
    targets = fitted(wanted, Crew(options.workers))
    study = Study(targets, *remembered(options.memory))
    if not options.report:
        seeds, lengths = (2, LENGTHS[:1]) if options.quick else (SEEDS, LENGTHS)
        rules = tuple(options.rules.split(","))
        jobs = [j for j in study.jobs(names, seeds, lengths, rules, others) if study.key(j) not in records]
        with_ledger(study, jobs, options.workers, deadline, records)
    met = report(study, list(SEARCHES), records, options.quick)
    if others:
        compare(study, [Settings(), *others], records)
    return met


def remembered(path: Path) -> tuple[Memory, str]:
    """What `experienced` knows, and its digest."""
    return (Memory.load(path), _short(path.read_bytes())) if path.exists() else (Memory(()), "")


def settings_of(text: str) -> Settings:
    """From `start=10, bold=(1.8, 0.3)`: the writer of the command line is the reader of its result."""
    made = eval(f"Settings({text})", {"Settings": Settings, "Prior": Prior, "__builtins__": {}})
    assert isinstance(made, Settings)
    return made


@dataclass(frozen=True)
class Job:
    name: str
    space: str
    seed: int
    trials: int
    rule: str = RULES[0]
    settings: Settings = SHIPPED_SETTINGS


@dataclass(frozen=True)
class Study:
    """Everything that may be run."""

    targets: Mapping[str, Target]
    memory: Memory
    told: str  # its digest

    def jobs(
        self, names: list[str], seeds: int, lengths: tuple[int, ...], rules: tuple[str, ...], others: Iterable[Settings]
    ) -> Iterator[Job]:
        """What the targets need first, long runs of slow ones last: time may be short."""
        informed = [n for n, t in self.targets.items() if hints_for(t, self.memory) is not None]
        own, slow = [n for n in names if n in OWN], [n for n in names if n in SLOW]
        fast = [n for n in names if n not in OWN + SLOW]
        short, full = lengths[:1], lengths[::-1]
        order = [(own, full, Settings()), (fast, full, Settings()), (slow, short, Settings())]
        order += [(own, full, settings) for settings in others] + [(slow, lengths[1:], Settings())]
        for group, some, settings in order:
            for rule, trials, seed, name in product(rules, some, range(seeds), group):
                if rule == EXACT and (name not in OWN or trials != LENGTHS[-1]):
                    continue
                for space in informed if name == "experienced" else self.targets:
                    yield Job(name, space, seed, trials, rule, settings)

    def key(self, job: Job) -> str:
        replay = self.targets[job.space].replay
        assert replay is not None
        version = version_of(job.name, job.settings) + (self.told if job.name == "experienced" else "")
        key = f"{table_digest(replay)}:{job.name}:{version}:{job.seed}:{job.trials}"
        if job.rule == "single":
            return key
        of_runs = " median" if job.rule == "tune" else ""
        return f"{key}:{job.rule}{of_runs} {POLICY.repeats} {FINALISTS} {ROUNDS}"

    def run(self, job: Job) -> Record:
        target = self.targets[job.space]
        if job.name in OWN:
            hints = hints_for(target, self.memory) if job.name == "experienced" else None
            tuner: AskTell = Tuner(
                target.space, target.objective, seed=job.seed, budget=job.trials, hints=hints, settings=job.settings
            )
        else:
            if job.name == "optuna_gp":
                quick()
            tuner = optimiser(job.name, target, job.seed, job.trials)
        return run(self.key(job), target, job, tuner)


def with_ledger(study: Study, jobs: list[Job], workers: int, deadline: float, records: dict[str, Record]) -> None:
    LEDGER.parent.mkdir(exist_ok=True)
    began, spent = time.monotonic(), 0.0
    with LEDGER.open("a") as ledger:
        for record, seconds in Crew(workers).map(Timed(study), jobs, deadline):
            if record is None:
                continue
            records[record.key] = record
            ledger.write(json.dumps(asdict(record)) + "\n")
            ledger.flush()
            spent += seconds
    print(f"{time.monotonic() - began:.0f} s, {spent:.0f} s of work", file=sys.stderr)


@dataclass(frozen=True)
class Timed:
    study: Study

    def __call__(self, job: Job) -> tuple[Record | None, float]:
        clock = time.monotonic()
        try:
            return self.study.run(job), time.monotonic() - clock
        except Exception as error:  # of somebody else's optimiser: one run less, and said
            print(f"{job.name} on {job.space}, seed {job.seed}: {error!r}", file=sys.stderr)
            return None, time.monotonic() - clock


def run(key: str, target: Target, job: Job, tuner: AskTell) -> Record:
    replay = target.replay
    assert replay is not None
    best = replay.best[1]
    rng = np.random.default_rng((job.seed, 2024))
    clocked = Clocked(tuner)
    trials: list[Trial] = []
    for _ in range(job.trials):
        values = clocked.ask()
        trial = repeated(replay, values, POLICY.repeats if job.rule == "tune" else 1, rng)
        if job.rule == EXACT and trial.loss is not None:
            trial = replace(trial, loss=replay.loss(values))
        trials.append(trial)
        clocked.tell(trial)
    lowest = min(trials, key=lambda t: math.inf if t.loss is None else t.loss)
    own = tuner.best()
    kept = decided(replay, own, trials, rng) if job.rule == "tune" else own
    score, other = replay.loss(kept) / best, replay.loss(own if job.rule == "tune" else lowest.values) / best
    invalid = sum(not trial.valid for trial in trials)
    ms = 1e3 * clocked.spent / job.trials
    return Record(key, target.name, job.name, job.seed, job.trials, score, other, invalid, ms)


@dataclass
class Clocked:
    """An optimiser, and the CPU seconds that it took."""

    tuner: AskTell
    spent: float = 0.0

    def ask(self) -> Values:
        clock = time.process_time()
        values = self.tuner.ask()
        self.spent += time.process_time() - clock
        return values

    def tell(self, trial: Trial) -> None:
        clock = time.process_time()
        self.tuner.tell(trial)
        self.spent += time.process_time() - clock

    def best(self) -> Values:
        return self.tuner.best()


def table_digest(replay: Replay) -> str:
    table = replay.table
    text = repr((table.name, [(k.name, k.default) for k in table.space.knobs], table.digest)).encode()
    return _short(text + source("simulator") + source("encoding"))


def _short(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


@cache
def version_of(name: str, settings: Settings) -> str:
    if name in PACKAGES:
        return importlib.metadata.version(PACKAGES[name])
    if name not in (*OWN, "projection"):
        return _short(source("baselines/simple.py"))
    rooms = ("optimiser", "encoding") + (("experience",) if name == "experienced" else ())
    return _short(b"".join(map(source, rooms)) + repr(settings).encode())


@cache
def source(room: str) -> bytes:
    place = Path(next(iter(home.__path__))) / room
    files = [place] if place.is_file() else sorted(p for p in place.rglob("*.py") if p.name != "settings.py")
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).digest()


def read() -> dict[str, Record]:
    lines = LEDGER.read_text().splitlines() if LEDGER.exists() else []
    return {record["key"]: Record(**record) for record in map(json.loads, lines)}


def report(study: Study, names: list[str], records: dict[str, Record], quick: bool) -> int:
    targets = study.targets
    for target in targets.values():
        assert target.replay is not None
        f = target.replay.fidelity
        mixed = ", ".join(f"{share:.2f} {name}" for name, share in f.members.items())
        print(
            f"{target.name}: {len(target.space.knobs)} knobs, {f.rows} runs of {f.configurations} configurations, "
            f"R2 {f.r2:.2f}, validity {f.validity:.2f}, noise {100 * math.expm1(f.noise):.1f} % ({f.repeats} repeats), "
            f"best {math.exp(target.replay.best[1]):.2f} of the default; {mixed}"
        )
    lengths = LENGTHS[:1] if quick else LENGTHS
    met = False
    for rule in RULES:
        scores = {trials: table(study, names, records, trials, rule) for trials in lengths}
        for own in OWN:
            met = verdict(targets, scores, own, rule)
    if not quick:
        table(study, list(OWN), records, LENGTHS[-1], EXACT)
    return 0 if met or quick else 1  # of what `trimtab tune` does: `experienced`, measured by its rule


Cells = dict[tuple[str, str], list[Record]]


def table(study: Study, names: list[str], records: dict[str, Record], trials: int, rule: str) -> Cells:
    """Prints and returns what was run with so many trials by a rule."""
    cells: Cells = {}
    targets = study.targets
    for name, space in product(names, targets):
        keys = [study.key(Job(name, space, seed, trials, rule)) for seed in range(SEEDS)]
        cells[name, space] = [records[key] for key in keys if key in records]
    print(f"\nShare of the gap closed after {trials} trials, rule `{rule}`: mean of seeds (worst seed)")
    width = max([10, *map(len, targets)])
    other = "single" if rule == "single" else "own"
    print(f"{'':20}" + "".join(f"{t:>{width + 8}}" for t in targets) + f"{'mean':>8}{other:>8}{'seeds':>6}{'ms':>6}")
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


def compare(study: Study, choices: list[Settings], records: dict[str, Record]) -> None:
    """Constants side by side, on the spaces that they are chosen on; the others are not looked at here."""
    spaces = [name for name in study.targets if name.removeprefix("java-") in CHOSEN_ON]
    print(f"\nOther constants, on {', '.join(spaces)}")
    for settings in choices:
        for name in OWN:
            cells = []
            for rule, trials in product(RULES, LENGTHS):
                jobs = ([Job(name, s, seed, trials, rule, settings) for seed in range(SEEDS)] for s in spaces)
                found = [[records[k].score for j in js if (k := study.key(j)) in records] for js in jobs]
                some = [x for x in found if x]
                if some:
                    worst = min(map(min, some))
                    cells.append(
                        f"{rule} {trials}: {np.mean([np.mean(x) for x in some]):.3f} ({worst:.2f}) of {len(some)}"
                    )
            print(f"{name:12} {'   '.join(cells):50} {shown_settings(settings)}")


def shown_settings(settings: Settings) -> str:
    """What differs from the shipped constants."""
    usual = Settings()
    names = [f.name for f in fields(Settings) if getattr(settings, f.name) != getattr(usual, f.name)]
    return ", ".join(f"{name}={getattr(settings, name)}" for name in names) or "shipped"


def verdict(targets: Mapping[str, Target], scores: Mapping[int, Cells], own: str, rule: str) -> bool:
    """Prints the targets for one of trimtab's optimisers; `experienced` without experience is `portfolio`."""

    def found(trials: int, name: str, space: str) -> list[float]:
        cells = scores[trials]
        some = cells.get((name, space), []) or (cells.get(("portfolio", space), []) if name in OWN else [])
        return [record.score for record in some]

    def mean(trials: int, name: str, space: str) -> float:
        return float(np.mean(some)) if (some := found(trials, name, space)) else math.nan

    short = LENGTHS[0]
    behind = []
    for space in targets:
        best = max(RIVALS, key=lambda name: np.nan_to_num(mean(short, name, space), nan=-9.0))
        lead = mean(short, own, space) - mean(short, best, space)
        if not lead >= -0.02:
            behind.append(f"{space} ({lead:+.3f} to {best})")
    averages = {n: float(np.mean([mean(short, n, s) for s in targets])) for n in (own, *RIVALS)}
    ahead = [n for n in RIVALS if averages[n] >= averages[own]]  # nan: not run on all spaces
    said: list[tuple[str, bool]] = [
        (f"{len(targets)} spaces (target: 8 or more)", len(targets) >= 8),
        (f"behind the best of {', '.join(RIVALS)} at {short} trials: {', '.join(behind) or 'nowhere'}", not behind),
        (f"means at {short} trials: " + ", ".join(f"{n} {v:.3f}" for n, v in averages.items()), not ahead),
    ]
    for full in scores:
        if full != short:
            final = float(np.mean([mean(full, own, s) for s in targets]))
            worst = min((min(found(full, own, s), default=math.nan) for s in targets), default=math.nan)
            said.append((f"mean at {full} trials {final:.3f} (target: >= 0.95)", final >= 0.95))
            said.append((f"worst seed at {full} trials {worst:.3f} (target: >= 0.85)", worst >= 0.85))
    print(f"\n{own}, rule `{rule}`")
    for text, met in said:
        print(f"{'met   ' if met else 'MISSED'} {text}")
    return all(met for _, met in said)


if __name__ == "__main__":
    sys.exit(main())
