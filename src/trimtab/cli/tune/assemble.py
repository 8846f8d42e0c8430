# SPDX-License-Identifier: Apache-2.0
"""From the options to what is tuned: the knobs, the command, the objective."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trimtab.core.errors import UnknownName, UsageError
from trimtab.problems.runtime_tuning import packs, spacefile
from trimtab.problems.runtime_tuning.problem import Constraint, Objective
from trimtab.problems.runtime_tuning.space import KnobSpace
from trimtab.problems.runtime_tuning.system import placeholders
from trimtab.problems.runtime_tuning.system.command import MEASURES, RUN, Command


@dataclass(frozen=True)
class Job:
    """What is tuned, and for what."""

    command: Command
    objective: Objective
    reference: str = "the default"  # what the proof is against


def job(words: Sequence[str], asked: Mapping[str, Any]) -> Job:
    """Raises `UsageError` with the one thing that is wrong."""
    if not words:
        raise UsageError("there is no command: trimtab tune --pack jvm -- java {jvm} -jar app.jar")
    loaded = tuple(_load(name, words, everything=asked["all_knobs"]) for name in asked["pack"] or ())
    spaces = [pack.space for pack in loaded]
    if asked["space"] is not None:
        spaces.append(spacefile.read(asked["space"]))
    if not spaces:
        raise UsageError(
            f"there are no knobs: name a pack (--pack {'|'.join(packs.names())}), or your own file (--space my.toml)"
        )
    command = Command(
        tuple(words),
        _together(spaces),
        loaded,
        environment=dict(asked["environment"]),
        files={path.name: path.read_text(encoding="utf-8") for path in asked["template"]},
        folder=Path.cwd(),
        stdin=asked["stdin"].resolve() if asked["stdin"] else None,
        prepare=_words(asked["prepare"]) if asked["prepare"] else (),
        in_shell=asked["shell"],
        seconds=asked["timeout"] or 300.0,
        exit_code=asked["exit_code"],
        equal=tuple(asked["equal"]),
        metrics=dict(asked["metric"]),
    )
    _check_templates(command)
    if asked.get("class_archive"):
        command = _archived(command, asked["class_archive"])
    reference = "the default" if asked["compare"] == "default" else asked["compare"]
    return Job(command, _objective(command, asked), reference)


def _words(text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(f"--prepare {text!r} is no command: {str(error).lower()}") from None


def _check_templates(command: Command) -> None:
    """Does anything look into the directory that they are written to?"""
    texts = (*command.argv, *command.prepare, *command.environment.values())
    if command.files and RUN not in placeholders.used(texts):
        name = next(iter(command.files))
        raise UsageError(
            f"--template {name}: nothing reads it; write {{{RUN}}}/{name} where the command names that file"
        )


def _archived(command: Command, file: Path) -> Command:
    from trimtab.problems.runtime_tuning.system.class_archive import with_class_archive
    from trimtab.problems.runtime_tuning.system.run import Runner

    with Runner() as runner:
        try:
            return with_class_archive(command, file, runner)
        except UsageError as error:
            raise UsageError(f"--class-archive: {error}") from None


def _together(spaces: Sequence[KnobSpace]) -> KnobSpace:
    return KnobSpace(
        tuple(knob for space in spaces for knob in space.knobs),
        tuple(clause for space in spaces for clause in space.forbidden),
    )


def _load(name: str, words: Sequence[str], *, everything: bool) -> packs.Pack:
    """The pack for the tool that the command itself starts, where it names that, else for the one on PATH."""
    if name not in packs.PACKS:
        raise UnknownName("knob pack", name, packs.names())
    usual = packs.PACKS[name][1]
    tool = next((word for word in words if Path(word).name == usual and shutil.which(word)), "")
    return packs.load(name, tool, everything=everything, base=packs.base(name, words))


def _objective(command: Command, asked: Mapping[str, Any]) -> Objective:
    known = [*MEASURES, *command.metrics]
    for name in (asked["objective"], *(name for name, _ in asked["constraint"])):
        if name not in known:
            raise UnknownName("metric", name, known)
    limits = tuple(Constraint(name, limit) for name, limit in asked["constraint"])
    return Objective(asked["objective"], "maximize" if asked["maximize"] else "minimize", limits)
