# SPDX-License-Identifier: Apache-2.0
"""Compress a file and expand it: ``compressed.py FILE BYTES_PER_SECOND PROGRAM ARGUMENT...``. Needs only Python.

Prints ``ship: S``, the CPU seconds of both plus the time of the compressed bytes on a
link of that speed; ``compress: S``, ``expand: S`` and ``bytes: N``. Fails unless what
comes out is what went in.
"""

import filecmp
import os
import subprocess
import sys
import tempfile
from pathlib import Path


def cpu_seconds(command: list[str], target: Path) -> float:
    """CPU seconds of a command whose output goes to a file. Ends this program if the command fails."""
    with target.open("wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command[0]} ended with {process.returncode}")
    return used.ru_utime + used.ru_stime


def main() -> None:
    source, speed, program, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        packed, expanded = Path(folder, "packed"), Path(folder, "expanded")
        there = cpu_seconds([program, "-q", *options, "-c", source], packed)
        back = cpu_seconds([program, "-q", "-d", "-c", str(packed)], expanded)
        size = packed.stat().st_size
        if not filecmp.cmp(source, expanded, shallow=False):
            sys.exit(f"{program} does not give back what it was given")
        print(f"ship: {there + back + size / float(speed):.6f}")
        print(f"compress: {there:.6f}")
        print(f"expand: {back:.6f}")
        print(f"bytes: {size}")


if __name__ == "__main__":
    main()
