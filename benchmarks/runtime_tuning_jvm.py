# SPDX-License-Identifier: Apache-2.0
"""Real Java programs tuned for CPU seconds: how much less than the JVM's default, and how much less than random search?

Each program is a jar of Debian's with an input made from a seed, started as a user
would, once per run (`workload.java`). Every method has 40 trials and 10 minutes, measures in the same
way, and its answer is proved in fresh pairs against the default. What a program
prints or writes must be as by default, and it may take no more memory than that,
and a tenth. An archive of the program's classes (AppCDS), made by one run of the default
beforehand, is among the values of the knob `share`; --plain does without.
Everything is kept in --out, so that the same command goes on.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from trimtab.problems.runtime_tuning.problem import Constraint, Objective
from trimtab.problems.runtime_tuning.solvers import optimiser
from trimtab.problems.runtime_tuning.system.class_archive import with_class_archive
from trimtab.problems.runtime_tuning.system.journal import Journal
from trimtab.problems.runtime_tuning.system.meter import Live
from trimtab.problems.runtime_tuning.system.run import Runner
from trimtab.problems.runtime_tuning.system.tuning import Answer, Listener, Plan, Tuning
from trimtab.problems.runtime_tuning.workload import targets

PROGRAMS = ("h2", "xalan", "saxon", "rhino", "closure", "jython", "batik", "fop", "ecj", "javacc", "luindex")
TRIALS, SECONDS, PAIRS = 40, 600.0, 12
MEMORY = 1.1  # of what the default takes
METHODS = ("portfolio", "random")
FAILED = ("crash", "timeout", "refused", "censored")


class TimeUp(Exception):
    """The seconds of this call are spent; what was measured is kept."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two programs, 15 trials; the targets are not judged")
    parser.add_argument("--programs", default="", help="names, with commas")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop after these; the same command goes on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plain", action="store_true", help="without an archive of the program's classes")
    parser.add_argument("--out", type=Path, default=Path("runs/jvm"))
    options = parser.parse_args()
    names = options.programs.split(",") if options.programs else list(PROGRAMS[: 2 if options.quick else None])
    out = options.out / ("plain" if options.plain else "archive") / ("quick" if options.quick else "")
    trials = 15 if options.quick else TRIALS
    until = time.monotonic() + options.seconds
    answers: dict[tuple[str, str], Answer] = {}
    try:
        for name in names:
            for method in options.methods.split(","):
                answers[name, method] = tune(name, method, out, options.seed, trials, until, plain=options.plain)
                print(line(name, method, answers[name, method]), flush=True)
    except TimeUp:
        print("unfinished: the same command goes on")
    return report(answers, names, judged=not options.quick and time.monotonic() < until)


def tune(name: str, method: str, out: Path, seed: int, trials: int, until: float, *, plain: bool) -> Answer:
    """One method on one program; goes on with its journal."""
    live = targets.live(f"java-{name}")
    command = live.command
    assert command is not None
    header = {"command": command.describe(), "seed": seed}
    with Runner() as runner, Journal(out / f"{name}-{method}-{seed}.jsonl", header) as journal:
        if not plain:
            command = with_class_archive(command, out / f"{name}.jsa", runner)
        meter = Live(command, runner)
        objective = Objective(constraints=(Constraint("rss", MEMORY * probe(meter, journal)),))
        target = replace(live, space=command.space, objective=objective, command=command)

        def check(*_: object) -> None:
            if time.monotonic() > until:
                raise TimeUp

        tuner = optimiser(method, target, seed, trials)
        plan = Plan(trials, SECONDS, pairs=PAIRS)
        listener = Listener(check, check, check)
        return Tuning(target.space, objective, tuner, [meter], journal, seed, plan, listener).run()


def probe(meter: Live, journal: Journal) -> float:
    """Runs the default once; what it prints is what all must print, and its memory is the measure. Bytes."""
    for row in journal.rows:
        if row["kind"] == "probe":
            meter.digests.update(row["digests"])
            return float(row["rss"])
    meter.probe()
    again = meter.probe()  # the first one read the jars from disk
    journal.append({"kind": "probe", "rss": again.metrics["rss"], "digests": again.digests})
    return again.metrics["rss"]


def line(name: str, method: str, answer: Answer) -> str:
    session, proof = answer.session, answer.proof
    failed = sum(row.trial.status in FAILED for row in session.rows)
    took = f"{session.trials} trials, {failed} failed or killed, {session.spent:.0f} s"
    if proof is None:
        return f"{name:8s} {method:10s} the default  ({took})"
    ratio, low, high = proof.interval.ratio()
    memory = proof.metrics["rss"] / proof.default["rss"]
    return (
        f"{name:8s} {method:10s} {1 / ratio:5.2f}x less CPU [{1 / high:.2f}, {1 / low:.2f}]  {proof.verdict}, "
        f"memory {memory:.2f} of the default's  ({took})"
    )


def gain(answer: Answer) -> float:
    """How many times less CPU than the default, as proved; 1 where nothing was."""
    return math.exp(-answer.proof.interval.mean) if answer.proved and answer.proof else 1.0


def report(answers: Mapping[tuple[str, str], Answer], names: Sequence[str], *, judged: bool) -> int:
    ours = {name: gain(answers[name, "portfolio"]) for name in names if (name, "portfolio") in answers}
    good = sum(value >= 1.8 for value in ours.values())
    print(f"programs with >= 1.8x less CPU, at equal output and within the memory: {good} of {len(ours)} (target >= 6)")
    both = {name: ours[name] / gain(answers[name, "random"]) for name in ours if (name, "random") in answers}
    if both:
        mean = math.exp(sum(map(math.log, both.values())) / len(both))
        print(f"geometric mean gain over random search on {len(both)} programs: {mean:.3f}x (target >= 1.15)")
        judged = judged and len(both) == len(names)
        return 0 if not judged or (good >= 6 and mean >= 1.15) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
