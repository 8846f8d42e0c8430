# SPDX-License-Identifier: Apache-2.0
"""trimtab as a newcomer gets it: a wheel in an environment of its own, and commands that can't reach the network."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: A name that stands for "outside": nothing answers there (RFC 5737), but without a network not even the try is made.
PROBE = """
import socket, sys
try:
    socket.create_connection(("192.0.2.1", 9), timeout=2)
except PermissionError:
    sys.exit(0)
except OSError as error:
    sys.exit(0 if error.errno == {unreachable} else f"not blocked: {{error!r}}")
sys.exit("not blocked: connected")
"""

#: Where the kernel may not take the network away, Python does.
REFUSE = """
import socket

def _refuse(*_, **__):
    raise PermissionError("the network is blocked")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.create_connection = _refuse
"""


def build_wheel(target: Path) -> Path:
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--outdir", target, ROOT], check=True, stdout=2)
    return next(target.glob("trimtab-*.whl"))


def install(wheel: Path, environment: Path, *, extras: str = "") -> Path:
    """Make a virtual environment with nothing but the wheel (and ``[extras]``); returns its Python."""
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    python = environment / "bin" / "python"
    wanted = f"trimtab[{extras}] @ {wheel.as_uri()}" if extras else f"trimtab @ {wheel.as_uri()}"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--constraint", str(ROOT / "constraints.txt")]
    subprocess.run([*pip, wanted], check=True, stdout=2)
    return python


def without_network(scratch: Path) -> tuple[list[str], dict[str, str]]:
    """What to put before a command, and into its environment, so that it has no network. Verified by a try."""
    for prefix in (["unshare", "--net"], ["unshare", "--map-root-user", "--net"]):
        if shutil.which("unshare") and _is_blocked(prefix, {}):
            return prefix, {}
    (scratch / "sitecustomize.py").write_text(REFUSE)
    variables = {"PYTHONPATH": str(scratch)}
    if not _is_blocked([], variables):
        raise SystemExit("the network could not be blocked, so nothing was shown")
    return [], variables


def clean_environment(extra: Mapping[str, str], *, home: Path) -> dict[str, str]:
    """The environment less everything that could help: no data, no caches, no settings, an empty home."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
    return {**kept, "HOME": str(home), **extra}


def _is_blocked(prefix: Sequence[str], variables: Mapping[str, str]) -> bool:
    program = PROBE.format(unreachable=errno.ENETUNREACH)
    done = subprocess.run(
        [*prefix, sys.executable, "-c", program], env={**os.environ, **variables}, capture_output=True
    )
    return done.returncode == 0
