# SPDX-License-Identifier: Apache-2.0
"""Programs whose cost is known, and programs that misbehave."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from trimtab.core.errors import TrimtabError, UsageError
from trimtab.problems.runtime_tuning.system import shepherd
from trimtab.problems.runtime_tuning.system.command import Invocation
from trimtab.problems.runtime_tuning.system.run import Limits, Measured, Runner, describe

BURN = """
import os, sys, time
def burn(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass
"""
START = 0.08  # CPU seconds that an interpreter may take to start, with room for a busy machine


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with Runner() as made:
        yield made


def python(code: str) -> Invocation:
    return Invocation((sys.executable, "-I", "-S", "-c", BURN + textwrap.dedent(code)))


def alive(marker: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and marker in (entry / "cmdline").read_text():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def opened(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_cpu_of_a_tree(runner: Runner, tmp_path: Path) -> None:
    """A program, its child and its grandchild burn 0.3 s in all; two of them at the same time."""
    measured = runner.run(
        python("""
        if os.fork() == 0:
            if os.fork() == 0:
                burn(0.1); os._exit(0)
            burn(0.1); os.wait(); os._exit(0)
        burn(0.1); os.wait()
        """),
        tmp_path,
    )
    assert measured.code == 0 and not measured.stopped
    assert 0.3 <= measured.cpu <= 0.3 + START


def test_an_orphan_is_counted_and_waited_for(runner: Runner, tmp_path: Path) -> None:
    measured = runner.run(
        python("""
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                burn(0.2)
            os._exit(0)
        """),
        tmp_path,
    )
    assert measured.code == 0 and measured.processes == 3 and not measured.stopped
    assert 0.2 <= measured.cpu <= 0.2 + START
    assert measured.wall < 0.19  # the program itself ended at once


def test_what_outlives_the_program_for_too_long_is_killed(runner: Runner, tmp_path: Path) -> None:
    began = time.monotonic()
    measured = runner.run(
        python("""
        if os.fork() == 0:
            os.setsid()
            time.sleep(600)
        """),
        tmp_path,
        Limits(linger=0.2),
    )
    assert (measured.stopped, measured.code) == ("linger", 0)
    assert time.monotonic() - began < 5


def test_memory_of_one_process_whatever_ours_is(tmp_path: Path) -> None:
    ballast = bytearray(200 << 20)
    ballast[::4096] = b"x" * len(ballast[::4096])
    with Runner() as runner:
        test_memory_of_one_process(runner, tmp_path)


def test_memory_of_one_process(runner: Runner, tmp_path: Path) -> None:
    small = runner.run(python("pass"), tmp_path)
    large = runner.run(python("x = bytearray(100 << 20); x[::4096] = b'x' * len(x[::4096])"), tmp_path)
    assert 100 << 20 <= large.rss <= 112 << 20
    assert small.rss < 16 << 20


def test_memory_of_a_tree_is_more_than_that_of_its_largest(runner: Runner, tmp_path: Path) -> None:
    """Two processes with 60 MiB each at the same time; 40 MiB more are shared by both, and count once."""
    measured = runner.run(
        python("""
        shared = bytearray(40 << 20); shared[::4096] = b'x' * len(shared[::4096])
        os.fork()
        own = bytearray(60 << 20); own[::4096] = b'x' * len(own[::4096])
        time.sleep(0.5)
        """),
        tmp_path,
    )
    assert 160 << 20 <= measured.rss <= 185 << 20


@pytest.mark.parametrize("ignore", ["", "signal.signal(signal.SIGTERM, signal.SIG_IGN)"])
def test_a_hang_is_killed_with_all_its_children(runner: Runner, tmp_path: Path, ignore: str) -> None:
    marker = f"hang-{os.getpid()}-{time.monotonic_ns()}"
    began = time.monotonic()
    measured = runner.run(
        python(
            f"import signal; {ignore}\nos.fork(); os.setsid() if os.fork() == 0 else None\n'{marker}'; time.sleep(600)"
        ),
        tmp_path,
        Limits(wall=0.3),
    )
    assert measured.stopped == "wall" and "still running" in describe(measured)
    assert time.monotonic() - began < 5
    assert not alive(marker)


def test_cpu_and_memory_limits(runner: Runner, tmp_path: Path) -> None:
    slow = runner.run(python("os.fork(); burn(60)"), tmp_path, Limits(cpu=0.3))
    assert slow.stopped == "cpu" and 0.3 <= slow.cpu < 1.0
    fat = runner.run(
        python("x = [bytes([1]) * (1 << 20) for _ in range(2000)]; time.sleep(60)"), tmp_path, Limits(memory=300 << 20)
    )
    assert fat.stopped == "memory" and fat.rss < 2000 << 20


def test_garbage_is_cut_off(runner: Runner, tmp_path: Path) -> None:
    printing = runner.run(Invocation(("yes",)), tmp_path, Limits(file=1 << 20))
    assert describe(printing) == "ended by SIGXFSZ"
    assert (tmp_path / "stdout").stat().st_size == 1 << 20
    filling = runner.run(
        python(f"""
        for k in range(1000):
            open({str(tmp_path)!r} + f'/{{k}}', 'wb').write(b'x' * (1 << 20)); time.sleep(0.01)
        """),
        tmp_path,
        Limits(output=50 << 20),
    )
    assert filling.stopped == "output"


def test_ends_and_output(runner: Runner, tmp_path: Path) -> None:
    crashed = runner.run(python("print('out'); print('err', file=sys.stderr); sys.exit(7)"), tmp_path)
    assert (crashed.code, describe(crashed)) == (7, "exit code 7")
    assert ((tmp_path / "stdout").read_text(), (tmp_path / "stderr").read_text()) == ("out\n", "err\n")
    killed = runner.run(python("os.kill(os.getpid(), 11)"), tmp_path)
    assert describe(killed) == "ended by SIGSEGV"
    assert describe(runner.run(python("pass"), tmp_path)) == ""


def test_what_can_not_be_started(runner: Runner, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing-here: No such file"):
        runner.run(Invocation(("/nothing-here",)), tmp_path)
    (tmp_path / "data").write_text("no program")
    with pytest.raises(UsageError, match="Permission denied"):
        runner.run(Invocation((str(tmp_path / "data"),)), tmp_path)
    assert runner.run(python("pass"), tmp_path).code == 0  # it still works


def test_environment_folder_and_input(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "given").write_text("words")
    made = python("print(os.environ['KNOB'], os.getcwd(), sys.stdin.read())")
    runner.run(Invocation(made.argv, {"KNOB": "7"}, str(tmp_path), str(tmp_path / "given")), tmp_path)
    assert (tmp_path / "stdout").read_text() == f"7 {tmp_path} words\n"


def test_pinning(tmp_path: Path) -> None:
    core = min(os.sched_getaffinity(0))
    with Runner([core]) as pinned:
        pinned.run(python("print(os.sched_getaffinity(0))"), tmp_path)
    assert (tmp_path / "stdout").read_text() == f"{{{core}}}\n"


def test_nothing_is_left_open(runner: Runner, tmp_path: Path) -> None:
    runner.run(python("pass"), tmp_path)
    shepherd = runner._process
    assert shepherd is not None
    before = opened(os.getpid()), opened(shepherd.pid)
    for _ in range(20):
        runner.run(python("pass"), tmp_path)
    assert (opened(os.getpid()), opened(shepherd.pid)) == before
    runner.run(Invocation(("/bin/ls", "/proc/self/fd")), tmp_path)
    assert (tmp_path / "stdout").read_text().split() == ["0", "1", "2", "3"]  # 3 is the listing itself


def test_interrupt_kills_the_program(tmp_path: Path) -> None:
    """In a process of its own: an interrupt at another moment would end the tests."""
    marker = f"interrupt-{os.getpid()}-{time.monotonic_ns()}"
    script = textwrap.dedent(f"""
        import os, pathlib, signal, sys, threading
        from trimtab.problems.runtime_tuning.system.command import Invocation
        from trimtab.problems.runtime_tuning.system.run import Runner
        where = pathlib.Path({str(tmp_path)!r})
        nothing = Invocation((sys.executable, "-c", "pass"))
        with Runner() as runner:
            runner.run(nothing, where)
            threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT)).start()
            try:
                code = "import os, time; os.fork(); '{marker}'; time.sleep(600)"
                runner.run(Invocation((sys.executable, "-c", code)), where)
            except KeyboardInterrupt:
                print("interrupted")
            print(runner.run(nothing, where).code)
    """)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.split() == ["interrupted", "0"], done.stderr
    assert not alive(marker)


@pytest.mark.parametrize("victim", ["trimtab", "shepherd"])
def test_kill_9_leaves_no_program_behind(tmp_path: Path, victim: str) -> None:
    marker = f"killed-{os.getpid()}-{time.monotonic_ns()}"
    script = textwrap.dedent(f"""
        import sys, pathlib
        from trimtab.problems.runtime_tuning.system.command import Invocation
        from trimtab.problems.runtime_tuning.system.run import Runner
        with Runner() as runner:
            runner._connect(); print(runner._process.pid, flush=True)
            runner.run(Invocation(("sh", "-c", "sleep 600; : {marker}-program")), pathlib.Path({str(tmp_path)!r}))
    """)
    driver = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert driver.stdout is not None
    shepherd = int(driver.stdout.readline())
    while len(alive(f"{marker}-program")) < 2:  # the driver has it in its command line, too
        time.sleep(0.01)
    os.kill(driver.pid if victim == "trimtab" else shepherd, signal.SIGKILL)
    driver.wait(10)
    until = time.monotonic() + 10
    while alive(f"{marker}-program") and time.monotonic() < until:
        time.sleep(0.01)
    assert not alive(f"{marker}-program")
    driver.stdout.close()


def test_a_shepherd_that_was_killed_is_said(tmp_path: Path) -> None:
    with Runner() as runner:
        runner.run(python("pass"), tmp_path)
        assert runner._process is not None
        threading.Timer(0.3, os.kill, (runner._process.pid, signal.SIGKILL)).start()
        with pytest.raises(TrimtabError, match="was killed"):
            runner.run(python("time.sleep(600)"), tmp_path)
        measured: Measured = runner.run(python("pass"), tmp_path)
        assert measured.code == 0


def test_the_shepherd_says_nothing_when_trimtab_leaves_an_answer_unread(runner: Runner, tmp_path: Path) -> None:
    """As Ctrl-C does at a bad moment: closing a socket with unread data resets the connection."""
    job = runner._job(Invocation(("/no/such/program",)), tmp_path, Limits())
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-I", "-S", shepherd.__file__, str(theirs.fileno())]
    with theirs:
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stderr=subprocess.PIPE)
    with process, ours:
        assert ours.recv(1) == b"+"
        ours.sendall(json.dumps(job).encode() + b"\n")
        assert select.select([ours], [], [], 30)[0]
        ours.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 0
