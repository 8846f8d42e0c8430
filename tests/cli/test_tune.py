# SPDX-License-Identifier: Apache-2.0
"""``trimtab tune`` on small programs whose truth is known."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from trimtab.cli.tune import amounts
from trimtab.core.errors import UsageError

from .conftest import Call

SPACE = """\
[knobs]
x = { default = 0, range = [0, 9] }
y = { default = "a", values = ["a", "b", "c"] }
"""
#: burns 60 ms less 5 ms for each x; y=b takes 40 MB more, y=c is refused
PROGRAM = """
import sys, time
x, y = int(sys.argv[1]), sys.argv[2]
if y == "c":
    sys.exit("c is not supported")
if y == "b":
    ballast = b"x" * 40_000_000
until = time.process_time() + 0.06 - 0.005 * x
while time.process_time() < until: pass
print("score =", 10 + x)
"""
PYTHON = (sys.executable, "-I", "-S")


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text(SPACE)
    (tmp_path / "prog.py").write_text(PROGRAM)


Tune = Callable[..., Any]


@pytest.fixture
def tune(trimtab: Call) -> Tune:
    def call(*options: str, command: tuple[str, ...] = (*PYTHON, "prog.py", "{x}", "{y}"), **more: str) -> Any:
        return trimtab("tune", "--space", "my.toml", *options, "--", *command)

    return call


def test_a_gain_is_found_and_proved(tune: Tune, tmp_path: Path) -> None:
    answer = tune("--trials", "14", "--seed", "1")
    assert answer.code == 0
    assert answer.out.startswith("A real gain: cpu 0.")
    assert "pairs, measured afresh" in answer.out
    assert re.search(r"^  \S*python\S* -I -S prog.py \d [ab]$", answer.out, re.MULTILINE)
    assert "14 trials" in answer.out and "▁" in answer.out
    told = json.loads((tmp_path / "runs/tune/best.json").read_text())
    assert told["proved"] and told["values"]["x"] >= 5
    assert (tmp_path / "runs/tune/report.html").exists()


def test_json_and_resuming_what_is_finished(tune: Tune, trimtab: Call, tmp_path: Path) -> None:
    first = tune("--trials", "10", "--json", "--minimize-diff", "--out", "here").json
    assert first["trials"] == 10 and len(first["interval"]) == 2 and first["pairs"] >= 8
    assert first["verdict"] == "better" and first["ratio"] == pytest.approx(1 - 0.08 * first["values"]["x"], abs=0.25)
    journal = (tmp_path / "here/journal.jsonl").read_bytes()
    again = trimtab("tune", "--resume", "here", "--json").json
    assert {k: v for k, v in again.items() if k not in ("folder", "best", "report")} == {
        k: v for k, v in first.items() if k not in ("folder", "best", "report")
    }
    assert (tmp_path / "here/journal.jsonl").read_bytes() == journal  # nothing was run again


def test_nothing_to_gain(tune: Tune, tmp_path: Path) -> None:
    (tmp_path / "prog.py").write_text("sum(range(300_000))")
    answer = tune("--trials", "8", "--safe").out
    assert "Keep the default." in answer
    assert json.loads((tmp_path / "runs/tune/best.json").read_text())["values"] == {"x": 0, "y": "a"}


def test_a_metric_of_ones_own_and_a_constraint(tune: Tune) -> None:
    told = tune(
        "--metric", r"score=score = (\d+)", "--objective", "score", "--maximize", "--constraint", "rss<=30MB",
        "--trials", "16", "--json",
    ).json  # fmt: skip
    assert told["verdict"] == "better" and told["values"]["y"] == "a"
    assert told["ratio"] == pytest.approx((10 + told["values"]["x"]) / 10)  # the score has no noise
    assert told["metrics"]["rss"] <= 30e6


def test_an_environment_a_template_and_a_shell(trimtab: Call, tmp_path: Path) -> None:
    (tmp_path / "conf.in").write_text("x = {x}\n")
    code = "import os,sys,time; time.sleep(0.05 if os.environ['Y'] == 'a' else 0.02); print(open(sys.argv[1]).read())"
    (tmp_path / "show.py").write_text(code)
    command = f"{' '.join(PYTHON)} show.py {{run}}/conf.in | tee seen > /dev/null"
    told = trimtab(
        "tune", "--space", "my.toml", "--env", "Y={y}", "--template", "conf.in", "--shell", "--objective", "wall",
        "--trials", "6", "--json", "--", command,
    ).json  # fmt: skip
    assert told["verdict"] == "better" and told["values"]["y"] in ("b", "c")
    assert told["command"].startswith(f"Y={told['values']['y']} ")
    assert re.fullmatch(r"x = \d\n\n", (tmp_path / "seen").read_text())


def test_the_proof_against_a_configuration_of_ones_own(tune: Tune, tmp_path: Path) -> None:
    (tmp_path / "guide.json").write_text('{"values": {"x": 9}}')
    answer = tune("--trials", "12", "--compare", "guide.json")
    assert "guide.json" in answer.out
    assert "real gain" not in answer.out  # x=9 is the best there is
    (tmp_path / "bad.json").write_text('{"values": {"x": 90}}')
    for name, message in (("bad.json", "knob 'x' can't be 90"), ("no.json", "No such file"), ("prog.py", "no JSON")):
        answer = tune("--trials", "4", "--compare", name)
        assert answer.code == 2 and message in answer.err


def test_several_at_a_time_are_pinned(tune: Tune, tmp_path: Path) -> None:
    cores = len(os.sched_getaffinity(0))
    if cores > 1:
        (tmp_path / "prog.py").write_text(PROGRAM + "import os; print('cores =', len(os.sched_getaffinity(0)))\n")
        assert tune("--trials", "9", "-j", "2", "--metric", r"cores=cores = (\d+)").code == 0
        journal = (tmp_path / "runs/tune/journal.jsonl").read_text().splitlines()
        trials = [json.loads(line)["trial"] for line in journal if '"kind":"trial"' in line]
        assert len(trials) == 9
        assert {trial["metrics"]["cores"] for trial in trials if trial["status"] == "ok"} == {1}
    answer = tune("-j", str(cores + 1), "--out", "more")
    assert answer.code == 2 and "a free core each" in answer.err


@pytest.mark.parametrize(
    ("options", "command", "message"),
    [
        ((), (), "there is no command"),
        ((), ("no-such-program", "{x}", "{y}"), "command not found: no-such-program"),
        ((), ("echo", "{z}", "{x}", "{y}"), "no knob or pack named 'z'. Known: run, x, y."),
        ((), ("echo", "{x}"), "knob 'y' is nowhere in the command"),
        (("--objective", "tps"), ("echo", "{x}", "{y}"), "no metric named 'tps'"),
        (("--constraint", "rss<1"), ("echo", "{x}", "{y}"), "--constraint: 'rss<1' is no constraint such as rss<=1GiB"),
        (("--budget", "soon"), ("echo", "{x}", "{y}"), "--budget: 'soon' is not a time such as"),
        (("--metric", "tps"), ("echo", "{x}", "{y}"), "--metric: 'tps' is not NAME=VALUE"),
        (("--pack", "jmv"), ("echo", "{x}", "{y}"), "Did you mean 'jvm'?"),
        (("--prepare", 'make "x'), ("echo", "{x}", "{y}"), "--prepare 'make \"x' is no command: no closing quotation"),
        (("--template", "prog.py"), ("echo", "{x}", "{y}"), "nothing reads it; write {run}/prog.py where"),
        (("--class-archive", "x.jsa"), ("echo", "{x}", "{y}"), "--class-archive: an archive of classes is for the JVM"),
        (("--resume", "."), (), "holds no run of tuning"),
        (("--resume", "."), ("echo", "{x}"), "--resume stands alone"),
    ],
)
def test_what_is_wrong_is_one_message(
    tune: Tune, tmp_path: Path, options: tuple[str, ...], command: tuple[str, ...], message: str
) -> None:
    answer = tune(*options, command=command)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err and "Traceback" not in answer.err
    assert not (tmp_path / "runs").exists()


def test_a_command_without_knobs(trimtab: Call) -> None:
    answer = trimtab("tune", "--", "echo", "{x}")
    assert answer.code == 2 and "there are no knobs: name a pack (--pack jvm|" in answer.err


def test_the_default_that_fails_ends_it_at_once_with_what_it_said(tune: Tune, tmp_path: Path) -> None:
    command = (*PYTHON, "-c", "import sys; sys.exit('cannot open display')", "{x}", "{y}")
    answer = tune(command=command)
    assert answer.code == 2
    assert "fails with every knob at its default" in answer.err and "  | cannot open display" in answer.err
    assert tune("--trials", "4").code == 0  # the folder is free for another command


def test_an_objective_of_nothing_ends_it_with_the_reason(tune: Tune) -> None:
    answer = tune("--metric", r"n=n = (\d+)", "--objective", "n", command=("echo", "n = 0", "{x}", "{y}"))
    assert answer.code == 2 and "the objective 'n' must be above 0 to be compared as a ratio, got 0" in answer.err


def test_a_constraint_that_the_default_breaks_is_said(tune: Tune) -> None:
    answer = tune("--trials", "3", "--constraint", "rss<=1kB")
    assert answer.code == 0
    assert answer.out.startswith(
        "No gain: nothing was found that keeps rss <= 1 kB and is better. Mind that the default"
    )


def test_another_command_in_the_same_folder(tune: Tune) -> None:
    assert tune("--trials", "4").code == 0
    answer = tune("--trials", "4", "--seed", "7")
    assert answer.code == 2 and "seed was 0, and is 7" in answer.err and "--out" in answer.err
    assert tune("--trials", "6").code == 0  # a longer search goes on


def test_values_are_never_seen_by_a_shell(tune: Tune, tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text(
        "[knobs]\nx = { default = 0, range = [0, 9] }\n"
        'y = { default = "a; touch hacked", values = ["a; touch hacked", "$(touch hacked)"] }\n'
    )
    (tmp_path / "prog.py").write_text("sum(range(100_000))")
    assert tune("--trials", "4").code == 0
    assert (
        tune("--trials", "4", "--shell", "--out", "b", command=(f"{' '.join(PYTHON)} prog.py {{x}} {{y}}",)).code == 0
    )
    assert not (tmp_path / "hacked").exists()


class Page(HTMLParser):
    """Collects what a browser would run or load."""

    def __init__(self) -> None:
        super().__init__()
        self.bad: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "img", "iframe", "link", "object"):
            self.bad.append(tag)
        self.bad += [name for name, _ in attributes if name.startswith("on") or name == "src"]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_escapes_what_programs_and_files_say(tune: Tune, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=y>"
    (tmp_path / "my.toml").write_text(
        f'[knobs]\nx = {{ default = 0, range = [0, 9] }}\ny = {{ default = "a", values = ["a", "{evil}"] }}\n'
    )
    (tmp_path / "prog.py").write_text(f"import sys\nif sys.argv[2] != 'a': sys.exit({evil!r})")
    assert tune("--trials", "8").code == 0
    page = Page()
    page.feed((tmp_path / "runs/tune/report.html").read_text())
    assert page.bad == [] and evil in page.text


def running(tmp_path: Path, *options: str, **more: Any) -> subprocess.Popen[bytes]:
    call = [sys.executable, "-m", "trimtab.cli.main", "tune", "--space", "my.toml", *options, "--out", "out", "--"]
    return subprocess.Popen([*call, *PYTHON, "prog.py", "{x}", "{y}"], cwd=tmp_path, **more)


def rows(tmp_path: Path) -> int:
    path = tmp_path / "out/journal.jsonl"
    return path.read_bytes().count(b'"kind":"trial"') if path.exists() else 0


def wait_for(tmp_path: Path, count: int) -> None:
    until = time.monotonic() + 60
    while rows(tmp_path) < count and time.monotonic() < until:
        time.sleep(0.01)
    assert rows(tmp_path) >= count


def test_ctrl_c_keeps_everything_and_says_how_to_go_on(trimtab: Call, tmp_path: Path) -> None:
    with running(tmp_path, "--trials", "500", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_for(tmp_path, 3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130 and out == b""
    assert b"every finished trial is kept in out.  Go on: trimtab tune --resume out" in err
    assert b"Traceback" not in err
    before = rows(tmp_path)
    arguments = json.loads((tmp_path / "out/arguments.json").read_text())
    arguments["asked"]["trials"] = before + 2
    (tmp_path / "out/arguments.json").write_text(json.dumps(arguments))
    assert trimtab("tune", "--resume", "out", "--json").json["trials"] == before + 2


def test_the_live_view_on_a_terminal(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    with running(
        tmp_path,
        "--trials",
        "6",
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    ) as process:
        os.close(theirs)
        seen = b""
        while process.poll() is None:
            time.sleep(0.05)
            try:
                seen += os.read(ours, 1 << 16)
            except (BlockingIOError, OSError):
                continue
    os.close(ours)
    assert process.returncode == 0
    text = seen.decode(errors="replace")
    assert "trials" in text and "best yet" in text and "pairs" in text


def test_amounts() -> None:
    assert [amounts.seconds(text) for text in ("90", "1.5m", "2h", "250ms", "10 s")] == [90, 90, 7200, 0.25, 10]
    assert amounts.constraint("rss <= 1.5 GiB") == ("rss", 1.5 * 2**30)
    assert amounts.constraint("p99<=20ms") == ("p99", 0.02)
    for text in ("", "m", "-3", "0", "1.2.3", "3 weeks", "nan"):
        with pytest.raises(UsageError):
            amounts.seconds(text)


def test_experience_is_said_and_is_of_the_same_knobs_and_cost(capsys: pytest.CaptureFixture[str]) -> None:
    from types import SimpleNamespace

    from trimtab.cli.tune import _experience
    from trimtab.problems.runtime_tuning.experience.memory import SHIPPED, Memory
    from trimtab.problems.runtime_tuning.problem import Objective
    from trimtab.problems.runtime_tuning.space import Knob, KnobSpace

    program = Memory.load(SHIPPED).programs[0]

    def told(space: KnobSpace, objective: Objective) -> tuple[str, ...]:
        job: Any = SimpleNamespace(command=SimpleNamespace(space=space), objective=objective)
        hints = _experience(job)
        return () if hints is None else hints.names

    assert program.name in told(program.encoding.space, Objective("cpu"))
    assert "--no-experience begins without" in capsys.readouterr().err
    assert told(program.encoding.space, Objective("rss")) == ()
    assert told(program.encoding.space, Objective("score", goal="maximize")) == ()
    assert told(KnobSpace((Knob("x", "int", 0, 0, 9),)), Objective("cpu")) == ()
    assert capsys.readouterr().err == ""
