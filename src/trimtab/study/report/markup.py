# SPDX-License-Identifier: Apache-2.0
"""HTML by small functions. What is not `Html` is text, and is escaped; there is no way around it."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable
from urllib.parse import quote

VOID = frozenset({"br", "meta"})
UNWANTED = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufffe\uffff")


class Html(str):
    """A string that is already markup."""

    __slots__ = ()


def clean(value: object) -> str:
    """Text that any document can hold: no control characters, no lone surrogates, nothing that turns the line round."""
    return "".join(
        " " if c in "\t\n\r" else "\ufffd" if c in UNWANTED or unicodedata.category(c) in ("Cc", "Cs") else c
        for c in str(value)
    )


def markup(value: object) -> Html:
    return value if isinstance(value, Html) else Html(html.escape(clean(value)))


def join(parts: Iterable[object], separator: str = "") -> Html:
    return Html(separator.join(markup(part) for part in parts))


def tag(name: str, /, *children: object, **attributes: object) -> Html:
    """An element. ``class_`` is class, ``aria_label`` aria-label; True a bare attribute, None none."""
    shown = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{markup(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return Html(f"<{name}{shown}>" if name in VOID else f"<{name}{shown}>{join(children)}</{name}>")


def data_link(label: object, text: str, *, media_type: str, filename: str) -> Html:
    """A link whose file is inside the page: no script, no server."""
    address = f"data:{media_type};charset=utf-8," + quote(text, safe=" ,.:;[]{}()*!/")
    return tag("a", label, href=address, download=filename)


def scroller(table: Html, label: str) -> Html:
    """A table that scrolls sideways inside its own box, also from the keyboard."""
    return tag("div", table, class_="scroll", tabindex="0", role="region", aria_label=label)


def section(title: str, *content: object) -> Html:
    return tag("section", tag("h2", title), *content)
