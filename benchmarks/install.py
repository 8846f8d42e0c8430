# SPDX-License-Identifier: Apache-2.0
"""How much `pip install trimtab` brings: packages and megabytes, in a fresh virtual environment."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from fresh import build_wheel, install

MAX_PACKAGES = 15
MAX_MEGABYTES = 260
TOOLS = {"pip", "setuptools", "wheel"}  # what `python -m venv` puts there


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="trimtab-install-") as folder:
        scratch = Path(folder)
        python = install(build_wheel(scratch), scratch / "venv")
        packages = installed(python)
        megabytes = size_of(packages, scratch / "venv")
    for name, version in sorted(packages.items()):
        print(f"  {name} {version}")
    print(f"packages   {len(packages):6d}      target <= {MAX_PACKAGES}")
    print(f"installed  {megabytes:6.1f} MB   target <= {MAX_MEGABYTES} MB")
    return 0 if len(packages) <= MAX_PACKAGES and megabytes <= MAX_MEGABYTES else 1


def installed(python: Path) -> dict[str, str]:
    """What pip put there, trimtab included."""
    done = subprocess.run([python, "-m", "pip", "list", "--format", "json"], check=True, capture_output=True)
    return {row["name"]: row["version"] for row in json.loads(done.stdout) if row["name"] not in TOOLS}


def size_of(packages: dict[str, str], environment: Path) -> float:
    """Megabytes (10^6 B) of the environment's files, compiled bytecode too, less the tools' own."""
    site = next((environment / "lib").glob("python*/site-packages"))
    own = [path for path in site.iterdir() if path.name.split("-")[0] not in TOOLS]
    return sum(file.stat().st_size for path in own for file in ([path] if path.is_file() else path.rglob("*"))) / 1e6


if __name__ == "__main__":
    sys.exit(main())
