# SPDX-License-Identifier: Apache-2.0
"""Instances of device_placement: shipped, public, and the user's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trimtab.core.errors import UsageError

from ..problem import PlacementInstance
from .suites import GENERATED, SUITES
from .suites import shipped as instances

__all__ = ["GENERATED", "SUITES", "instances", "parse", "solve_options"]


def parse(paths: Sequence[Path], **options: Any) -> Mapping[str, PlacementInstance]:
    """The user's own graphs, one instance per file.

    * ``.py``: modules. Every function in it that takes no arguments is a part, by its
      name, and is run (as is the file) only when that part is asked for; `options` are
      those of `solve_options`;
    * ``.npz`` from ``trimtab capture device_placement`` (with its devices, or four cores on 10 Gbit/s);
    * ``.onnx``, with ops estimated for a nominal core;
    * ``.json`` of dnn-partitioning or of Piper;
    * ``.txt`` of PipeDream's profiler or of DOPPLER.
    """
    from .reading import read_file

    if any(Path(path).suffix == ".py" for path in paths):
        from .user_modules import UserModules

        if len(paths) > 1:
            raise UsageError("one Python file at a time: its modules share the options of a plan")
        return UserModules(Path(paths[0]), options)
    given = sorted(name for name, value in options.items() if value != _defaults()[name])
    if given:
        raise UsageError(f"--{given[0]} is for modules in Python files; a graph file has its devices with it")
    return {str(path) if len(paths) > 1 else path.stem: read_file(path) for path in map(Path, paths)}


def solve_options() -> Sequence[Any]:
    """Click options of `solve`: what a module's graph is of, and on what it is placed."""
    import click

    from .capture import shared

    return click.command("device_placement")(shared(lambda **_: None)).params


def _defaults() -> Mapping[str, Any]:
    import click

    command = click.Command("device_placement", params=list(solve_options()))
    return command.make_context("solve", []).params
