# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from trimtab.study.report.terminal import render
from trimtab.study.results import Results

from . import samples


def printed(results: Results, width: int, *, colour: bool = False) -> list[str]:
    out = io.StringIO()
    system = "truecolor" if colour else None
    console = Console(file=out, width=width, force_terminal=colour, color_system=system)  # type: ignore[arg-type]
    console.print(render(results, width))
    return out.getvalue().splitlines()


@pytest.mark.parametrize("name", ["scheduling", "search", "troubled", "hostile"])
@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_line_is_wider_than_the_console(name: str, width: int) -> None:
    lines = printed(getattr(samples, name)(), width)
    assert max(cell_len(line) for line in lines) <= width


def test_numbers_are_never_cut_at_80_columns() -> None:
    found = samples.scheduling(20, 1)
    lines = printed(found, 80)
    for row in found.compare().rows:
        (line,) = [line for line in lines if line.startswith(row.solver + " ") and ("µs" in line)]
        assert f"{row.mean:.1f}" in line
        if row.verdict != "reference":
            assert f"{row.ratio:.3f}" in line
            assert f"{row.low:.3f} {row.high:.3f}" in line
            assert f"{row.wins}/{row.ties}/{row.losses}" in line
            assert ("level" if row.verdict == "not separated" else row.verdict) in line


def test_a_wide_console_shows_the_interval() -> None:
    assert not [line for line in printed(samples.search(), 80) if "─●─" in line]
    assert [line for line in printed(samples.search(), 120) if "─●─" in line]


def test_without_colour_there_are_no_escapes() -> None:
    assert "\x1b" not in "".join(printed(samples.hostile(), 80))
    assert "\x1b" in "".join(printed(samples.search(), 80, colour=True))


def test_names_are_not_console_markup() -> None:
    assert any("[bold]]]>" in line for line in printed(samples.hostile(), 120))


def test_the_finding_and_the_unavailable_are_said_once() -> None:
    text = " ".join(printed(samples.troubled(), 120))
    assert text.count("Nothing beats weighted-fair for certain") == 1
    assert text.count("decima") == 2
    assert "decima is unavailable: the solver 'decima' needs torch." in text


def test_other_metrics_are_there_in_brief() -> None:
    lines = printed(samples.scheduling(5, 1), 80)
    (head,) = [line for line in lines if "utilisation" in line]
    assert head.split() == ["solver", "p95_jct", "makespan", "utilisation", "↑"]
