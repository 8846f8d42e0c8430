# SPDX-License-Identifier: Apache-2.0
"""The harness's program: compiled at first use, kept in trimtab's cache under a hash of its source and compiler."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
import tempfile
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from trimtab.core.errors import MissingTool, TrimtabError, Unavailable
from trimtab.core.extras import need_tool
from trimtab.data.store import cache_folder

PURPOSE: Final = "measuring blocks"
FLAGS: Final = ("-O2", "-std=gnu11", "-Wall", "-Wextra", "-fno-stack-protector")


@cache
def program() -> Path:
    """The harness's path, compiled if need be.

    Raises `Unavailable` on another system than Linux on x86-64, and where there is no C compiler.
    """
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"):
        raise Unavailable(f"{PURPOSE} needs Linux on x86-64; this is {sys.platform} on {platform.machine()}")
    compiler = _compiler()
    with as_file(files(__name__.rpartition(".")[0]).joinpath("native")) as folder:
        sources = sorted(folder.glob("*.[ch]"))
        home = cache_folder() / "block_throughput" / f"harness-{_digest(sources, compiler)}"
        if not home.is_file():
            _compile(compiler, [source for source in sources if source.suffix == ".c"], home)
    return home


def _compiler() -> Path:
    for name in filter(None, (os.environ.get("CC"), "cc", "gcc")):
        try:
            return need_tool(name, debian="gcc libc6-dev", purpose=PURPOSE)
        except MissingTool:
            continue
    return need_tool("clang", debian="gcc libc6-dev", purpose=f"{PURPOSE} needs a C compiler: this")


def _digest(sources: list[Path], compiler: Path) -> str:
    """Of all that decides what the program is."""
    parts = [str(compiler.resolve()).encode(), " ".join(FLAGS).encode()]
    parts += [source.name.encode() + b"\0" + source.read_bytes() for source in sources]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _compile(compiler: Path, sources: list[Path], home: Path) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=".build-") as work:
        fresh = Path(work) / "harness"
        done = subprocess.run(
            [compiler, *FLAGS, "-o", fresh, *sources, "-lm"], capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode:
            said = "\n".join((done.stderr or done.stdout).strip().splitlines()[:4])
            raise TrimtabError(f"{compiler} can't compile the measuring harness:\n{said}")
        fresh.chmod(0o755)
        fresh.replace(home)
