# SPDX-License-Identifier: Apache-2.0
"""An archive of a Java program's classes (AppCDS), made by a run of its command, as one more way of sharing.

The JVM maps what it would otherwise read, verify and link anew at each start; the
vendor's guide advises it for programs that run shortly (JEP 350, JDK 13). It is of one JDK and one
class path: a JVM that it does not fit goes on without it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from trimtab.core.errors import UsageError

from ..packs import Pack, Setting
from ..space import Knob, KnobSpace, Value
from .command import Command
from .measure import Reading, measure
from .run import Runner

APP: Final = "app"  # the value of the knob `share`
_PACK, _KNOB = "jvm", "share"


def with_class_archive(command: Command, file: Path, runner: Runner) -> Command:
    """The command with `app` among the values of the JVM's knob `share`.

    The archive at `file` is made by a run of the default if there is none that fits.
    Raises `UsageError` where that is not to be had.
    """
    if _PACK not in {pack.name for pack in command.packs}:
        raise UsageError("an archive of classes is for the JVM: it needs --pack jvm")
    if _KNOB not in command.space.by_name:
        raise UsageError("this JDK has no archive of its own classes, on which one of the program's could build")
    file = file.resolve()
    if not _fits(command, file, runner):
        _make(command, file, runner)
    packs = tuple(_offering(pack, file) if pack.name == _PACK else pack for pack in command.packs)
    return replace(command, space=_widened(command.space), packs=packs)


def _fits(command: Command, file: Path, runner: Runner) -> bool:
    """Is it there, and does the JVM start with it where it must?"""
    return file.exists() and _run(command, (f"-XX:SharedArchiveFile={file}", "-Xshare:on"), runner).status == "ok"


def _make(command: Command, file: Path, runner: Runner) -> None:
    """Whole or not at all."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{file.name}.", dir=file.parent) as folder:
            part = Path(folder) / "classes.jsa"
            done = _run(command, (f"-XX:ArchiveClassesAtExit={part}",), runner)
            if done.status != "ok" or not part.exists():
                why = done.note or "the program ended without one being written"
                said = "".join(f"\n  | {line}" for line in done.tail.splitlines()[-8:])
                raise UsageError(f"the run that was to write an archive of classes (JDK 13 or later): {why}{said}")
            part.replace(file)
    except OSError as error:
        raise UsageError(f"the archive of classes {file}: {error.strerror}") from None


def _run(command: Command, options: tuple[str, ...], runner: Runner) -> Reading:
    """The default, with these options besides."""
    packs = tuple(
        replace(pack, write=lambda changed: Setting(options)) if pack.name == _PACK else pack for pack in command.packs
    )
    return measure(replace(command, packs=packs), command.space.default, runner)


def _widened(space: KnobSpace) -> KnobSpace:
    return KnobSpace(tuple(map(_wider, space.knobs)), space.forbidden)


def _wider(knob: Knob) -> Knob:
    return replace(knob, values=(*knob.values, APP)) if knob.name == _KNOB else knob


def _offering(pack: Pack, file: Path) -> Pack:
    return replace(pack, space=_widened(pack.space), write=partial(_write, pack=pack, file=str(file)))


def _write(changed: Mapping[str, Value], pack: Pack, file: str) -> Setting:
    if changed.get(_KNOB) != APP:
        return pack.write(changed)
    setting = pack.write({name: value for name, value in changed.items() if name != _KNOB})
    return replace(setting, args=(f"-XX:SharedArchiveFile={file}", *setting.args))
