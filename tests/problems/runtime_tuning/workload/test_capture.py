# SPDX-License-Identifier: Apache-2.0
"""A small program of ours, captured: interrupted, taken up again, and replayed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from trimtab.core.errors import InvalidInstance, UsageError
from trimtab.problems.runtime_tuning.simulator import Table
from trimtab.problems.runtime_tuning.spacefile import read_target
from trimtab.problems.runtime_tuning.workload import parse
from trimtab.problems.runtime_tuning.workload.campaign import Campaign, capture
from trimtab.problems.runtime_tuning.workload.capture import command
from trimtab.problems.runtime_tuning.workload.plan import plan

TOML = """
[knobs]
n = { default = 100, range = [1, 400] }
mode = { default = "good", values = ["good", "bad"] }

[command]
argv = ["sh", "-c", "case $2 in bad) exit 3;; esac; echo cost: $(($1 * 3 + 50))", "x", "{n}", "{mode}"]
metrics = { cost = "cost: (\\\\d+)" }
objective = "cost"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(TOML)
    return path


def campaign(file: Path, runs: int) -> Campaign:
    return Campaign(read_target(file), runs)


def test_a_capture_that_was_interrupted_measures_the_same(file: Path, tmp_path: Path):
    class Killed(Exception):
        pass

    def kill(done: int) -> None:
        if done == 11:
            raise Killed

    with pytest.raises(Killed):
        capture(campaign(file, 30), tmp_path / "journal", tell=kill)
    resumed = capture(campaign(file, 30), tmp_path / "journal")
    whole = capture(campaign(file, 30), tmp_path / "another")
    assert [(run.values, run.status, run.metrics.get("cost")) for run in resumed] == [
        (run.values, run.status, run.metrics.get("cost")) for run in whole
    ]
    assert len(resumed) == 30
    assert {run.status for run in whole} == {"ok", "crash"}


def test_a_capture_of_something_else_is_refused(file: Path, tmp_path: Path):
    capture(campaign(file, 3), tmp_path / "journal")
    with pytest.raises(UsageError):
        capture(Campaign(read_target(file), 3, seed=5), tmp_path / "journal")


def test_what_runs_too_long_is_killed(tmp_path: Path):
    path = tmp_path / "mine.toml"
    slow = TOML.replace('"good", "bad"]', '"good", "bad", "slow"]').replace("esac", "slow) sleep 20;; esac")
    path.write_text(slow.replace('objective = "cost"', 'objective = "wall"'))
    target = read_target(path)
    runs = capture(Campaign(target, 12, kill=20.0), tmp_path / "journal")
    by_mode = {str(run.values["mode"]): run.status for run in runs}
    assert by_mode["good"] == "ok"
    assert by_mode["bad"] == "crash"
    assert by_mode["slow"] == "censored"


def test_a_slow_run_may_be_the_best_where_time_is_not_the_objective(tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text(TOML.replace("exit 3", "sleep 0.1"))
    runs = capture(Campaign(read_target(path), 10, kill=1.5), tmp_path / "journal")
    assert {(run.values["mode"], run.status) for run in runs} == {("good", "ok"), ("bad", "ok")}


def test_a_default_that_fails_ends_it_at_once(tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text(TOML.replace('default = "good"', 'default = "bad"'))
    with pytest.raises(UsageError, match="fails with every knob at its default"):
        capture(campaign(path, 30), tmp_path / "journal")


def test_the_command_writes_a_table_that_replays(file: Path, tmp_path: Path):
    output = tmp_path / "mine.jsonl.xz"
    done = CliRunner().invoke(
        command, [str(file), "--runs", "140", "-o", str(output), "--json"], catch_exceptions=False
    )
    said = json.loads(done.stdout)
    assert said["complete"] and said["runs"] == 140
    assert set(said["status"]) == {"ok", "crash"}
    assert [entry.name for entry in tmp_path.iterdir() if "partial" in entry.name] == []
    table = Table.load(output)
    assert table.about["command"].startswith("sh -c")
    assert [dict(zip(("n", "mode"), row.v, strict=True)) for row in table.rows[:20]] == [
        values for values, _ in zip(plan(table.space, 0), range(20), strict=False)
    ]
    (target,) = parse([output]).values()
    assert target.replay is not None
    assert target.replay.loss({"n": 1, "mode": "good"}) < -0.5 < 0.5 < target.replay.loss({"n": 400, "mode": "good"})


def test_a_capture_goes_on_when_asked_again(file: Path, tmp_path: Path):
    output = tmp_path / "mine.jsonl.xz"
    words = [str(file), "--runs", "100", "-o", str(output)]
    first = CliRunner().invoke(command, [*words, "--minutes", "0.012"], catch_exceptions=False)
    assert "goes on from here" in first.stdout or "100 runs" in first.stdout
    second = CliRunner().invoke(command, words, catch_exceptions=False)
    assert "100 runs" in second.stdout


def test_bad_requests(file: Path, tmp_path: Path):
    for words, message in (
        (["nothing-like-it"], "no live target named"),
        ([str(tmp_path / "none.toml")], "none.toml"),
        ([str(file), "-o", "x.csv"], "ends in .jsonl.xz"),
        ([str(file), "--keep", "tps"], "--keep tps: no such metric"),
    ):
        result = CliRunner().invoke(command, words)
        assert result.exit_code != 0
        assert message in str(result.exception), result.exception


def test_files_of_the_users_own(file: Path, tmp_path: Path):
    assert list(parse([file])) == ["mine"]
    with pytest.raises(InvalidInstance, match="a second target has the name"):
        parse([file, file])
    with pytest.raises(InvalidInstance, match=r"neither a \.toml"):
        parse([tmp_path / "x.csv"])
