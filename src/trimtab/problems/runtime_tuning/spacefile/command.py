# SPDX-License-Identifier: Apache-2.0
"""A target from a document with a ``[command]``: the same words as the options of `trimtab tune`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from trimtab.core.errors import UsageError

from ..problem import Objective, Target
from ..system.command import MEASURES, Command
from ..units import constraint, seconds
from .knobs import space_of
from .toml import Document

_FIELDS: Final = {
    "argv": list, "environment": dict, "files": dict, "stdin": str, "prepare": list, "shell": bool, "timeout": str,
    "exit_code": int, "equal": list, "metrics": dict, "objective": str, "maximize": bool, "constraints": list,
}  # fmt: skip


def read_target(path: Path) -> Target:
    """The target of a file. Relative names in it are of its own folder."""
    document = Document(path)
    space = space_of(document)
    fields = document.content.get("command")
    if not isinstance(fields, dict):
        raise document.wrong(("command",), 'there is no command. Under [command]: argv = ["./prog", "--x", "{x}"]')
    for name, value in fields.items():
        if name not in _FIELDS:
            raise document.wrong(("command", name), f"no field {name!r}. Known: {', '.join(_FIELDS)}")
        if not isinstance(value, _FIELDS[name]) or not _plain(value):
            raise document.wrong(("command", name), f"{name} is {value!r}, not {_NAMES[_FIELDS[name]]}")
    folder = path.resolve().parent
    try:
        command = Command(
            tuple(fields.get("argv", ())),
            space,
            environment=fields.get("environment", {}),
            files=fields.get("files", {}),
            folder=folder,
            stdin=folder / fields["stdin"] if "stdin" in fields else None,
            prepare=tuple(fields.get("prepare", ())),
            in_shell=fields.get("shell", False),
            seconds=seconds(fields["timeout"]) if "timeout" in fields else 300.0,
            exit_code=fields.get("exit_code", 0),
            equal=tuple(fields.get("equal", ())),
            metrics=fields.get("metrics", {}),
        )
        objective = _objective(fields, command)
    except UsageError as error:
        raise document.wrong(("command",), str(error)) from None
    return Target(path.stem, space, objective, command=command)


_NAMES: Final[Mapping[type, str]] = {
    list: "a list of texts",
    dict: "a table of texts",
    str: "text",
    bool: "true or false",
    int: "a whole number",
}


def _plain(value: Any) -> bool:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return all(isinstance(item, str) for item in inside)


def _objective(fields: Mapping[str, Any], command: Command) -> Objective:
    limits = tuple(constraint(text) for text in fields.get("constraints", ()))
    metric = fields.get("objective", "cpu")
    known = [*MEASURES, *command.metrics]
    for name in (metric, *(limit.metric for limit in limits)):
        if name not in known:
            raise UsageError(f"no metric {name!r}. Known: {', '.join(known)}")
    return Objective(metric, "maximize" if fields.get("maximize") else "minimize", limits)
