# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from trimtab.core.errors import UnknownName, UsageError
from trimtab.problems.runtime_tuning.packs import Pack, Setting
from trimtab.problems.runtime_tuning.space import Knob, KnobSpace, Value
from trimtab.problems.runtime_tuning.system.command import Command
from trimtab.problems.runtime_tuning.system.measure import measure
from trimtab.problems.runtime_tuning.system.run import Limits, Runner

SPACE = KnobSpace((Knob("level", "int", 3, 1, 9), Knob("mode", "enum", "a b", values=("a b", "$(touch x)"))))
RUN = Path("/run/here")


def write(changed: Mapping[str, Value]) -> Setting:
    return Setting(
        tuple(f"--{k}={v}" for k, v in changed.items()),
        {"TOOL": str(len(changed))},
        {"tool.conf": f"{dict(changed)}\n"},
    )


PACK = Pack("tool", "/bin/tool", "1", SPACE, write)
CHANGED: dict[str, Value] = {"level": 5, "mode": "$(touch x)"}


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with Runner() as made:
        yield made


def python(code: str, **more: Any) -> Command:
    return Command((sys.executable, "-I", "-S", "-c", code, "{level}", "{mode}"), SPACE, **more)


def test_arguments_environment_and_files() -> None:
    command = Command(
        ("echo", "-{level}", "{mode}", "{{level}}", "{print $1}", "{run}/conf"),
        SPACE,
        environment={"MODE": "<{mode}>"},
        files={"conf": "level = {level}\n"},
    )
    made = command.invocation(CHANGED, RUN)
    assert made.argv == ("echo", "-5", "$(touch x)", "{level}", "{print $1}", "/run/here/conf")
    assert made.environment == {"MODE": "<$(touch x)>", "TMPDIR": "/run/here"}
    assert command.texts(CHANGED, RUN) == {"conf": "level = 5\n"}
    assert command.show(CHANGED) == "MODE='<$(touch x)>' echo -5 '$(touch x)' '{level}' '{print $1}' '{run}/conf'"


def test_a_pack_says_what_differs_from_the_default() -> None:
    command = Command(("echo", "{tool}", "{run}/tool.conf", "end"), SPACE, packs=(PACK,))
    assert command.invocation(SPACE.default, RUN).argv == ("echo", "/run/here/tool.conf", "end")
    made = command.invocation({**SPACE.default, "level": 5}, RUN)
    assert made.argv == ("echo", "--level=5", "/run/here/tool.conf", "end")
    assert made.environment["TOOL"] == "1"
    assert command.texts({**SPACE.default, "level": 5}, RUN) == {"tool.conf": "{'level': 5}\n"}


def test_a_shell_sees_quoted_values_only(runner: Runner, tmp_path: Path) -> None:
    command = Command(
        ("echo {level} {mode} | tr 5 6; echo {tool} > /dev/null",), SPACE, packs=(PACK,), in_shell=True,
        folder=tmp_path, metrics={"six": r"(6)"},
    )  # fmt: skip
    assert command.invocation(CHANGED, RUN).argv[:2] == ("/bin/sh", "-c")
    reading = measure(command, CHANGED, runner)
    assert reading.status == "ok" and reading.metrics["six"] == 6
    assert not (tmp_path / "x").exists()  # no argument is a command


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Command((), SPACE), "no command"),
        (lambda: Command(("nothing-of-that-name", "{level}", "{mode}"), SPACE), "command not found: nothing-of"),
        (lambda: Command(("echo", "{levle}", "{mode}"), SPACE), "'levle'. Did you mean 'level'"),
        (lambda: Command(("echo", "{level}"), SPACE), r"knob 'mode' is nowhere in the command: write \{mode\}"),
        (lambda: Command(("echo",), SPACE, (PACK,)), r"needs \{run\}/tool.conf or \{tool\} where"),
        (lambda: Command(("echo", "x{tool}"), SPACE, (PACK,)), "of its own, not 'x{tool}'"),
        (lambda: python("", metrics={"tps": "tps"}), "needs a group"),
        (lambda: python("", metrics={"tps": "("}), "no regular expression"),
        (lambda: python("", metrics={"cpu": "(.)"}), "name is taken"),
        (lambda: Command(("echo", "{run}"), KnobSpace((Knob("run", "bool", True),))), "another meaning"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(make: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()


def test_an_unknown_placeholder_lists_the_knobs() -> None:
    with pytest.raises(UnknownName) as caught:
        Command(("echo", "{x}"), SPACE)
    assert caught.value.known == ["level", "mode", "run"]


def test_a_reading(runner: Runner) -> None:
    code = "print('tps = 1,204.5'); print('tps = ', 17 * int(__import__('sys').argv[1]))"
    reading = measure(python(code, metrics={"tps": r"tps = +([\d.,]+)"}), SPACE.default, runner)
    assert reading.status == "ok" and reading.metrics["tps"] == 51  # the last
    assert reading.metrics["cpu"] > 0 and reading.metrics["wall"] > 0 and reading.metrics["rss"] > 1 << 20


@pytest.mark.parametrize(
    ("code", "more", "status", "note"),
    [
        ("import sys; sys.exit('no such option')", {}, "crash", "exit code 1"),
        ("pass", {"exit_code": 2}, "crash", "exit code 0, not 2"),
        ("import time; time.sleep(60)", {"seconds": 0.3}, "timeout", "still running after 0.3"),
        ("print('x')", {"metrics": {"tps": r"tps (\d+)"}}, "crash", "nothing printed matches"),
        ("print('tps nan')", {"metrics": {"tps": r"tps (\w+)"}}, "crash", "'tps' is nan"),
        ("print('tps much')", {"metrics": {"tps": r"tps (\w+)"}}, "crash", "'much' is no number"),
        ("pass", {"equal": ("{run}/made",)}, "crash", "wrote no {run}/made"),
        ("print(1)", {"equal": ("stdout",), "digests": {"stdout": "0" * 64}}, "crash", "stdout differs"),
        ("pass", {"prepare": ("false",)}, "crash", "preparation failed: exit code 1"),
    ],
)
def test_a_run_that_does_not_do_its_work_is_a_reading(
    runner: Runner, code: str, more: dict[str, Any], status: str, note: str
) -> None:
    reading = measure(python(code, **more), SPACE.default, runner)
    assert reading.status == status and note in reading.note


def test_the_last_words_of_a_failure(runner: Runner) -> None:
    reading = measure(python("import sys; sys.exit('x' * 5000 + ' at last')"), SPACE.default, runner)
    assert reading.tail.endswith("xx at last") and len(reading.tail) == 1999  # a line's end is not kept


def test_equal_output(runner: Runner, tmp_path: Path) -> None:
    made = tmp_path / "made"
    code = f"import sys; open({str(made)!r}, 'w').write(sys.argv[2]); print('same')"
    command = python(code, equal=("stdout", str(made)))
    default = measure(command, SPACE.default, runner)
    assert default.digests == {
        "stdout": hashlib.sha256(b"same\n").hexdigest(),
        str(made): hashlib.sha256(b"a b").hexdigest(),
    }
    assert measure(command, {**SPACE.default, "level": 4}, runner, digests=default.digests).status == "ok"
    other = measure(command, CHANGED, runner, digests=default.digests)
    assert other.status == "crash" and "differs" in other.note


def test_patience(runner: Runner) -> None:
    burning = python("while True: pass", seconds=30)
    cpu = measure(burning, SPACE.default, runner, patience=("cpu", 0.2))
    assert cpu.status == "censored" and 0.2 <= cpu.metrics["cpu"] < 1
    wall = measure(burning, SPACE.default, runner, patience=("wall", 0.2))
    assert wall.status == "censored" and 0.2 <= wall.metrics["wall"] < 1
    full = measure(python("print('x' * 10**6, flush=True); import time; time.sleep(9)"), SPACE.default, runner,
                   limits=Limits(output=1000))  # fmt: skip
    assert full.status == "crash" and "wrote more" in full.note


def test_prepare_runs_first_and_is_not_measured(runner: Runner, tmp_path: Path) -> None:
    burn = "import sys, time\nwhile time.process_time() < 0.3: pass\nopen(sys.argv[1], 'w').write(sys.argv[2])"
    command = Command(
        (sys.executable, "-I", "-S", "-c", "import sys; print(open(sys.argv[1]).read())", "{run}/f", "{mode}"),
        SPACE,
        prepare=(sys.executable, "-I", "-S", "-c", burn, "{run}/f", "{level}"),
        metrics={"level": r"^(\d)$"},
    )
    reading = measure(command, SPACE.default, runner)
    assert reading.metrics["level"] == 3 and reading.metrics["cpu"] < 0.25
    assert reading.seconds > 0.3


def test_the_directory_of_a_run_is_gone(runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code = "import os; os.makedirs(os.environ['TMPDIR'] + '/a/b'); os.mkfifo(os.environ['TMPDIR'] + '/p')"
    assert measure(python(code), SPACE.default, runner).status == "ok"
    assert not list(tmp_path.iterdir())
