# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from trimtab.study.report.markup import clean, data_link, join, markup, tag


class Reader(HTMLParser):
    """The standard library's opinion of a page: its tags, attributes and text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@given(st.text())
def test_text_stays_text_wherever_it_is_put(text: str) -> None:
    read = Reader(tag("p", "<", text, title=text))
    assert [name for name, _ in read.tags] == ["p"]
    assert "".join(read.text) == "<" + clean(text)
    assert read.tags[0][1]["title"] == clean(text)


@given(st.text())
def test_a_data_link_holds_its_file_to_the_byte(text: str) -> None:
    text = clean(text)
    ((name, attributes),) = Reader(data_link("x", text, media_type="text/csv", filename="a.csv")).tags
    assert name == "a"
    assert attributes["download"] == "a.csv"
    assert unquote((attributes["href"] or "").partition(",")[2]) == text


def test_markup_is_not_escaped_twice() -> None:
    assert tag("p", tag("b", "&")) == "<p><b>&amp;</b></p>"
    assert join([tag("br"), "<"], " ") == "<br> &lt;"
    assert markup(tag("br")) == "<br>"


def test_attributes() -> None:
    assert tag("td", class_="a", aria_label="b", hidden=True, title=None) == '<td class="a" aria-label="b" hidden></td>'


@given(st.text())
def test_clean_text_can_be_written_and_stays_in_line(text: str) -> None:
    shown = clean(text)
    shown.encode("utf-8")
    assert not set(shown) & set("\x00\x1b\n\r\t\u202e\u2066\ufffe")
