# SPDX-License-Identifier: Apache-2.0
"""What `solve` is given and where its answer goes: files and parts of them, options of the problem's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from trimtab.core import registry
from trimtab.core.errors import UsageError
from trimtab.core.problem import Problem


class Input(click.Path):
    """A path that exists, or PATH:NAME for a part of what is there."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(value)
        if path.exists() or Path(str(value).rpartition(":")[0] or "\0").exists():
            return path
        return self.fail(f"Path {str(value)!r} does not exist.", param, ctx)


INPUT = Input()


def named_parts(inputs: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Paths, and the names of parts that stood behind them; of a path that exists, a colon is a letter."""
    paths: dict[Path, None] = {}
    names: list[str] = []
    for path in inputs:
        if path.exists():
            paths[path] = None
            continue
        whole, _, name = str(path).rpartition(":")
        paths[Path(whole)] = None
        names.append(name)
    return list(paths), names


class OwnOptions(click.Command):
    """A verb that takes the options of the problem on its line, too: its field `solve_options`."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        own = ctx.meta.get(__name__, ())
        mine = super().get_params(ctx)
        taken = {text for parameter in mine for text in parameter.opts}
        for option in own:
            both = taken.intersection(option.opts)
            if both:
                raise UsageError(f"an option of the problem is called as one of the verb: {', '.join(sorted(both))}")
        return [*mine, *own]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[__name__] = _own(_problem(self.make_parser(ctx), args))
        return super().parse_args(ctx, args)

    @staticmethod
    def taken(problem: Problem[Any, Any], asked: dict[str, Any]) -> dict[str, Any]:
        """The problem's own options, taken out of all that were given."""
        return {option.name: asked.pop(option.name) for option in _own(problem)}


def placed(out: Path, files: Mapping[str, str | bytes]) -> tuple[Path, Mapping[str, str | bytes]]:
    """The folder to write to, and names in it.

    Where `out` ends like one of the files, that one is called so and the others
    like it, each with its own ending; else `out` is the folder.
    """
    same = [name for name in files if out.suffix and Path(name).suffix == out.suffix]
    if out.is_dir() or not same:
        if out.is_file():
            raise UsageError(f"--out {out}: is a file, and there is none of this kind to write ({', '.join(files)})")
        return out, files
    first = same[0]
    endings = [Path(name).suffix for name in files]
    names = {
        name: out.name
        if name == first
        else f"{out.stem}{Path(name).suffix}"
        if endings.count(Path(name).suffix) == 1
        else f"{out.stem}-{name}"
        for name in files
    }
    return out.parent, {names[name]: content for name, content in files.items()}


def _problem(parser: Any, args: Sequence[str]) -> Problem[Any, Any] | None:
    """The problem on the line, wherever its own options stand."""
    parser.ignore_unknown_options = True
    try:
        _, rest, _ = parser.parse_args(list(args))
    except click.UsageError:
        rest = list(args)  # an option without its value: click itself will say so
    known = set(registry.names())
    words = [word for value in rest for word in (value if isinstance(value, (list, tuple)) else (value,))]
    name = next((word for word in [*words, *args] if word in known), None)
    return registry.load(name) if name else None


def _own(problem: Problem[Any, Any] | None) -> Sequence[click.Option]:
    return problem.solve_options() if problem is not None and problem.solve_options is not None else ()
