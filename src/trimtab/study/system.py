# SPDX-License-Identifier: Apache-2.0
"""Where and when a study ran: what a reader needs in order to believe a time."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

PACKAGES: Final = ("trimtab", "numpy", "scipy", "gymnasium", "numba", "torch", "ortools", "pyarrow", "ray", "pyspark")


def describe() -> dict[str, Any]:
    """The environment block of a report; every value is text, a number, or a mapping of them."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),  # B
        "os": platform.platform(),
        "load": round(os.getloadavg()[0], 2),  # over the last minute, when the study started
        "python": platform.python_version(),
        "packages": _packages(),
        "git": _git(),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _packages() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _git() -> str:
    """Commit of the checkout that trimtab runs from, with ``+`` if it was changed since; '' outside one."""
    folder = Path(__file__).parents[3]
    if not (folder / ".git").exists():
        return ""
    try:
        commit = _output(folder, "rev-parse", "--short=12", "HEAD")
        return commit + ("+" if _output(folder, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def _output(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=True
    )
    return done.stdout.strip()
