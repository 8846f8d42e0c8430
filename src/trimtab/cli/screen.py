# SPDX-License-Identifier: Apache-2.0
"""What goes to the terminal: results on standard output, everything else on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table


def say(text: str) -> None:
    """A message for the person, on standard error."""
    click.echo(text, err=True)


def emit(value: Any) -> None:
    """JSON on standard output."""
    sys.stdout.write(to_json(value))


def to_json(value: Any) -> str:
    """Not-a-number and infinity become null."""
    import msgspec

    encoded = msgspec.json.encode(value, enc_hook=_plain)
    return msgspec.json.format(encoded, indent=2).decode() + "\n"


def jsonable(value: Any) -> Any:
    """`value` as JSON would hold it, or its ``repr`` where JSON can't."""
    import msgspec

    try:
        return msgspec.json.decode(msgspec.json.encode(value, enc_hook=_plain))
    except (TypeError, NotImplementedError):
        return repr(value)


def console() -> Console:
    """Standard output. Names from users and plugins are printed as they are: no markup, no emoji codes."""
    from rich.console import Console

    return Console(markup=False, emoji=False, highlight=False, soft_wrap=False)


def show(renderable: RenderableType) -> None:
    console().print(renderable)


def table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = (), whole: Sequence[str] = ()
) -> Table:
    """A table without lines; the columns named in `right` hold numbers, and those in `whole` are never broken."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for place, column in enumerate(columns):
        justify: Literal["left", "right"] = "right" if column in right else "left"
        made.add_column(column, justify=justify, overflow="fold", no_wrap=place == 0 or column in (*right, *whole))
    for row in rows:
        made.add_row(*row)
    return made


def number(value: float) -> str:
    """Four significant digits, never in scientific notation where six digits do."""
    return f"{value:.4g}" if not 1e4 <= abs(value) < 1e7 else f"{value:.0f}"


def size(count: float) -> str:
    """Bytes, in kB or MB."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


def write_files(folder: Path, files: Mapping[str, str | bytes]) -> list[Path]:
    """Write all files under temporary names first; only when each is whole are they moved into place."""
    folder.mkdir(parents=True, exist_ok=True)
    waiting: list[tuple[Path, Path]] = []
    try:
        for name, content in files.items():
            final = folder / Path(name).name
            temporary = folder / f".{final.name}.{os.getpid()}.part"
            waiting.append((temporary, final))
            temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        for temporary, final in waiting:
            temporary.replace(final)
    finally:
        for temporary, _ in waiting:
            temporary.unlink(missing_ok=True)
    return [final for _, final in waiting]


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):  # NumPy arrays and scalars
        return value.tolist()
    if isinstance(value, (Path, os.PathLike)):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, BaseException):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} has no JSON form")
