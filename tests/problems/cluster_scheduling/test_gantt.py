# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import io
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip("numba")

from trimtab.problems.cluster_scheduling.gantt import gantt_svg, job_table, render, schedule_csv
from trimtab.problems.cluster_scheduling.problem import JobStream
from trimtab.problems.cluster_scheduling.simulator import Simulation, Simulator, fifo, simulate
from trimtab.problems.cluster_scheduling.simulator.made import made_stream

from .plain import profile, stream


def named(name: str) -> JobStream:
    made = made_stream(2, jobs=5, executors=3, mean_gap_ms=3000)
    return replace(made, profiles=tuple(replace(p, name=name) for p in made.profiles))


def played(jobs: JobStream) -> Simulation:
    return simulate(jobs, fifo(), seed=3, trace=True)


def test_the_table_of_plain_jobs() -> None:
    """Two tasks of 1 s and then one of 2 s; the second job waits for the first executor that is free."""
    first, second = profile([2, 1], [1000, 2000], [(0, 1)], "first"), profile([1], [500], name="second")
    one, two = job_table(played(stream([first, second], 2, gap_ms=250)))
    assert one == {
        "job": "first",
        "arrival s": 0,
        "start s": 0,
        "done s": 3,
        "JCT s": 3,
        "executors": pytest.approx(4 / 3),
    }
    assert (two["job"], two["arrival s"], two["start s"], two["done s"]) == ("second", 0.25, 1.0, 1.5)
    assert two["JCT s"] == 1.25


def test_the_csv_is_the_simulation() -> None:
    run = played(made_stream(2, jobs=5, executors=3, mean_gap_ms=3000))
    rows = list(csv.DictReader(io.StringIO(schedule_csv(run))))
    assert len(rows) == len(run.tasks)
    for row, task in zip(rows, run.tasks, strict=True):
        assert [int(row[field]) for field in ("job", "stage", "task", "executor")] == [
            task[field] for field in ("job", "stage", "task", "executor")
        ]
        assert float(row["start_s"]) == pytest.approx(task["since_ms"] / 1000, abs=1e-3)
        assert float(row["end_s"]) == pytest.approx(task["time_ms"] / 1000, abs=1e-3)
        assert row["name"] == run.stream.profiles[run.stream.jobs[task["job"]]].name


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@sum(a1)", "\t=1", "\r=1"])
def test_a_name_is_no_formula(name: str) -> None:
    rows = list(csv.DictReader(io.StringIO(schedule_csv(played(named(name))), newline="")))
    assert {row["name"] for row in rows} == {"'" + name}


def test_a_name_with_commas_and_quotes_is_one_cell() -> None:
    name = 'a, "b"\nc'
    rows = list(csv.DictReader(io.StringIO(schedule_csv(played(named(name))), newline="")))
    assert {row["name"] for row in rows} == {name}


def test_the_chart_is_plain_svg() -> None:
    pytest.importorskip("matplotlib")
    run = played(named("</text><script>alert(1)</script>$\\frac$"))
    root = ElementTree.fromstring(gantt_svg(run))
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "script" not in tags
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not {name for name in attributes if name.startswith("on")}
    links = [value for element in root.iter() for name, value in element.attrib.items() if name.endswith("href")]
    assert all(link.startswith("#") for link in links)
    assert gantt_svg(run) == gantt_svg(run)


def test_render_gives_both_files_and_says_what_came_of_it() -> None:
    pytest.importorskip("matplotlib")
    jobs = stream([profile([2], [1000], name="only")], 2)
    shown = render(jobs, fifo(), Simulator(), 0)
    assert set(shown.files) == {"schedule.csv", "gantt.svg"}
    assert "1 jobs on 2 executors: average completion time 1.0 s" in shown.summary
    assert "busy 100% of the time" in shown.summary
    assert [line["job"] for line in shown.table] == ["only"]


def test_a_long_table_is_cut_for_the_terminal_and_not_in_the_file() -> None:
    pytest.importorskip("matplotlib")
    shown = render(stream([profile([1], [10])] * 40, 2), fifo(), Simulator(), 0)
    assert len(shown.table) == 30
    assert len({row["job"] for row in csv.DictReader(io.StringIO(str(shown.files["schedule.csv"])))}) == 40


def test_a_made_stream_keeps_the_executors_below_one_each() -> None:
    run = played(made_stream(4, jobs=8, executors=5))
    rows = job_table(run)
    assert all(0 < float(row["executors"]) <= 5 for row in rows)
    np.testing.assert_allclose([row["JCT s"] for row in rows], run.jct_ms / 1000)
