# SPDX-License-Identifier: Apache-2.0
"""Compile a C program and run it: ``compiled.py SOURCE REPEATS OUTPUT COMPILER ARGUMENT...``. Needs only Python.

Prints ``run: S`` (CPU seconds of one run of the program), ``compile: S`` and ``size: B``.
What the program printed goes into the file OUTPUT, for the caller to compare.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path


def cpu_seconds(command: list[str]) -> tuple[float, bytes]:
    """CPU seconds of a command and of what it waited for, and its output. Ends this program if the command fails."""
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{command[0]} ended with {process.returncode}")
        out.seek(0)
        return used.ru_utime + used.ru_stime, out.read()


def main() -> None:
    source, repeats, output, *compiler = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder, "program"))
        compiling, _ = cpu_seconds([*compiler, "-o", program, source])
        runs = [cpu_seconds([program, "7", "4"]) for _ in range(int(repeats))]
        print(f"run: {sum(seconds for seconds, _ in runs) / len(runs):.6f}")
        print(f"compile: {compiling:.6f}")
        print(f"size: {Path(program).stat().st_size}")
        Path(output).write_bytes(b"".join(printed for _, printed in runs))


if __name__ == "__main__":
    main()
