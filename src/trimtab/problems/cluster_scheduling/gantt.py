# SPDX-License-Identifier: Apache-2.0
"""A schedule for people: a summary, a table of jobs, a Gantt chart and the task times as CSV."""

from __future__ import annotations

import csv
import io
from typing import Any, Final

import numpy as np

from trimtab.core.backend import Backend
from trimtab.core.extras import need
from trimtab.core.problem import Rendering

from .problem import JobStream
from .simulator import Decision, Simulation, simulate

_MOST_ROWS: Final = 30  # of the table in the terminal
_MOST_BARS: Final = 20_000  # tasks drawn; a chart of more is grey


def render(stream: JobStream, decision: Decision, backend: Backend[JobStream, Decision], seed: int) -> Rendering:
    """What the policy would have done with the jobs, by the simulator."""
    played = simulate(stream, decision, seed=seed, trace=True)
    metrics = played.metrics
    summary = (
        f"{stream.num_jobs} jobs on {stream.num_executors} executors: average completion time "
        f"{metrics['average_jct']:.1f} s, the last job done after {metrics['makespan']:.1f} s, "
        f"executors busy {metrics['utilisation']:.0%} of the time."
    )
    files: dict[str, str | bytes] = {"schedule.csv": schedule_csv(played), "gantt.svg": gantt_svg(played)}
    return Rendering(summary, job_table(played)[:_MOST_ROWS], files)


def job_table(played: Simulation) -> list[dict[str, str | float]]:
    """A row per job: arrival, first start, completion, and the executors that it had on average."""
    stream, tasks = played.stream, played.tasks
    busy = np.bincount(tasks["job"], tasks["time_ms"] - tasks["since_ms"], stream.num_jobs) / 1000
    start = np.full(stream.num_jobs, np.inf)
    np.minimum.at(start, tasks["job"], tasks["since_ms"] / 1000)
    jct = played.jct_ms / 1000
    return [
        {
            "job": stream.profiles[stream.jobs[job]].name,
            "arrival s": float(stream.arrival_ms[job] / 1000),
            "start s": float(start[job]),
            "done s": float(played.done_ms[job] / 1000),
            "JCT s": float(jct[job]),
            "executors": float(busy[job] / max(played.done_ms[job] / 1000 - start[job], 1e-9)),
        }
        for job in range(stream.num_jobs)
    ]


def schedule_csv(played: Simulation) -> str:
    """Every task: job, stage, task, executor, start and end in s."""
    out = io.StringIO()
    writer = csv.writer(out)  # ends lines with CR LF, and so quotes both in names
    writer.writerow(["job", "name", "stage", "task", "executor", "start_s", "end_s"])
    names = [played.stream.profiles[profile].name for profile in played.stream.jobs]
    for row in played.tasks:
        job, span = int(row["job"]), (row["since_ms"] / 1000, row["time_ms"] / 1000)
        writer.writerow(
            [job, _cell(names[job]), row["stage"], row["task"], row["executor"], *map("{:.3f}".format, span)]
        )
    return out.getvalue()


def _cell(text: str) -> str:
    """A spreadsheet must not take a name for a formula."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def gantt_svg(played: Simulation) -> str:
    """Executors against time, a colour for each job."""
    figure = need("matplotlib.figure", extra="report", purpose="the Gantt chart").Figure(
        figsize=(11, 1.5 + min(8.0, 0.16 * played.stream.num_executors)), layout="constrained"
    )
    axes = figure.subplots()
    _bars(axes, played)
    axes.set(xlabel="time, s", ylabel="executor", xlim=(0, played.end_ms / 1000))
    axes.set_ylim(-0.5, played.stream.num_executors - 0.5)
    axes.yaxis.get_major_locator().set_params(integer=True)
    for job in np.flatnonzero(np.isfinite(played.done_ms)):
        axes.axvline(played.done_ms[job] / 1000, color=_colour(int(job)), linewidth=0.7, linestyle=":")
    axes.set_title(f"{played.stream.num_jobs} jobs; dotted: a job is done", loc="left", fontsize=10)
    out = io.StringIO()
    with need("matplotlib", extra="report").rc_context({"svg.hashsalt": "trimtab"}):  # the same chart, the same text
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def _bars(axes: Any, played: Simulation) -> None:
    tasks = played.tasks[:_MOST_BARS]
    collection = need("matplotlib.collections", extra="report", purpose="the Gantt chart").PolyCollection
    left, right = tasks["since_ms"] / 1000, tasks["time_ms"] / 1000
    low, high = tasks["executor"] - 0.42, tasks["executor"] + 0.42
    corners = np.stack([np.stack([left, right, right, left], 1), np.stack([low, low, high, high], 1)], 2)
    axes.add_collection(collection(corners, facecolors=[_colour(int(job)) for job in tasks["job"]], linewidths=0))


def _colour(job: int) -> tuple[float, float, float]:
    """Neighbours in number are far apart in hue (the golden angle)."""
    import colorsys

    return colorsys.hls_to_rgb((job * 0.381966) % 1.0, 0.45 + 0.12 * (job % 3), 0.55)
