# SPDX-License-Identifier: Apache-2.0
"""The trials of a run of tuning, drawn: every result as a ratio to the default, the best yet as a line."""

from __future__ import annotations

import math
from typing import Final

from trimtab.problems.runtime_tuning.problem import Objective
from trimtab.problems.runtime_tuning.system.session import Session
from trimtab.study.report.figure import BETTER, INK, LINE, MUTED, PAPER, WORSE, axes, canvas, inline
from trimtab.study.report.markup import Html
from trimtab.study.report.scale import RatioScale

from .telling import FAILED, ratio

WIDTH: Final = 640
HEIGHT: Final = 300
_BARS: Final = "▁▂▃▄▅▆▇█"


def spark(session: Session, objective: Objective) -> str:
    """The trials as a row of characters: the lower, the less it took; × for a failure, > for one that was too slow."""
    losses = [row.trial.loss for row in session.rows if row.trial.status == "ok" and row.trial.loss is not None]
    low, high = min(losses, default=0.0), max(losses, default=0.0)
    marks = {"censored": ">", "constraint": "!"}

    def mark(status: str, loss: float | None) -> str:
        if status != "ok" or loss is None:
            return marks.get(status, "×")
        share = (loss - low) / (high - low) if high > low else 0.0
        return _BARS[min(len(_BARS) - 1, int(share * len(_BARS)))]

    ends = sorted(ratio(loss, objective) for loss in (low, high))
    drawn = "".join(mark(row.trial.status, row.trial.loss) for row in session.rows)
    return f"{drawn}  {ends[0]:.3f} to {ends[1]:.3f} of the default"


def trials(session: Session, objective: Objective) -> Html:
    """Ratio to the default over trials. Needs the extra ``report``."""
    logs = {
        k: math.log(ratio(row.trial.loss, objective))
        for k, row in enumerate(session.rows, 1)
        if row.trial.loss is not None
    }
    status = {k: row.trial.status for k, row in enumerate(session.rows, 1)}
    scale = RatioScale.over(math.exp(log) for log in logs.values())
    low, high = math.log(scale.low), math.log(scale.high)
    with canvas(WIDTH, HEIGHT) as figure:
        chart = axes(figure, left=46, right=14, top=10, bottom=44)
        ticks = scale.ticks(6)
        chart.set(xlim=(0, len(session.rows) + 1), ylim=(low, high), xlabel="trial")
        chart.set_yticks([math.log(tick) for tick in ticks], [f"{tick:g}" for tick in ticks])
        chart.grid(axis="y")
        chart.axhline(0.0, color=MUTED, linewidth=1)
        ok = [k for k in logs if status[k] == "ok"]
        chart.plot(ok, [logs[k] for k in ok], "o", color=INK, markersize=4)
        for name, marker, colour in (("constraint", "s", WORSE), ("censored", "^", WORSE)):
            some = [k for k in logs if status[k] == name]
            chart.plot(
                some, [min(logs[k], high) for k in some], marker, color=colour, markerfacecolor=PAPER, markersize=5
            )
        dead = [k for k in status if status[k] in FAILED and k not in logs]
        chart.plot(dead, [high] * len(dead), "x", color=WORSE, markersize=5, clip_on=False)
        chart.plot(
            *_best_yet(logs, ok, objective, len(session.rows)), color=BETTER, drawstyle="steps-post", linewidth=1.8
        )
        chart.axhline(low, color=LINE, linewidth=0.5)
        return inline(figure, name="trials", title=f"{objective.metric} of each trial, ratio to the default")


def _best_yet(logs: dict[int, float], ok: list[int], objective: Objective, last: int) -> tuple[list[int], list[float]]:
    """Steps of the least (or most) result so far, noise included."""
    better = min if objective.goal == "minimize" else max
    x: list[int] = []
    y: list[float] = []
    for k in ok:
        value = better(logs[k], y[-1]) if y else logs[k]
        x.append(k)
        y.append(value)
    return ([*x, last], [*y, y[-1]]) if x else ([], [])
