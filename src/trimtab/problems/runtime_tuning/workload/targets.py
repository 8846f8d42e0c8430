# SPDX-License-Identifier: Apache-2.0
"""The live targets: programs that are really run, with the pack of knobs of the tool that runs them.

=================  =================================================  ==========================
target             what is measured                                   objective
=================  =================================================  ==========================
gcc                seven small C programs, compiled and run            CPU time of the run
gcc-numbers        eight others                                        the same
zstd               2 MB of records, there and back                     CPU time + bytes / 100 kB/s
xz                 the same                                            the same
sqlite             rows inserted, joined, changed                      CPU time
redis              commands on all types, by redis-benchmark           CPU time of the server
redis-shop         what a shop asks of its cache                       the same
postgresql         joins, sorts and changes, by pgbench                CPU time of the server
postgresql-events  reports of devices: other tables, other queries     the same
java-...           a program of `java.PROGRAMS`                        CPU time
=================  =================================================  ==========================

The second workload of a tool is there for what it teaches of the first (`experience`).
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from trimtab.core.errors import UnknownName

from ..packs import Pack, load
from ..problem import Objective, Target
from ..system.command import Command
from . import prepared
from .inputs import records, table_script
from .java import BASE, PROGRAMS, write_input

_PROGRAMS: Final = Path(__file__).with_name("programs")
_PYTHON: Final = (sys.executable, "-I", "-S")  # a runner needs nothing installed
_LINK: Final = 100_000  # B/s
_SEED: Final = 7
_RECORDS: Final = 2_000_000  # B


def names() -> tuple[str, ...]:
    return (*_MAKE, *(f"java-{name}" for name in PROGRAMS))


def live(name: str) -> Target:
    """Raises `MissingTool`, with the Debian package, where what it runs is not here."""
    if name in _MAKE:
        return _MAKE[name](name)
    if name.removeprefix("java-") in PROGRAMS and name.startswith("java-"):
        return _java(name)
    raise UnknownName("live target", name, names())


def _number(name: str) -> str:
    return rf"(?m)^{name}: ([\d.]+)$"


def _target(
    name: str, pack: Pack, argv: tuple[str, ...], objective: str, *more: str, equal: tuple[str, ...] = ()
) -> Target:
    """A target whose runner prints the objective and further metrics, one a line."""
    metrics = {metric: _number(metric) for metric in (objective, *more)}
    command = Command(argv, pack.space, packs=(pack,), metrics=metrics, equal=equal, seconds=60.0)
    return Target(name, pack.space, Objective(objective), command=command)


def _compiler(name: str, *, tool: str, source: str) -> Target:
    pack = load(tool)
    runner = (*_PYTHON, str(_PROGRAMS / "compiled.py"), str(_PROGRAMS / source), "1", "{run}/output")
    return _target(
        name, pack, (*runner, pack.tool, "-O2", f"{{{tool}}}"), "run", "compile", "size", equal=("{run}/output",)
    )


def _compressor(name: str) -> Target:
    pack = load(name)
    source = prepared.folder("records", _write_records) / "records"
    runner = (*_PYTHON, str(_PROGRAMS / "compressed.py"), str(source), str(_LINK))
    return _target(name, pack, (*runner, pack.tool, f"{{{name}}}"), "ship", "compress", "expand", "bytes")


def _write_records(folder: Path) -> None:
    (folder / "records").write_bytes(records(_SEED, _RECORDS))


def _redis(name: str, *, mix: str) -> Target:
    pack = load("redis")
    argv = (*_PYTHON, str(_PROGRAMS / "redis_load.py"), mix, "1", pack.tool, "{redis}")
    return _target(name, pack, argv, "server", "memory", "commands")


def _postgresql(name: str, *, template: str, script: str) -> Target:
    from . import postgres_template

    pack = load("postgresql")
    tables = _PROGRAMS / template
    made = prepared.folder(
        f"postgresql-{pack.version}-{_digest(tables)}", partial(postgres_template.make, script=tables)
    )
    argv = (
        *_PYTHON, str(_PROGRAMS / "postgres_load.py"), str(Path(pack.tool).parent), str(made / "data"),
        str(_PROGRAMS / script), "2", "{postgresql}",
    )  # fmt: skip
    return _target(name, pack, argv, "server", "rounds")


def _sqlite(name: str) -> Target:
    pack = load(name)
    script = prepared.folder("sqlite", _write_script) / "script.sql"
    command = Command(
        (pack.tool, "-bail", "-batch", "{run}/database", "{sqlite}", ".read '" + str(script) + "'"),
        pack.space, packs=(pack,), equal=("stdout",), seconds=60.0,
    )  # fmt: skip
    return Target(name, pack.space, Objective("cpu"), command=command)


def _write_script(folder: Path) -> None:
    (folder / "script.sql").write_text(table_script(_SEED, 4000))


def _java(name: str) -> Target:
    program = PROGRAMS[name.removeprefix("java-")]
    program.class_path()  # before anything is made
    pack = load("jvm", base=BASE)
    make = partial(write_input, name.removeprefix("java-"), seed=_SEED)
    argv = program.argv(prepared.folder(name, make))
    command = Command(argv, pack.space, packs=(pack,), equal=program.equal, seconds=120.0)
    return Target(name, pack.space, Objective("cpu"), command=command)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:8]


_MAKE: Final[Mapping[str, Callable[[str], Target]]] = {
    "gcc": partial(_compiler, tool="gcc", source="kernels.c"),
    "gcc-numbers": partial(_compiler, tool="gcc", source="numbers.c"),
    "clang": partial(_compiler, tool="clang", source="kernels.c"),
    "zstd": _compressor,
    "xz": _compressor,
    "sqlite": _sqlite,
    "redis": partial(_redis, mix="types"),
    "redis-shop": partial(_redis, mix="shop"),
    "postgresql": partial(_postgresql, template="template.sql", script="mixed.sql"),
    "postgresql-events": partial(_postgresql, template="events_template.sql", script="events.sql"),
}
