# SPDX-License-Identifier: Apache-2.0
"""``trimtab doctor``"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import trimtab
from trimtab.core.errors import MissingTool
from trimtab.core.extras import tool_version
from trimtab.data import cache_folder

from . import readiness
from .options import verb
from .screen import emit, show, table

TOOLS = {  # program: (what wants it, the Debian package)
    "java": ("extra spark; pack jvm", "openjdk-17-jre-headless"),
    "llvm-mca-19": ("the baselines llvm_mca", "llvm-19"),
    "cc": ("measuring blocks: the system of block_throughput", "gcc libc6-dev"),
    "git": ("the environment block of a report", "git"),
    "gcc": ("pack gcc", "gcc libc6-dev"),
    "clang": ("pack clang", "clang"),
    "postgres": ("the system of join_ordering; pack postgresql", "postgresql"),
    "redis-server": ("pack redis", "redis-server"),
    "sqlite3": ("pack sqlite", "sqlite3"),
    "zstd": ("pack zstd", "zstd"),
    "xz": ("pack xz", "xz-utils"),
}
NOT_LISTED = ("all",)  # the union of the others


@verb("doctor")
def command(as_json: bool) -> None:
    """What is installed, what is missing, and the exact command that brings it."""
    report = {
        "trimtab": f"Python {platform.python_version()}, {platform.platform()}, {sys.prefix}",
        "extras": _extras(),
        "tools": _tools(),
        "places": _places(),
        "threads": _threads(),
    }
    if as_json:
        emit(report)
    else:
        _print(report)


def _extras() -> list[dict[str, str]]:
    """One row per package, under the first extra that brings it."""
    rows: dict[str, dict[str, str]] = {}
    for extra, requirements in sorted(readiness.extras().items(), key=_narrow_first):
        for requirement in requirements if extra not in NOT_LISTED else ():
            row = {
                "extra": extra,
                "package": requirement.package,
                "wanted": f">= {requirement.minimum}" if requirement.minimum else "",
                "version": requirement.installed,
                "mend": "" if requirement.satisfied else readiness.install([extra]),
            }
            rows.setdefault(requirement.package, row)
    return list(rows.values())


def _narrow_first(item: tuple[str, tuple[readiness.Requirement, ...]]) -> tuple[bool, int]:
    extra, requirements = item
    return extra in ("dev", "docs"), len(requirements)


def _tools() -> list[dict[str, str]]:
    rows = []
    for tool, (purpose, debian) in TOOLS.items():
        path = _program(tool)
        rows.append(
            {
                "tool": tool,
                "for": purpose,
                "version": tool_version(path) if path else "",
                "mend": "" if path else f"apt-get install {debian}",
            }
        )
    return rows


def _program(tool: str) -> Path | None:
    """On PATH, or where Debian keeps PostgreSQL's server, which is not on it."""
    found = shutil.which(tool)
    if found is None and tool == "postgres":
        from trimtab.kit.postgresql import binaries

        try:
            return binaries() / tool
        except MissingTool:
            return None
    return Path(found) if found else None


def _places() -> list[dict[str, str]]:
    """Folders that trimtab reads and writes, and what is wrong with them."""
    rows = [_place("cache", cache_folder(), "set TRIMTAB_CACHE to a folder that you may write")]
    for folder in filter(None, os.environ.get("TRIMTAB_DATA", "").split(os.pathsep)):
        found = Path(folder).expanduser().is_dir()
        rows.append({"place": "TRIMTAB_DATA", "path": folder, "mend": "" if found else "there is no such folder"})
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    compiled = Path(chosen) if chosen else Path(trimtab.__file__).parent
    rows.append(
        _place(
            "compiled code", compiled, "set NUMBA_CACHE_DIR to a folder that you may write, or each run compiles anew"
        )
    )
    return rows


def _place(name: str, path: Path, mend: str) -> dict[str, str]:
    nearest = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    fine = nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
    return {"place": name, "path": str(path), "mend": "" if fine else mend}


def _threads() -> dict[str, Any]:
    """Cores that this process may use, and how many torch and BLAS would take for each of a study's workers."""
    asked = {name: os.environ[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS") if name in os.environ}
    return {"cores": len(os.sched_getaffinity(0)), "torch": _torch_threads(), "environment": asked}


def _torch_threads() -> int | str | None:
    """None without torch; the reason where it is installed and yet can't be imported."""
    if not any(r.package == "torch" and r.installed for group in readiness.extras().values() for r in group):
        return None
    asked = [sys.executable, "-c", "import torch; print(torch.get_num_threads())"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["torch can't be imported"])[-1]
    return int(done.stdout)


def _print(report: dict[str, Any]) -> None:
    show(f"trimtab {_own_version()}: {report['trimtab']}\n")
    for title, columns in {
        "extras": ("extra", "package", "wanted", "version", "mend"),
        "tools": ("tool", "for", "version", "mend"),
        "places": ("place", "path", "mend"),
    }.items():
        rows = [[row[c] or ("ok" if c == "mend" else "-") for c in columns] for row in report[title]]
        show(table([*columns[:-1], ""], rows, whole=() if title == "places" else ("",)))  # commands, to be copied
        show("")
    threads = report["threads"]
    torch = "not installed" if threads["torch"] is None else threads["torch"]
    show(f"{threads['cores']} cores; torch threads: {torch} (a study pins each worker to one)")


def _own_version() -> str:
    from importlib.metadata import version

    return version("trimtab")
