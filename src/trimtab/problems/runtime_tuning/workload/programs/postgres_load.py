# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL of one's own under pgbench: ``postgres_load.py BINARIES TEMPLATE SCRIPT ROUNDS ARGUMENT...``.

Needs Python and PostgreSQL. TEMPLATE is the directory of a stopped server; each run
works on a copy of it, reached through a socket in a temporary directory. Prints
``server: S``, the CPU seconds of all processes of the server from start to end, and
``rounds: N``, how often pgbench ran the script.
"""

import os
import pwd
import re
import resource  # noqa: F401  os.wait4 loads it, and after the change of user it may be out of reach
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import BinaryIO


def main() -> None:
    binaries, template, script, rounds, *options = sys.argv[1:]
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp"  # a disk would be what is measured
    folder = tempfile.mkdtemp(prefix="trimtab-pg-", dir=memory)  # short: a socket's path has at most 107 bytes
    data = str(Path(folder, "data"))
    process = None
    try:
        shutil.copytree(template, data)
        text = str(Path(folder, "script.sql"))
        shutil.copyfile(script, text)
        give_up_root(folder)
        with Path(folder, "log").open("w+b") as log:
            command = [
                f"{binaries}/postgres",
                "-D",
                data,
                "-c",
                f"unix_socket_directories={folder}",
                "-c",
                "listen_addresses=",
            ]
            process = subprocess.Popen(
                [*command, *options], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
            wait(process, folder, log)
            done = subprocess.run(
                [f"{binaries}/pgbench", "-h", folder, "-U", "trimtab", "-n", "-f", text, "-t", rounds, "-c", "1",
                 "--random-seed=7", "postgres"],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            process.send_signal(signal.SIGINT)  # fast shutdown
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        processed = re.search(r"actually processed: (\d+)/", done.stdout)
        if done.returncode or not processed or process.returncode:
            sys.exit(f"pgbench: {done.stderr.strip()[-400:]}")
    finally:
        if process is not None and process.returncode is None:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"server: {used.ru_utime + used.ru_stime:.6f}")
    print(f"rounds: {processed.group(1)}")


def give_up_root(folder: str) -> None:
    """PostgreSQL does not run as root: the folder, and this program, are somebody else's from here on."""
    if os.geteuid() != 0:
        return
    users = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = users.get("postgres") or users["nobody"]
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(Path(place, name), user.pw_uid, user.pw_gid)
    os.chown(folder, user.pw_uid, user.pw_gid)
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)


def wait(process: subprocess.Popen[bytes], folder: str, log: BinaryIO) -> None:
    """Until the server takes connections: the last line of its lock file says so."""
    lock = Path(folder, "data", "postmaster.pid")
    until = time.monotonic() + 30
    while True:
        try:
            if lock.read_text().rstrip().endswith("ready"):
                return
        except OSError:
            pass
        if process.poll() is not None or time.monotonic() > until:
            log.seek(0)
            sys.exit(f"postgres did not start: {log.read().decode(errors='replace')[-400:]}")
        time.sleep(0.002)


if __name__ == "__main__":
    main()
