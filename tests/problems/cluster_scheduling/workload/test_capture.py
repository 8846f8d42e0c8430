# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from event_log_writer import EventLog

from trimtab.core.errors import InvalidInstance, MissingExtra, MissingTool, TrimtabError, UsageError
from trimtab.core.extras import need, need_tool
from trimtab.problems.cluster_scheduling.workload import spark_tpch
from trimtab.problems.cluster_scheduling.workload.campaign import Campaign, capture_tpch, tpch_profiles
from trimtab.problems.cluster_scheduling.workload.capture import command
from trimtab.problems.cluster_scheduling.workload.files import load_card, load_profiles

SHIPPED = Path(spark_tpch.__file__).parents[1] / "shipped" / "tpch_spark.npz"


def one_query(name: str = "count") -> EventLog:
    log = EventLog().sql(0, name, 0).job(0, 10, [(0, 2, [])], 0)
    return log.tasks(0, (10, 60), (10, 60)).job_end(0, 60).sql_end(0, 61)


def capture(*arguments: str | Path) -> Any:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_event_logs_are_converted(tmp_path: Path):
    log = one_query().write(tmp_path / "app-1")
    output = tmp_path / "mine.npz"
    result = capture("--event-log", log, "-o", output, "--note", "on a quiet day")
    assert result.exit_code == 0, result.output
    assert "1 job profiles from 1 runs" in result.output
    (profile,) = load_profiles(output)
    assert profile.name == profile.group == "count"
    card = load_card(output)
    assert card["notes"] == ["on a quiet day"]
    assert card["sha256"] == hashlib.sha256(output.read_bytes()).hexdigest()
    shown = json.loads(capture("--event-log", log, "-o", output, "--json").stdout)
    assert shown["profiles"] == 1
    assert shown["output"] == str(output)


def test_a_program_runs_with_its_event_log_on(tmp_path: Path):
    """A stand-in for Spark, which reads its configuration as Spark does."""
    program = tmp_path / "program.py"
    (tmp_path / "log").write_text(one_query().text())
    program.write_text(
        "import os, pathlib, shutil\n"
        "lines = pathlib.Path(os.environ['SPARK_CONF_DIR'], 'spark-defaults.conf').read_text().splitlines()\n"
        "settings = dict(line.split(' ', 1) for line in lines)\n"
        "assert settings['spark.eventLog.enabled'] == 'true'\n"
        f"shutil.copy({str(tmp_path / 'log')!r}, settings['spark.eventLog.dir'].removeprefix('file://') + '/app-7')\n"
    )
    output = tmp_path / "mine.npz"
    result = capture("--work", tmp_path / "work", "-o", output, "--", sys.executable, program)
    assert result.exit_code == 0, result.output
    assert [profile.name for profile in load_profiles(output)] == ["count"]


def test_bad_requests(tmp_path: Path):
    log = one_query().write(tmp_path / "app-1")
    for arguments, error, words in [
        (("-o", "x.parquet"), UsageError, "ends in .npz"),
        (("--event-log", log, "-o", "x.npz", "--", "spark-submit"), UsageError, "not both"),
        (("--event-log", tmp_path / "none", "-o", "x.npz"), InvalidInstance, "no such file"),
        (("--work", tmp_path, "--", sys.executable, "-c", "pass"), UsageError, "wrote no event log"),
        (("--work", tmp_path, "--", sys.executable, "-c", "exit(3)"), TrimtabError, "ended with 3"),
        (("--work", tmp_path, "--", "/no/such/program"), UsageError, "No such file"),
    ]:
        result = capture(*arguments)
        assert isinstance(result.exception, error), result.output
        assert words in str(result.exception)
    for arguments in (("--scale", "big"), ("--levels", "0"), ("--queries", "q1,q23"), ("--repeats", "0")):
        assert capture(*arguments).exit_code == 2
    assert not list(tmp_path.glob("*.npz"))


class FakeSpark:
    """Sessions that write event logs of what they were asked to run."""

    def __init__(self, logs: Path) -> None:
        self.logs, self.ran, self.stop_after = logs, [], 10**6

    @contextmanager
    def session(self, cores: int, work: Path, **settings: str) -> Iterator[Any]:
        log, description = EventLog(cores, master=f"local[{cores}]"), [""]

        def sql(text: str) -> Any:
            if self.stop_after == 0:
                raise KeyboardInterrupt
            self.stop_after -= 1
            at = 100 * len(log.lines)
            number = len(log.lines)
            log.sql(number, description[0], at).job(number, at, [(number, 2, [])], number)
            second = at if cores == 2 else at + 40
            log.tasks(number, (at, at + 40), (second, second + 40)).job_end(number, at + 80).sql_end(number, at + 80)
            if "spark_eventLog_dir" in settings:
                self.ran.append((cores, description[0]))
            return SimpleNamespace(collect=list)

        context = SimpleNamespace(setJobDescription=lambda text: description.__setitem__(0, text or "none"))
        try:
            yield SimpleNamespace(sql=sql, sparkContext=context)
        finally:
            if "spark_eventLog_dir" in settings:
                log.write(self.logs / f"local-{len(list(self.logs.iterdir()))}")


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSpark:
    (tmp_path / "logs").mkdir()
    fake = FakeSpark(tmp_path / "logs")
    monkeypatch.setattr(spark_tpch, "session", fake.session)
    monkeypatch.setattr(spark_tpch, "generate", lambda scale, folder: folder)
    monkeypatch.setattr(spark_tpch, "open_tables", lambda session, scale, data: None)
    return fake


CAMPAIGN = Campaign(scales=(0.1, 1.0), levels=(1, 2), queries=("q1", "q6"), repeats=2, memory="1g")


def test_a_campaign_runs_everything_once(tmp_path: Path, fake: FakeSpark):
    seen: list[int] = []
    log = capture_tpch(CAMPAIGN, tmp_path, lambda done, now: seen.append(done))
    assert len(fake.ran) == CAMPAIGN.runs == log.stream.num_jobs == 16
    assert seen == sorted(seen)
    profiles = tpch_profiles(log)
    assert [profile.name for profile in profiles] == ["tpch-0.1g-q1", "tpch-0.1g-q6", "tpch-1g-q1", "tpch-1g-q6"]
    assert [profile.group for profile in profiles] == ["q1", "q6", "q1", "q6"]
    assert all(profile.levels.tolist() == [1, 2] for profile in profiles)


@pytest.mark.parametrize("stop_after", range(2, 18))
def test_an_interrupted_campaign_goes_on(tmp_path: Path, fake: FakeSpark, stop_after: int):
    fake.stop_after = stop_after  # the first two warm up
    with pytest.raises(KeyboardInterrupt):
        capture_tpch(CAMPAIGN, tmp_path)
    fake.stop_after = 10**6
    assert capture_tpch(CAMPAIGN, tmp_path).stream.num_jobs == 16
    assert len(fake.ran) == 16


def test_only_what_the_campaign_wants_is_used(tmp_path: Path, fake: FakeSpark):
    capture_tpch(CAMPAIGN, tmp_path)
    smaller = Campaign((1.0,), (2,), ("q6",), 2, "1g")
    log = capture_tpch(smaller, tmp_path)
    assert len(fake.ran) == 16
    assert [(profile.name, profile.levels.tolist()) for profile in log.profiles] == [("tpch-1g-q6", [2])]


def test_job_names():
    assert spark_tpch.job_name(0.5, "q12") == "tpch-0.5g-q12"
    assert spark_tpch.parse_job_name("tpch-100g-q5") == (100.0, "q5")
    for name in ("tpch-1g-q23", "tpch-1..2g-q1", "other"):
        with pytest.raises(InvalidInstance, match="field 'name'"):
            spark_tpch.parse_job_name(name)
    assert all(spark_tpch.query(name).upper().lstrip("-").find("SELECT") > 0 for name in spark_tpch.QUERIES)


def test_the_shipped_set():
    profiles = load_profiles(SHIPPED)
    card = load_card(SHIPPED)
    assert card["sha256"] == hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    assert SHIPPED.stat().st_size < 2_000_000
    assert len(profiles) == card["profiles"] == 22 * len(card["scale_factors"])
    assert {profile.group for profile in profiles} == set(spark_tpch.QUERIES)
    assert all(profile.levels.tolist() == card["levels"] for profile in profiles)


@pytest.mark.slow
def test_a_real_capture(tmp_path: Path):
    """Two queries on a real Spark, from generated tables to profiles."""
    try:
        need("pyspark", extra="spark", purpose="running Spark")
        need_tool("java", debian="openjdk-17-jre-headless", minimum="17", purpose="Spark")
        spark_tpch.tpchgen_version()
    except (MissingExtra, MissingTool) as missing:
        pytest.skip(str(missing))
    output = tmp_path / "real.npz"
    arguments = ("--scale", "0.01", "--levels", "1", "--queries", "q3,q6", "--repeats", "1", "--memory", "1g")
    result = capture(*arguments, "--work", tmp_path / "work", "-o", output)
    assert result.exit_code == 0, (result.output, result.exception)
    join, scan = load_profiles(output)
    assert (join.group, scan.group) == ("q3", "q6")
    assert scan.num_tasks.tolist() == [1, scan.num_tasks[1], 1]
    assert len(join.edges) >= 4
    assert 0.01 < scan.work_s < 60
    assert load_card(output)["machine"]["java"].startswith(("17", "2"))
