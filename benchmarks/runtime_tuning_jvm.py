# SPDX-License-Identifier: Apache-2.0
"""Real Java programs tuned for CPU seconds: how much less than the JVM's default, and how much less than random search?

Each program is a jar of Debian's with an input made from a seed, started as a user
would, once per run. Every method has 40 trials and 10 minutes, measures in the same
way, and its answer is proved in fresh pairs against the default. What a program
prints or writes must be as by default, and it may take no more memory than that,
and a tenth. Everything is kept in --out, so that the same command goes on.

Debian: apt-get install libh2-java libxalan2-java libsaxonhe-java jython closure-compiler ecj fop libbatik-java rhino
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trimtab.problems.runtime_tuning import packs
from trimtab.problems.runtime_tuning.problem import Constraint, Objective, Target
from trimtab.problems.runtime_tuning.solvers import optimiser
from trimtab.problems.runtime_tuning.system.command import Command
from trimtab.problems.runtime_tuning.system.journal import Journal
from trimtab.problems.runtime_tuning.system.meter import Live
from trimtab.problems.runtime_tuning.system.run import Runner
from trimtab.problems.runtime_tuning.system.session import Row, Session
from trimtab.problems.runtime_tuning.system.tuning import Answer, Listener, Plan, Tuning
from trimtab.problems.runtime_tuning.workload import java_inputs as inputs

JARS = Path("/usr/share/java")
BASE = ("-XX:ActiveProcessorCount=2",)  # on one core the JVM's own defaults are others
TRIALS, SECONDS, PAIRS = 40, 600.0, 12
MEMORY = 1.1  # of what the default takes
METHODS = ("portfolio", "random")
FAILED = ("crash", "timeout", "refused", "censored")


@dataclass(frozen=True)
class Program:
    make: Callable[..., Mapping[str, str]]
    size: int
    jars: Sequence[str]
    arguments: Sequence[str]
    equal: str = "stdout"
    options: Sequence[str] = ()
    more: Mapping[str, str] = field(default_factory=dict)


FOP = ("commons-io", "serializer", "xalan2", "xml-apis", "batik-all", "commons-logging", "xercesImpl",
       "xmlgraphics-commons", "xml-apis-ext", "fontbox2", "fop")  # fmt: skip
BATIK = ("batik-all", "xmlgraphics-commons", "xml-apis-ext", "commons-io", "commons-logging", "xml-apis")
CLOSURE = ("closure-compiler", "guava", "args4j", "rhino", "json", "protobuf")
PROGRAMS = {
    "h2": Program(
        inputs.sql, 2400, ["h2"],
        ["org.h2.tools.RunScript", "-url", "jdbc:h2:mem:x", "-script", "script.sql", "-showResults"],
    ),
    "xalan": Program(
        inputs.catalogue, 3000, ["xalan2", "xercesImpl", "xml-apis", "serializer"],
        ["org.apache.xalan.xslt.Process", "-IN", "catalogue.xml", "-XSL", "catalogue.xsl"],
    ),
    "jython": Program(inputs.python, 1000, ["jython"], ["org.python.util.jython", "program.py"]),
    "closure": Program(
        inputs.javascript, 20, CLOSURE, ["com.google.javascript.jscomp.CommandLineRunner", "--js", "program.js"],
    ),
    "ecj": Program(
        inputs.java, 40, ["eclipse-jdt-core"],
        ["org.eclipse.jdt.internal.compiler.batch.Main", "-17", "-proc:none", "-nowarn", "-d", "{run}", "Program.java"],
        "{run}/Program.class",
    ),
    "fop": Program(
        inputs.formatting, 40, FOP,
        ["org.apache.fop.cli.Main", "-fo", "document.fo", "-at", "application/pdf", "{run}/areas.xml"],
        "{run}/areas.xml", ["-Djava.awt.headless=true"],
    ),
    "saxon": Program(
        inputs.catalogue, 2500, ["Saxon-HE"], ["net.sf.saxon.Transform", "-s:catalogue.xml", "-xsl:catalogue.xsl"],
    ),
    "batik": Program(
        inputs.drawing, 60, BATIK,
        ["org.apache.batik.apps.rasterizer.Main", "-scriptSecurityOff", "-d", "{run}/drawing.png", "drawing.svg"],
        "{run}/drawing.png", ["-Djava.awt.headless=true"],
    ),
    "rhino": Program(inputs.javascript, 150, ["rhino"], ["org.mozilla.javascript.tools.shell.Main", "program.js"]),
}  # fmt: skip


class TimeUp(Exception):
    """The seconds of this call are spent; what was measured is kept."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two programs, 15 trials; the targets are not judged")
    parser.add_argument("--programs", default="", help="names, with commas")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop after these; the same command goes on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/jvm"))
    options = parser.parse_args()
    names = options.programs.split(",") if options.programs else list(PROGRAMS)[: 2 if options.quick else None]
    out = options.out / "quick" if options.quick else options.out
    trials = 15 if options.quick else TRIALS
    until = time.monotonic() + options.seconds
    answers: dict[tuple[str, str], Answer] = {}
    try:
        for method in options.methods.split(","):
            for name in names:
                answers[name, method] = tune(name, method, out, options.seed, trials, until)
                print(line(name, method, answers[name, method]), flush=True)
    except TimeUp:
        print("unfinished: the same command goes on")
    return report(answers, names, judged=not options.quick and time.monotonic() < until)


def tune(name: str, method: str, out: Path, seed: int, trials: int, until: float) -> Answer:
    """One method on one program; goes on with its journal."""
    folder = out / name
    command = make_command(PROGRAMS[name], folder)
    with (
        Runner() as runner,
        Journal(folder / f"{method}-{seed}.jsonl", {"command": command.describe(), "seed": seed}) as journal,
    ):
        meter = Live(command, runner)
        memory = probe(meter, journal)
        objective = Objective(constraints=(Constraint("rss", MEMORY * memory),))
        target = Target(name, command.space, objective, command=command)

        def check(*_: object) -> None:
            if time.monotonic() > until:
                raise TimeUp

        def row(session: Session, row: Row) -> None:
            check()

        tuner = optimiser(method, target, seed, trials)
        plan = Plan(trials, SECONDS, pairs=PAIRS)
        return Tuning(command.space, objective, tuner, [meter], journal, seed, plan, Listener(row, check, check)).run()


def make_command(program: Program, folder: Path) -> Command:
    """The program with its input, written into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in program.make(random.Random(1), program.size, **program.more).items():
        (folder / name).write_text(text)
    pack = packs.load("jvm", base=BASE)
    path = ":".join(str(JARS / f"{jar}.jar") for jar in program.jars)
    argv = ("java", *BASE, "{jvm}", *program.options, "-cp", path, *program.arguments)
    return Command(argv, pack.space, (pack,), folder=folder.resolve(), equal=(program.equal,), seconds=30.0)


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
