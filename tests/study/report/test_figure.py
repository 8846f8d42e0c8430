# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import matplotlib

from trimtab.study.report.figure import BETTER, VARIABLES, axes, canvas, inline
from trimtab.study.report.markup import Html


def drawing(name: str, text: str = "plain") -> Html:
    with canvas(200, 100) as figure:
        chart = axes(figure, 30, 5, 5, 20)
        chart.plot([0, 1], [0, 1], "o-", color=BETTER)
        chart.set_xlabel(text)
        return inline(figure, name=name, title="A chart")


def test_it_is_well_formed_and_says_what_it_is() -> None:
    root = ET.fromstring(drawing("a"))
    assert root.attrib["viewBox"] == "0 0 200 100"
    assert (root.attrib["role"], root.attrib["aria-label"]) == ("img", "A chart")


def test_ids_of_two_charts_never_meet() -> None:
    first, second = (set(re.findall(r'\bid="([^"]+)"', drawing(name))) for name in ("a", "b"))
    assert first
    assert not first & second
    used = set(re.findall(r"#([\w-]+)", drawing("a")))
    assert used == first


def test_colours_are_the_page_s() -> None:
    svg = drawing("a")
    assert "var(--better)" in svg
    assert not any(colour in svg for colour in VARIABLES)
    assert not re.search(r"#[0-9a-f]{6}", svg)


def test_text_is_text_whatever_it_says() -> None:
    hostile = '$x_1$ </text><script> id="x" #010101'
    svg = drawing("a", hostile)
    assert hostile in "".join(ET.fromstring(svg).itertext())
    assert "<script" not in svg


def test_nothing_points_outside() -> None:
    assert "http" not in drawing("a")
    assert "xlink" not in drawing("a")


def test_the_user_s_matplotlib_settings_neither_matter_nor_change() -> None:
    plain = drawing("a")
    with matplotlib.rc_context({"axes.grid": True, "font.size": 30, "svg.hashsalt": "other", "figure.dpi": 300}):
        before = dict(matplotlib.rcParams)
        assert drawing("a") == plain
        assert dict(matplotlib.rcParams) == before
