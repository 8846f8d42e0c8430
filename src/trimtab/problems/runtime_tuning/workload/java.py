# SPDX-License-Identifier: Apache-2.0
"""Java programs from Debian's packages, each one-shot on an input made from a seed: what a JVM is tuned for.

Sizes are such that a run takes about half a CPU second to two. ``-XX:ActiveProcessorCount=2``
is part of each command: the defaults of a JVM follow the number of cores it sees, and
a run that is pinned to one would be tuned from other defaults.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trimtab.core.errors import MissingTool

from . import java_inputs as inputs

JARS: Final = Path("/usr/share/java")  # Debian's folder
BASE: Final = ("-XX:ActiveProcessorCount=2",)
_LUCENE: Final = ("lucene-core", "lucene-demo", "lucene-analyzers-common", "lucene-queryparser", "lucene-queries")


@dataclass(frozen=True)
class Program:
    """A main class, its jars and arguments; ``{input}`` is the folder of its input, ``{run}`` that of the run."""

    package: str  # Debian's
    jars: tuple[str, ...]
    main: str
    arguments: tuple[str, ...]
    input: Callable[[random.Random], Mapping[str, str]]
    equal: tuple[str, ...] = ("stdout",)  # must come out as it does by default
    properties: tuple[str, ...] = ()

    def class_path(self) -> str:
        """Raises `MissingTool` where a jar is not here."""
        found = []
        for jar in self.jars:
            versions = [JARS / f"{jar}.jar", *sorted(JARS.glob(f"{jar}-[0-9]*.jar"))]
            there = next((path for path in versions if path.exists()), None)
            if there is None:
                raise MissingTool(
                    f"the program needs {jar}.jar, which is not in {JARS}.  apt-get install {self.package}"
                )
            found.append(str(there))
        return ":".join(found)

    def argv(self, folder: Path) -> tuple[str, ...]:
        """The command, with ``{jvm}`` where the options go."""
        arguments = (argument.replace("{input}", str(folder)) for argument in self.arguments)
        return ("java", *BASE, "{jvm}", *self.properties, "-cp", self.class_path(), self.main, *arguments)


PROGRAMS: Final[Mapping[str, Program]] = {
    "h2": Program(
        "libh2-java", ("h2",), "org.h2.tools.RunScript",
        ("-url", "jdbc:h2:mem:x", "-script", "{input}/script.sql", "-showResults"), lambda rng: inputs.sql(rng, 3000),
    ),
    "xalan": Program(
        "libxalan2-java", ("xalan2", "xercesImpl", "xml-apis", "serializer"), "org.apache.xalan.xslt.Process",
        ("-IN", "{input}/catalogue.xml", "-XSL", "{input}/catalogue.xsl"), lambda rng: inputs.catalogue(rng, 4000),
    ),
    "saxon": Program(
        "libsaxonhe-java", ("Saxon-HE",), "net.sf.saxon.Transform",
        ("-s:{input}/catalogue.xml", "-xsl:{input}/catalogue.xsl"), lambda rng: inputs.catalogue(rng, 4000),
    ),
    "jython": Program(
        "jython", ("jython",), "org.python.util.jython", ("{input}/program.py",), lambda rng: inputs.python(rng, 4000),
        properties=("-Dpython.cachedir.skip=true",),
    ),
    "rhino": Program(
        "rhino", ("rhino",), "org.mozilla.javascript.tools.shell.Main", ("{input}/program.js",),
        lambda rng: inputs.javascript(rng, 150),
    ),
    "closure": Program(
        "libclosure-compiler-java", ("closure-compiler", "args4j", "guava", "json"),
        "com.google.javascript.jscomp.CommandLineRunner", ("--js", "{input}/program.js"),
        lambda rng: inputs.javascript(rng, 60),
    ),
    "ecj": Program(
        "ecj", ("eclipse-jdt-core",), "org.eclipse.jdt.internal.compiler.batch.Main",
        ("-17", "-proc:none", "-nowarn", "-d", "{run}", "{input}/Program.java"), lambda rng: inputs.java(rng, 30),
        equal=("{run}/Program.class",),
    ),
    "fop": Program(
        "fop", ("commons-io", "serializer", "xalan2", "xml-apis", "batik-all", "commons-logging", "xercesImpl",
                "xmlgraphics-commons", "xml-apis-ext", "fontbox2", "fop"),
        "org.apache.fop.cli.Main", ("-fo", "{input}/document.fo", "-at", "application/pdf", "{run}/areas.xml"),
        lambda rng: inputs.formatting(rng, 60), equal=("{run}/areas.xml",), properties=("-Djava.awt.headless=true",),
    ),
    "batik": Program(
        "libbatik-java",
        ("batik-all", "xmlgraphics-commons", "xml-apis-ext", "commons-io", "commons-logging", "xml-apis"),
        "org.apache.batik.apps.rasterizer.Main",
        ("-scriptSecurityOff", "-d", "{run}/drawing.png", "{input}/drawing.svg"),
        lambda rng: inputs.drawing(rng, 120), equal=("{run}/drawing.png",), properties=("-Djava.awt.headless=true",),
    ),
    "luindex": Program(
        "liblucene8-java", _LUCENE, "org.apache.lucene.demo.IndexFiles",
        ("-index", "{run}/index", "-docs", "{input}/text"),
        lambda rng: inputs.library(rng, 300), equal=(),  # a Lucene index holds identities drawn anew
    ),
    "javacc": Program(
        "javacc", ("javacc",), "javacc", ("-OUTPUT_DIRECTORY={run}", "{input}/Grammar.jj"),
        lambda rng: inputs.grammar(rng, 200), equal=("{run}/Grammar.java",),
    ),
}  # fmt: skip


def write_input(name: str, folder: Path, seed: int) -> None:
    """The input of a program, as files in a folder."""
    for file, text in PROGRAMS[name].input(random.Random(f"{name} {seed}")).items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
