# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: PTH123, PTH208 -- pathlib takes longer to import than all of this
"""A small process that starts one program after the other, and accounts for everything that each leaves behind.

Started as a script by `run.Runner`, it imports nothing of trimtab. It is a
*subreaper* (prctl(2)): whatever a program starts, however often that forks and
daemonises, becomes its child in the end and is waited for here, so that wait4(2)
gives the CPU time of the whole tree, to the microsecond of the kernel's own books,
and all of it can be killed. When the socket to trimtab closes (it was killed, say),
the program is killed as well.

Linux only. What it can't see: a child whose parent ignores SIGCHLD is thrown away
by the kernel together with its CPU time.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from typing import Any, Final

SUBREAPER: Final = 36  # PR_SET_CHILD_SUBREAPER
PAGE: Final = resource.getpagesize()
TICK: Final = os.sysconf("SC_CLK_TCK")
FIRST_S: Final = 0.004  # between samples at first; then a fiftieth of the time that the program runs
LAST_S: Final = 0.05
DISK_S: Final = 0.25  # between looks at the run's directory
SHARE: Final = 0.02  # of a core that sampling may take


class Herd:
    """A program that runs, with all of its descendants."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self.cpu = 0.0  # s, of those that ended
        self.largest = 0  # B, of one process that ended (ru_maxrss)
        self.peak = 0  # B, of the tree together, sampled
        self.processes = 0
        self.code: int | None = None
        self.ended = 0.0
        self.stopped = ""
        self.started = time.monotonic()
        self.pid = start(job)

    def reap(self) -> bool:
        """Bury the dead; true when nobody is left."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            now = time.monotonic()
            self.cpu += usage.ru_utime + usage.ru_stime
            self.largest = max(self.largest, usage.ru_maxrss * 1024)
            self.processes += 1
            if pid == self.pid:
                self.code, self.ended = os.waitstatus_to_exitcode(status), now

    def sample(self) -> None:
        """How much memory and CPU the living take, and whether that is too much."""
        living = descendants(os.getpid())
        if not living:
            return
        if len(living) == 1:
            memory = resident(living[0])
        else:
            memory = sum(map(proportional, living))
        self.peak = max(self.peak, memory)
        limits = self.job["limits"]
        if memory > limits["memory"]:
            self.stop("memory")
        elif self.cpu + sum(map(burnt, living)) > limits["cpu"]:
            self.stop("cpu")

    def check_clock(self) -> None:
        now, limits = time.monotonic(), self.job["limits"]
        if self.code is not None:
            if now - self.ended > limits["linger"]:
                self.stop("linger")
        elif now - self.started > limits["wall"]:
            self.stop("wall")

    def check_disk(self) -> None:
        if weight(self.job["run"]) > self.job["limits"]["output"]:
            self.stop("output")

    def stop(self, why: str) -> None:
        self.stopped = self.stopped or why
        for pid in descendants(os.getpid()):
            kill(pid)

    def account(self) -> dict[str, Any]:
        # Until it execs, a child counts our own memory as its own: below that, the samples know better.
        single = self.largest if self.largest > high_water() or not self.peak else 0
        return {
            "cpu": self.cpu,
            "wall": (self.ended or time.monotonic()) - self.started,
            "rss": max(single, self.peak),
            "code": self.code,
            "stopped": self.stopped,
            "processes": self.processes,
        }


def high_water() -> int:
    """The most memory that this program has had, bytes.

    Not ``ru_maxrss``: that is also of what was there before the exec, the caller's, which may be many times as much.
    """
    words = read("/proc/self/status").partition("VmHWM:")[2].split(maxsplit=1)
    if words:
        return int(words[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def start(job: dict[str, Any]) -> int:
    """Start the program in a session of its own. Raises OSError where that is impossible."""
    most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    limit = job["limits"]["file"]
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit if most == resource.RLIM_INFINITY else min(limit, most), most))
    if job["cores"]:
        os.sched_setaffinity(0, job["cores"])
    with (
        open(job["stdin"] or os.devnull, "rb") as given,
        open(job["stdout"], "wb") as out,
        open(job["stderr"], "wb") as err,
    ):
        process = subprocess.Popen(
            job["argv"],
            stdin=given,
            stdout=out,
            stderr=err,
            cwd=job["folder"] or None,
            env=job["environment"],
            start_new_session=True,
        )
    process.returncode = 0  # wait4 above buries it, not subprocess
    return process.pid


def run(job: dict[str, Any], line: socket.socket) -> dict[str, Any]:
    """Run a program to its end, or until a limit, or until trimtab is gone."""
    herd = Herd(job)
    tell(line, {"pid": herd.pid})
    wake, ring = socket.socketpair()
    wake.setblocking(False)
    ring.setblocking(False)
    before = signal.set_wakeup_fd(ring.fileno())
    looked, pause = 0.0, FIRST_S
    watched = [wake, line]
    try:
        while not herd.reap():
            ready, _, _ = select.select(watched, [], [], pause)
            if wake in ready:
                wake.recv(4096)
                if herd.reap():
                    break
            if line in ready:  # nothing is said there while a program runs: trimtab is gone
                herd.stop("alone")
                watched.remove(line)
            began = time.perf_counter()
            herd.sample()
            if began - looked > DISK_S:
                herd.check_disk()
                looked = began
            herd.check_clock()
            if herd.stopped:
                herd.stop(herd.stopped)  # those that were started since
            running = time.monotonic() - herd.started
            took = time.perf_counter() - began
            pause = max(min(LAST_S, max(FIRST_S, running / 50)), took / SHARE)
    finally:
        signal.set_wakeup_fd(before)
        wake.close()
        ring.close()
    return herd.account()


def descendants(root: int) -> list[int]:
    """Process ids of the living below a process; its children first."""
    found: list[int] = []
    waiting = [root]
    while waiting:
        parent = waiting.pop()
        for child in children(parent):
            found.append(child)
            waiting.append(child)
    return found


def children(pid: int) -> list[int]:
    """Of all threads of a process."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        found += map(int, read(f"/proc/{pid}/task/{thread}/children").split())
    return found


def resident(pid: int) -> int:
    """Bytes in memory."""
    fields = read(f"/proc/{pid}/statm").split()
    return int(fields[1]) * PAGE if fields else 0


def proportional(pid: int) -> int:
    """Bytes in memory, shared ones divided among those who share them (PSS)."""
    for line in read(f"/proc/{pid}/smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return resident(pid)


def burnt(pid: int) -> float:
    """CPU seconds of a living process and of its children that it waited for, to a hundredth."""
    fields = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICK if len(fields) > 14 else 0.0


def weight(folder: str) -> int:
    """Bytes on disk below a folder."""
    total, waiting = 0, [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
        except OSError:
            continue
    return total


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def read(path: str) -> str:
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def main(descriptor: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for trimtab, which then says stop
    signal.signal(signal.SIGCHLD, lambda *_: None)
    if ctypes.CDLL(None, use_errno=True).prctl(SUBREAPER, 1, 0, 0, 0) != 0:
        sys.exit(3)
    line = socket.socket(fileno=descriptor)
    try:
        serve(line)
    except ConnectionError:  # trimtab is gone, and has left an answer unread
        return


def serve(line: socket.socket) -> None:
    """Run what is asked for, one after the other, until trimtab hangs up."""
    requests = line.makefile("r", encoding="utf-8")
    line.sendall(b"+")
    for request in requests:
        try:
            answer = run(json.loads(request), line)
        except OSError as error:
            answer = {"error": error.strerror or str(error), "file": str(error.filename or "")}
        tell(line, answer)


def tell(line: socket.socket, answer: dict[str, Any]) -> None:
    try:
        line.sendall(json.dumps(answer).encode() + b"\n")
    except ConnectionError:  # the next look at the line says that trimtab is gone
        return


if __name__ == "__main__":
    main(int(sys.argv[1]))
