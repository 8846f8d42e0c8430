# SPDX-License-Identifier: Apache-2.0
"""The page as a whole: complete, harmless, whole in itself, the same every time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest

from trimtab.study.report.page import page

from . import samples
from .test_markup import Reader

VOID = {"meta", "br"}


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    made = {name: getattr(samples, name)() for name in ("search", "troubled", "hostile")}
    made["scheduling"] = samples.scheduling(10, 2)
    return {name: page([results]) for name, results in made.items()}


class Nesting(HTMLParser):
    def __init__(self, document: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.feed(document)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: object) -> None: ...


NAMES = ("scheduling", "search", "troubled", "hostile")


@pytest.mark.parametrize("name", NAMES)
def test_elements_close_in_order_and_ids_are_unique(pages: dict[str, str], name: str) -> None:
    Nesting(pages[name])
    ids = Counter(attributes["id"] for _, attributes in Reader(pages[name]).tags if "id" in attributes)
    assert ids
    assert max(ids.values()) == 1


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_asked_of_any_network(pages: dict[str, str], name: str) -> None:
    for tag, attributes in Reader(pages[name]).tags:
        assert tag not in {"script", "link", "img", "iframe", "object", "embed", "base", "form", "image"}
        assert not [key for key in attributes if key.startswith("on") or key in {"src", "srcset", "data"}]
        assert (attributes.get("href") or "#").startswith(("#", "data:text/csv", "data:application/json"))
    assert "//" not in re.sub(r'href="data:[^"]*"', "", pages[name]).replace("</", "")
    assert not re.findall(r"@import|url\((?!#)", pages[name])
    assert "default-src &#x27;none&#x27;" in pages[name]


def test_hostile_text_is_only_text(pages: dict[str, str]) -> None:
    document = pages["hostile"]
    assert not re.search(r"<(img|script|i|b)\b[^>]*(onerror|alert)", document)
    assert "<i>" not in document
    shown = "".join(Reader(document).text)
    assert samples.BAD in shown
    assert "$x_1$ ${{}}" in shown
    document.encode("utf-8")
    assert not set(document) & set("\x00\x1b\u202e")


def test_what_was_asked_where_and_how_to_repeat_it(pages: dict[str, str]) -> None:
    shown = " ".join(Reader(pages["scheduling"]).text)
    wanted = ["Which stage runs next", "simulator", "tpch-20x50", "weighted-fair", "unlimited", "AMD EPYC 7763"]
    wanted += ["16.0 GiB", "numba 0.68.0", str(samples.SYSTEM["command"]), "How to read this", "Holm", "geometric mean"]
    assert [text for text in wanted if text not in re.sub(r"\s+", " ", shown)] == []


def test_what_did_not_run_is_said_with_its_reason(pages: dict[str, str]) -> None:
    shown = "".join(Reader(pages["troubled"]).text)
    assert "pip install 'trimtab[learn]'" in shown
    assert "ZeroDivisionError: float division by zero" in shown
    assert "no decision within 60 s" in shown
    assert "brittle has values on 6 of 8 instances only" in shown


def test_tracks_never_share_a_table(pages: dict[str, str]) -> None:
    searches, policies = set(samples.SEARCHES), {"default", "rules"}
    found = re.findall(r"<table.*?</table>", pages["search"], re.S)
    assert len(found) >= 4
    for table in found:
        names = set(re.findall(r'<th scope="(?:row|col)">([^<]+)</th>', table))
        assert not (names & searches and names & policies)


def test_several_studies_make_a_scorecard() -> None:
    document = page([samples.scheduling(4, 1), samples.search(4, 1)])
    Nesting(document)
    tags = Reader(document).tags
    targets = {attributes["id"] for _, attributes in tags if "id" in attributes}
    links = [attributes["href"] for tag, attributes in tags if tag == "a" and "download" not in attributes]
    assert links == ["#s0", "#s1"]
    assert {"s0", "s1"} <= targets


def test_a_study_without_any_result_still_has_a_page() -> None:
    nan = float("nan")
    for table in ({"base": [nan, nan], "other": [nan, nan]}, {"base": [nan, nan], "other": [1.0, 2.0]}):
        Nesting(page([samples.values(table)]))
    Nesting(page([samples.values({"base": [0.0, -1.0, 2.0], "other": [1.0, 0.0, -3.0]})]))
    alone = samples.results([samples.run("i", "a", 0, {}, status="unavailable", note="no")], unavailable={"a": "no"})
    assert "a was unavailable" in "".join(Reader(page([alone])).text)


def test_the_same_results_give_the_same_bytes_in_any_process() -> None:
    program = (
        "import hashlib; from tests.study.report import samples; from trimtab.study.report.page import page;"
        "print(hashlib.sha256(page([samples.search(3, 1)]).encode()).hexdigest())"
    )
    root = Path(__file__).parents[3]
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_a_large_study_stays_small() -> None:
    effects = {**samples.EFFECTS, "another": 1.5}
    assert len(page([samples.scheduling(100, 3, effects)]).encode()) < 400_000


def _luminance(colour: str) -> float:
    """WCAG 2.1, relative luminance."""
    digits = colour.removeprefix("#")
    digits = "".join(2 * d for d in digits) if len(digits) == 3 else digits
    channels = [int(digits[k : k + 2], 16) / 255 for k in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_colour_of_text_can_be_read() -> None:
    style = files("trimtab.study.report").joinpath("style.css").read_text("utf-8")
    palettes = [dict(re.findall(r"--(\w+): (#\w+)", block)) for block in re.findall(r":root \{(.*?)\}", style, re.S)]
    palettes = [palette for palette in palettes if "paper" in palette]
    assert len(palettes) == 3  # light, dark, print
    for palette in palettes:
        for ground in ("paper", "wash"):
            for name in ("ink", "muted", "better", "worse", *(f"s{k}" for k in range(1, 7))):
                light, dark = sorted((_luminance(palette[ground]), _luminance(palette[name])), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (ground, name)
