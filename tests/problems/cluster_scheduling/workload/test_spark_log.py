# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from event_log_writer import EventLog
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.core.errors import InvalidInstance
from trimtab.problems.cluster_scheduling.problem import FIRST, FRESH, REST, JobProfile, JobStream
from trimtab.problems.cluster_scheduling.workload.spark_log import SparkLog, read_event_log

RECORDED = Path(__file__).parent / "data"


def chain(log: EventLog | None = None, *, sql: int = 0, at: int = 0, name: str = "count", first_id=0) -> EventLog:
    """One query alone on two slots: the driver plans for 100 ms, 3 tasks of 200 ms, then 1 task of 50 ms."""
    log = log or EventLog()
    a, b = first_id, first_id + 1
    log.sql(sql, name, at).job(sql, at + 100, [(a, 3, [], "Scan"), (b, 1, [a])], sql)
    log.tasks(a, (at + 110, at + 300), (at + 110, at + 300), (at + 300, at + 500)).task(b, 0, at + 520, at + 570)
    return log.job_end(sql, at + 570).sql_end(sql, at + 575)


def read(tmp_path: Path, *logs: EventLog) -> SparkLog:
    return read_event_log([log.write(tmp_path / f"app-{number}") for number, log in enumerate(logs)])


def durations(profile: JobProfile, stage: int, wave: int, level: int = 0) -> list[float]:
    start, stop = profile.offsets[stage, level, wave]
    return profile.durations[start:stop].tolist()


def test_a_chain(tmp_path: Path):
    log = read(tmp_path, chain())
    (profile,) = log.profiles
    assert profile.name == "count"
    assert profile.num_tasks.tolist() == [1, 3, 1]
    assert profile.edges.tolist() == [[0, 1], [1, 2]]
    assert profile.levels.tolist() == [2]
    assert profile.driver is not None
    assert profile.driver.tolist() == [True, False, False]
    assert durations(profile, 0, FIRST) == [100]
    assert durations(profile, 1, FIRST) == [200, 200]  # the 10 ms before their launch belong to them
    assert durations(profile, 1, REST) == [200]
    assert durations(profile, 2, FIRST) == [70]
    assert durations(profile, 1, FRESH) == durations(profile, 1, FIRST)  # one JVM
    assert log.completion_s.tolist() == [0.575]


def test_on_a_cluster_executors_start_afresh(tmp_path: Path):
    log = chain(EventLog(master="spark://host:7077"))
    (profile,) = read(tmp_path, log).profiles
    assert durations(profile, 1, FRESH) == [200, 200]
    assert durations(profile, 1, FIRST) == []
    assert durations(profile, 2, FIRST) == [70]


def test_the_profile_replays_what_was_measured(tmp_path: Path):
    """All durations of a range are equal, so the simulation has no choice."""
    simulator = pytest.importorskip("trimtab.problems.cluster_scheduling.simulator")
    spark = pytest.importorskip("trimtab.problems.cluster_scheduling.simulator.spark")
    log = read(tmp_path, chain())
    for policy in (spark.spark_fifo(log.profiles), spark.spark_fair(log.profiles), simulator.fifo()):
        assert simulator.simulate(log.stream, policy, seed=3).jct_ms.tolist() == [570]


def broadcasts(order: tuple[int, int], *, late: bool = False) -> EventLog:
    """A query with two broadcast jobs and a join; Spark numbers the broadcasts as it happens."""
    log = EventLog().sql(0, "join", 0)
    small, big = order
    at = {small: 10, big: 60 if late else 12}
    for number in sorted(order):
        log.job(number, at[number], [(number, 1, [], "Scan nation" if number == small else "Scan part")], 0)
    log.task(small, 0, 15, 50).task(big, 0, at[big] + 3, 100).job_end(small, 50).job_end(big, 100)
    log.job(2, 150, [(2, 4, [], "Scan lineitem"), (3, 2, [2])], 0)
    log.tasks(2, (150, 200), (150, 200), (200, 250), (200, 250)).tasks(3, (250, 300), (250, 300))
    return log.job_end(2, 300).sql_end(0, 301)


def test_spark_jobs_of_a_query_are_one_dag(tmp_path: Path):
    (profile,) = read(tmp_path, broadcasts((0, 1))).profiles
    # driver -> two broadcasts -> driver -> scan -> join
    assert profile.num_tasks.tolist() == [1, 1, 1, 1, 4, 2]
    assert profile.edges.tolist() == [[0, 1], [0, 2], [1, 3], [2, 3], [3, 4], [4, 5]]
    assert durations(profile, 0, FIRST) == [10]
    assert durations(profile, 3, FIRST) == [50]


def test_repetitions_are_one_profile_whatever_their_numbers(tmp_path: Path):
    log = read(tmp_path, broadcasts((0, 1)), broadcasts((1, 0)))
    (profile,) = log.profiles
    assert log.stream.jobs.tolist() == [0, 0]
    one, other = (sorted(durations(profile, stage, FIRST)) for stage in (1, 2))
    assert sorted([one, other]) == [[40, 40], [90, 90]]  # of the small one, of the big one; both from 10 on


def test_an_order_that_is_not_always_so_is_no_dependency(tmp_path: Path):
    together, apart = broadcasts((0, 1)), broadcasts((0, 1), late=True)
    (alone,) = read(tmp_path, apart).profiles
    assert alone.num_stages == 7  # a driver stage between the broadcasts
    (merged,) = read(tmp_path, together, apart).profiles
    assert merged.num_stages == 6


def test_levels_are_merged(tmp_path: Path):
    narrow = EventLog(1, master="local[1]").sql(0, "count", 0).job(0, 100, [(0, 3, [], "Scan"), (1, 1, [0])], 0)
    narrow.tasks(0, (100, 250), (250, 400), (400, 550)).task(1, 0, 550, 590).job_end(0, 590).sql_end(0, 591)
    log = read(tmp_path, chain(), narrow)
    (profile,) = log.profiles
    assert profile.levels.tolist() == [1, 2]
    assert durations(profile, 1, REST, 0) == [150, 150]
    assert durations(profile, 1, REST, 1) == [200]
    assert log.stream.num_executors == 3  # both applications were there at once


def test_a_stream_has_the_arrivals(tmp_path: Path):
    log = chain(name="a")
    chain(log, sql=1, at=400, name="b", first_id=10)
    chain(log, sql=2, at=1000, name="a", first_id=20)
    found = read(tmp_path, log)
    assert [profile.name for profile in found.profiles] == ["a", "b"]
    assert found.stream.jobs.tolist() == [0, 1, 0]
    assert found.stream.arrival_ms.tolist() == [0, 400, 1000]
    assert found.stream.num_executors == 2
    assert found.stream.moving_delay_ms == 0
    np.testing.assert_allclose(found.completion_s, 0.575)


def test_different_dags_of_one_name_are_told_apart(tmp_path: Path):
    log = chain()
    log.sql(1, "count", 900).job(1, 950, [(9, 2, [])], 1).tasks(9, (950, 960), (950, 960))
    log.job_end(1, 960).sql_end(1, 960)
    assert [profile.name for profile in read(tmp_path, log).profiles] == ["count", "count#2"]


def test_skipped_stages_are_left_out(tmp_path: Path):
    log = EventLog().sql(0, "sort", 0)
    log.job(0, 10, [(0, 2, [], "Scan")], 0).tasks(0, (10, 20), (10, 20)).job_end(0, 20)
    log.job(1, 30, [(2, 2, [1]), (1, 2, [], "Scan")], 0).tasks(2, (30, 40), (30, 40)).job_end(1, 40).sql_end(0, 41)
    (profile,) = read(tmp_path, log).profiles
    assert profile.num_tasks.tolist() == [1, 2, 1, 2]
    assert profile.edges.tolist() == [[0, 1], [1, 2], [2, 3]]


def test_nested_executions_and_jobs_outside_sql(tmp_path: Path):
    log = EventLog().sql(0, "write", 0).sql(1, "inner", 5, root=0)
    log.job(0, 10, [(0, 1, [])], 1).task(0, 0, 10, 20).job_end(0, 20).sql_end(1, 21).sql_end(0, 30)
    log.job(1, 50, [(1, 1, [])], name="rdd").task(1, 0, 50, 70).job_end(1, 75)
    found = read(tmp_path, log)
    assert [profile.name for profile in found.profiles] == ["write", "rdd"]
    assert found.completion_s.tolist() == [0.03, 0.025]


def test_a_retry_counts_once_and_is_not_charged_for_the_wait(tmp_path: Path):
    log = EventLog().sql(0, "q", 0).job(0, 0, [(0, 2, [])], 0)
    log.task(0, 0, 0, 10).task(0, 1, 0, 5, reason="ExceptionFailure").task(0, 1, 80, 90)
    (profile,) = read(tmp_path, log.job_end(0, 90).sql_end(0, 90)).profiles
    assert profile.num_tasks.tolist() == [1, 2]
    assert sorted(durations(profile, 1, FIRST) + durations(profile, 1, REST)) == [10, 10]


def test_failed_jobs_are_left_out_by_name(tmp_path: Path):
    log = chain()
    log.sql(1, "broken", 900).job(1, 950, [(9, 2, [])], 1).task(9, 0, 950, 960)
    log.job_end(1, 970, "JobFailed").sql_end(1, 971, "division by zero")
    found = read(tmp_path, log)
    assert [profile.name for profile in found.profiles] == ["count"]
    assert len(found.skipped) == 1
    assert "'broken' failed" in found.skipped[0]


def test_cores_per_task_and_executors_that_come_and_go(tmp_path: Path):
    log = EventLog(4, cpus=2)  # two slots
    log.executor("2", 8, at=100).remove("2", at=200).executor("3", 4, at=300)
    assert read(tmp_path, chain(log)).stream.num_executors == 6


def _replaced(log: EventLog, event: str, path: list[str], value: object) -> str:
    lines = [json.loads(line) for line in log.text().splitlines()]
    line = next(line for line in lines if line["Event"].endswith(event))
    for key in path[:-1]:
        line = line[key]
    if value is None:
        del line[path[-1]]
    else:
        line[path[-1]] = value
    return "".join(json.dumps(line) + "\n" for line in lines)


@pytest.mark.parametrize(
    ("event", "path", "value", "words"),
    [
        ("TaskEnd", ["Task Info", "Launch Time"], None, ["stage 0", "'Task Info.Launch Time' is missing"]),
        ("TaskEnd", ["Task Info", "Finish Time"], 5, ["job 'count'", "stage 0", "'Finish Time'", "before its launch"]),
        ("TaskEnd", ["Task Info", "Finish Time"], -5, ["stage 0", "'Task Info.Finish Time'", ">= 0"]),
        ("TaskEnd", ["Task Info", "Finish Time"], "soon", ["stage 0", "'Task Info.Finish Time'", "int"]),
        ("TaskEnd", ["Task Info", "Finish Time"], float("nan"), ["line"]),
        ("TaskEnd", ["Task Info", "Executor ID"], "7", ["job 'count'", "stage 0", "'Executor ID'", "never added"]),
        ("JobStart", ["Stage Infos"], None, ["job 0", "'Stage Infos' is missing"]),
        ("JobStart", ["Submission Time"], 1.5, ["job 0", "'Submission Time'"]),
        ("SQLExecutionStart", ["time"], None, ["SQL execution 0", "'time' is missing"]),
        ("EnvironmentUpdate", ["Spark Properties", "spark.task.cpus"], "many", ["'spark.task.cpus'", "'many'"]),
        ("LogStart", ["Event"], 5, ["not an event"]),
    ],
)
def test_a_bad_field_is_named(tmp_path: Path, event, path, value, words):
    file = tmp_path / "log"
    file.write_text(_replaced(chain(), event, path, value))
    with pytest.raises(InvalidInstance) as raised:
        read_event_log([file])
    for word in [*words, str(file)]:
        assert word in str(raised.value)


def test_a_cycle_is_named(tmp_path: Path):
    log = EventLog().sql(0, "round", 0).job(0, 0, [(0, 1, [1]), (1, 1, [0])], 0)
    log.task(0, 0, 0, 1).task(1, 0, 0, 1).job_end(0, 2).sql_end(0, 2)
    with pytest.raises(InvalidInstance, match=r"job 'round', field 'Parent IDs': stages \[0, 1\] form a cycle"):
        read(tmp_path, log)


def test_a_log_that_breaks_off(tmp_path: Path):
    log = chain()
    chain(log, sql=1, at=1000, name="second", first_id=10)
    text = log.text()
    file = tmp_path / "log"
    file.write_text(text[: text.rindex("Job Result") + 5])
    with pytest.raises(InvalidInstance, match=r"cut off; job 'second', field 'Completion Time'"):
        read_event_log([file])
    assert [profile.name for profile in read_event_log([file], unfinished="drop").profiles] == ["count"]
    file.write_text("\n".join(text.splitlines()[:-2]) + "\n")
    with pytest.raises(InvalidInstance, match=r"job 'second', field 'Completion Time'"):
        read_event_log([file])


def test_a_log_without_its_last_line_break_is_whole(tmp_path: Path):
    (tmp_path / "log").write_text(chain().text().rstrip("\n"))
    assert len(read_event_log([tmp_path / "log"]).profiles) == 1


def test_compressed_logs(tmp_path: Path):
    packed = gzip.compress(chain().text().encode())
    (tmp_path / "log.gz").write_bytes(packed)
    assert len(read_event_log([tmp_path / "log.gz"]).profiles) == 1
    (tmp_path / "log.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(InvalidInstance, match="Compressed file ended"):
        read_event_log([tmp_path / "log.gz"])
    pyarrow = pytest.importorskip("pyarrow")
    with pyarrow.output_stream(str(tmp_path / "log.zstd"), compression="zstd") as stream:
        stream.write(chain().text().encode())
    assert len(read_event_log([tmp_path / "log.zstd"]).profiles) == 1
    (tmp_path / "log.lz4").write_bytes(b"LZ4Block")
    with pytest.raises(InvalidInstance, match=r"spark\.eventLog\.compression\.codec=zstd"):
        read_event_log([tmp_path / "log.lz4"])


def test_rolling_logs_and_directories(tmp_path: Path):
    lines = chain().text().splitlines(keepends=True)
    rolling = tmp_path / "eventlog_v2_app-1"
    rolling.mkdir()
    (rolling / "appstatus_app-1").touch()
    for number in range(0, len(lines), 3):
        (rolling / f"events_{number // 3 + 1}_app-1").write_text("".join(lines[number : number + 3]))
    chain(name="other").write(tmp_path / "app-2")
    (tmp_path / ".app-2.crc").touch()
    assert [profile.name for profile in read_event_log([rolling]).profiles] == ["count"]
    assert {profile.name for profile in read_event_log([tmp_path]).profiles} == {"count", "other"}
    (rolling / "events_2_app-1").unlink()
    with pytest.raises(InvalidInstance, match="part 2"):
        read_event_log([rolling])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no finished jobs"),
        ("\x00\x01\x02 binary\n", "not a line of JSON"),
        ("[1, 2]\n", "not an event"),
        (EventLog().text(), "no finished jobs"),
    ],
)
def test_what_is_no_event_log(tmp_path: Path, content, words):
    (tmp_path / "log").write_text(content)
    with pytest.raises(InvalidInstance, match=words):
        read_event_log([tmp_path / "log"])


def test_missing_and_empty_paths(tmp_path: Path):
    with pytest.raises(InvalidInstance, match="no such file"):
        read_event_log([tmp_path / "none"])
    with pytest.raises(InvalidInstance, match="no event logs"):
        read_event_log([tmp_path])


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_any_damage_is_one_clear_error(tmp_path_factory, data):
    text = broadcasts((0, 1)).text()
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, min(len(text), start + 40)))
    damaged = text[:start] + data.draw(st.text(alphabet='0123456789-"{}[]:, aN\n', max_size=12)) + text[stop:]
    path = tmp_path_factory.mktemp("damage") / "log"
    path.write_text(damaged)
    try:
        log = read_event_log([path])
    except InvalidInstance as error:
        assert str(error)
    else:
        assert log.stream.num_jobs == len(log.completion_s)


def test_recorded_logs():
    """Real ones: TPC-H at scale factor 0.1 on Spark 4.3, once on one slot and twice on two, trimmed."""
    log = read_event_log([RECORDED / "spark-local1.gz", RECORDED / "spark-local2.gz"])
    found = {profile.name: profile for profile in log.profiles}
    assert sorted(found) == ["tpch-0.1g-q2", "tpch-0.1g-q5", "tpch-0.1g-q6"]
    assert np.bincount(log.stream.jobs).tolist() == [3, 3, 3]
    scan = found["tpch-0.1g-q6"]  # scan and sum; then the total
    assert scan.num_tasks.tolist() == [1, 12, 1]
    assert scan.levels.tolist() == [1, 2]
    start, stop = scan.offsets[1, :, 1:, 0].min(axis=1), scan.offsets[1, :, 1:, 1].max(axis=1)
    assert (stop - start).tolist() == [12, 24]  # every task of every run was measured
    join = found["tpch-0.1g-q5"]
    assert join.driver is not None
    assert join.num_tasks[join.driver].tolist() == [1, 1, 1]  # before the broadcasts, the join, the sort
    assert join.topological_order[0] == 0


def test_recorded_runs_replay_within_a_tenth():
    """On its own slots a query takes as long in the simulator as it took: its gaps and waves are in the profile."""
    simulator = pytest.importorskip("trimtab.problems.cluster_scheduling.simulator")
    spark = pytest.importorskip("trimtab.problems.cluster_scheduling.simulator.spark")
    for slots in (1, 2):
        log = read_event_log([RECORDED / f"spark-local{slots}.gz"])
        for at, profile in enumerate(log.profiles):
            alone = JobStream((profile,), np.zeros(1, np.int64), np.zeros(1), slots, 0.0, 0.0)
            policy = spark.spark_fifo(alone.profiles)
            predicted = np.mean([simulator.simulate(alone, policy, seed=seed).jct_ms[0] for seed in range(40)])
            assert predicted / 1000 == pytest.approx(log.completion_s[log.stream.jobs == at].mean(), rel=0.1)
