# SPDX-License-Identifier: Apache-2.0
"""`Command`: how a configuration becomes a program that is run, and what counts as having worked."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from trimtab.core.errors import UnknownName, UsageError

from ..packs import Pack
from ..space import KnobSpace, Values
from . import placeholders

MEASURES: Final = ("cpu", "wall", "rss")  # of every run; other metrics are read from the output
RUN: Final = "run"  # {run}: the run's own directory
_DRAWS: Final = 64  # configurations that are asked whether a pack has arguments


@dataclass(frozen=True)
class Invocation:
    """A program, ready to be started."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)  # on top of ours
    folder: str = ""  # working directory; '' is ours
    stdin: str = ""  # a file; '' is nothing


@dataclass(frozen=True)
class Command:
    """A template of a program's start.

    In arguments, values of the environment and files, ``{knob}`` is the knob's value
    and ``{run}`` the directory of this run, which is removed after it. An argument
    that is nothing but ``{pack}`` becomes the pack's arguments; the pack's files are
    written into ``{run}``. Arguments are never seen by a shell unless `in_shell` is set;
    then they are one text for ``sh -c``, and values come quoted.
    """

    argv: tuple[str, ...]
    space: KnobSpace
    packs: tuple[Pack, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)  # name in {run} -> text
    folder: Path | None = None
    stdin: Path | None = None
    prepare: tuple[str, ...] = ()  # run before each measurement, not measured
    in_shell: bool = False
    seconds: float = 300.0  # a run may take, wall
    exit_code: int = 0
    equal: tuple[str, ...] = ()  # "stdout", "stderr" or a file: must come out as it does by default
    digests: Mapping[str, str] = field(default_factory=dict)  # sha256 of those, where known beforehand
    metrics: Mapping[str, str] = field(default_factory=dict)  # name -> regex, whose first group is the number

    def __post_init__(self) -> None:
        if not self.argv or not self.argv[0]:
            raise UsageError("there is no command to tune")
        self._check_metrics()
        self._check_placeholders()
        self._check_program()

    def invocation(self, values: Values, run: Path) -> Invocation:
        """The program that runs this configuration, with `run` as its own directory."""
        words = self._words(values, run)
        environment = {"TMPDIR": str(run)}
        for pack in self.packs:
            environment |= pack.environment(self._part(pack, values))
        environment |= {name: placeholders.fill(text, words) for name, text in self.environment.items()}
        return Invocation(
            self._arguments(self.argv, values, words), environment, str(self.folder or ""), str(self.stdin or "")
        )

    def preparation(self, values: Values, run: Path) -> Invocation | None:
        if not self.prepare:
            return None
        made = self.invocation(values, run)
        return Invocation(
            self._arguments(self.prepare, values, self._words(values, run)), made.environment, made.folder
        )

    def texts(self, values: Values, run: Path) -> dict[str, str]:
        """The files to be written into the run's directory before it starts."""
        words = self._words(values, run)
        texts = {name: placeholders.fill(text, words) for name, text in self.files.items()}
        for pack in self.packs:
            texts |= pack.files(self._part(pack, values))
        return texts

    def outputs(self, values: Values, run: Path) -> dict[str, Path]:
        """The file behind each name in `equal`, but for the standard streams."""
        words = self._words(values, run)
        named = [name for name in self.equal if name not in ("stdout", "stderr")]
        return {name: Path(self.folder or "", placeholders.fill(name, words)) for name in named}

    def show(self, values: Values) -> str:
        """The command line of a configuration, for a person to copy; ``{run}`` is left as it is."""
        made = self.invocation(values, Path("{run}"))
        settings = [f"{n}={shlex.quote(v)}" for n, v in made.environment.items() if n != "TMPDIR"]
        return " ".join([*settings, made.argv[-1] if self.in_shell else shlex.join(made.argv)])

    def describe(self) -> dict[str, Any]:
        """What results depend on, as plain values: a journal is of one such description."""
        return {
            "argv": list(self.argv),
            "packs": [pack.name for pack in self.packs],
            "environment": dict(self.environment),
            "files": dict(self.files),
            "folder": str(self.folder or ""),
            "stdin": str(self.stdin or ""),
            "prepare": list(self.prepare),
            "in_shell": self.in_shell,
            "seconds": self.seconds,
            "exit_code": self.exit_code,
            "equal": list(self.equal),
            "digests": dict(self.digests),
            "metrics": dict(self.metrics),
        }

    def _arguments(self, template: Sequence[str], values: Values, words: Mapping[str, str]) -> tuple[str, ...]:
        if self.in_shell:
            quoted = {name: shlex.quote(word) for name, word in words.items()}
            return ("/bin/sh", "-c", placeholders.fill(" ".join(template), quoted | self._groups(values)))
        return tuple(self._expand(template, values, words))

    def _expand(self, template: Sequence[str], values: Values, words: Mapping[str, str]) -> Iterator[str]:
        by_name = {pack.name: pack for pack in self.packs}
        for argument in template:
            pack = by_name.get(placeholders.whole(argument))
            if pack is not None:
                yield from pack.arguments(self._part(pack, values))
            else:
                yield placeholders.fill(argument, words)

    def _words(self, values: Values, run: Path) -> dict[str, str]:
        return {knob.name: knob.show(values[knob.name]) for knob in self.space.knobs} | {RUN: str(run)}

    def _part(self, pack: Pack, values: Values) -> Values:
        return {knob.name: values[knob.name] for knob in pack.space.knobs}

    def _groups(self, values: Values) -> dict[str, str]:
        return {pack.name: shlex.join(pack.arguments(self._part(pack, values))) for pack in self.packs}

    def _check_metrics(self) -> None:
        for name, pattern in self.metrics.items():
            try:
                groups = re.compile(pattern).groups
            except re.error as error:
                raise UsageError(f"metric {name!r}: {pattern!r} is no regular expression: {error}") from None
            if groups < 1:
                raise UsageError(f"metric {name!r}: {pattern!r} needs a group, such as ([\\d.]+), around the number")
            if name in MEASURES:
                raise UsageError(f"metric {name!r}: that name is taken, every run has it")

    def _check_placeholders(self) -> None:
        knobs = set(self.space.by_name)
        groups = {pack.name for pack in self.packs}
        for taken in (knobs & groups) | ({RUN} & (knobs | groups)):
            raise UsageError(f"knob {taken!r}: that name has another meaning in a command; rename it")
        texts = [*self.argv, *self.prepare, *self.environment.values(), *self.files.values(), *self.equal]
        found = placeholders.used(texts)
        for name in sorted(found - knobs - groups - {RUN}):
            raise UnknownName("knob or pack", name, knobs | groups | {RUN})
        for argument in (*self.argv, *self.prepare):
            for name in placeholders.names(argument):
                if name in groups and placeholders.whole(argument) != name and not self.in_shell:
                    raise UsageError(
                        f"{{{name}}} stands for several arguments and must be one of its own, not {argument!r}"
                    )
        packed = {knob.name for pack in self.packs for knob in pack.space.knobs}
        for name in sorted(knobs - found - packed):
            raise UsageError(f"knob {name!r} is nowhere in the command: write {{{name}}} where its value belongs")
        for pack in self.packs:
            self._check_speaks(pack, texts)

    def _check_speaks(self, pack: Pack, texts: Sequence[str]) -> None:
        """Does the command hear of what the pack says? Either way will do where a pack has arguments and files."""
        rng = np.random.default_rng(0)
        settings = [pack.setting(pack.space.draw(rng)) for _ in range(_DRAWS)]
        ways = {f"{{{pack.name}}}" for setting in settings if setting.args}
        ways |= {f"{{{RUN}}}/{file}" for setting in settings for file in setting.files}
        if ways and not any(way in text for way in ways for text in texts):
            what = " or ".join(sorted(ways))
            raise UsageError(
                f"the command needs {what} where the settings of {pack.name} go, as an argument of its own"
            )

    def _check_program(self) -> None:
        program = self.argv[0]
        if self.in_shell or placeholders.names(program):
            return
        here = str(Path(self.folder or "", program)) if os.sep in program else program
        if shutil.which(here) is None:
            raise UsageError(f"command not found: {program}")
