# SPDX-License-Identifier: Apache-2.0
"""Optional things, and how to get them: Python packages (`need`), programs (`need_tool`)."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from .errors import MissingExtra, MissingTool


def need(module: str, *, extra: str, purpose: str = "this") -> ModuleType:
    """Import an optional module, or say which extra brings it.

    torch = need("torch", extra="learn", purpose="the solver 'decima'")
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        why = "" if isinstance(error, ModuleNotFoundError) and error.name == package else f" ({error})"
        raise MissingExtra(f"{purpose} needs {package}{why}.  pip install 'trimtab[{extra}]'") from error


def need_tool(name: str, *, debian: str, minimum: str = "", purpose: str = "this") -> Path:
    """The path of a program that is new enough, or which Debian package brings it."""
    found = shutil.which(name)
    wanted = f"{name} >= {minimum}" if minimum else name
    if found is None:
        raise MissingTool(f"{purpose} needs {wanted}, which is not on PATH.  apt-get install {debian}")
    if minimum:
        version = tool_version(Path(found))
        if _numbers(version) < _numbers(minimum):
            raise MissingTool(
                f"{purpose} needs {wanted}; {found} is {version or 'of unknown version'}.  apt-get install {debian}"
            )
    return Path(found)


def tool_version(path: Path) -> str:
    """The first thing that looks like a version in what ``--version`` prints, or ''."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    said = done.stdout + done.stderr  # "zstd command line interface 64-bits v1.5.4"
    match = re.search(r"\d+(?:\.\d+)+", said) or re.search(r"\d+", said)
    return match.group() if match else ""


@dataclass(frozen=True, eq=False)
class Lazy:
    """A factory that imports ``"package.module:Name"`` only when it is called.

    Names in a problem's table of contents then cost nothing, and a missing extra
    becomes known when the thing is wanted; `extra` lets `trimtab list` say it before.
    """

    target: str
    extra: str = ""
    fixed: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, **arguments: Any) -> Any:
        module, _, name = self.target.partition(":")
        try:
            home = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if not self.extra:
                raise
            raise MissingExtra(f"{name} needs {error.name}.  pip install 'trimtab[{self.extra}]'") from error
        return getattr(home, name)(**{**self.fixed, **arguments})


def lazy(target: str, /, *, extra: str = "", **fixed: Any) -> Lazy:
    """`Lazy`, with the arguments that the factory always passes.

    lazy("trimtab.problems.x.learned:Decima", extra="learn", hidden=16)
    """
    return Lazy(target, extra, fixed)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
