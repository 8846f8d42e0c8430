# SPDX-License-Identifier: Apache-2.0
"""From a matplotlib figure to SVG that belongs to the page.

Charts are drawn in named roles (`INK`, `BETTER`, ...), which become CSS variables,
so that the page's dark mode and print style recolour them. Text stays text. The
same figure always gives the same bytes.
"""

from __future__ import annotations

import io
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from trimtab.core.extras import need

from .markup import Html, clean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, LINE, PAPER, BETTER, WORSE = (f"#0101{k:02x}" for k in range(1, 7))
SERIES: Final = tuple(f"#0202{k:02x}" for k in range(1, 7))
VARIABLES: Final = {
    **dict(
        zip((INK, MUTED, LINE, PAPER, BETTER, WORSE), ("ink", "muted", "line", "paper", "better", "worse"), strict=True)
    ),
    **{colour: f"s{k}" for k, colour in enumerate(SERIES, 1)},
}
STYLE: Final = {
    "svg.fonttype": "none",
    "svg.hashsalt": "trimtab",
    "text.parse_math": False,  # a solver may be called "$x_1$"
    "path.simplify": False,
    "figure.dpi": 72,  # one unit of the figure is one of the SVG
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.linewidth": 1,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 11,
    "axes.facecolor": "none",
    "axes.axisbelow": True,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.bottom": False,
    "ytick.left": False,
    "grid.color": LINE,
    "grid.linewidth": 1,
    "lines.solid_capstyle": "round",
}


@contextmanager
def canvas(width: int, height: int) -> Iterator[Figure]:
    """An empty figure of `width` x `height` units, untouched by the user's own matplotlib settings."""
    matplotlib = need("matplotlib", extra="report", purpose="the HTML report")
    figures = need("matplotlib.figure", extra="report", purpose="the HTML report")
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the reader's browser has its own fonts
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield figures.Figure(figsize=(width / 72, height / 72), facecolor="none")


def axes(figure: Figure, left: int, right: int, top: int, bottom: int) -> Axes:
    """Axes with these margins, in units; only the lower spine is drawn."""
    width, height = figure.get_size_inches() * 72
    box = (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    made: Axes = figure.add_axes(box)
    made.spines[["left", "right", "top"]].set_visible(False)
    return made


def inline(figure: Figure, *, name: str, title: str) -> Html:
    """The figure as an ``<svg>`` with ids that no other chart of the page has, and no reference outside."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    root = ET.fromstring(buffer.getvalue())
    _strip_namespaces(root)
    _rename_ids(root, name)
    for element in root.iter():
        _restyle(element)
    _prune(root)
    width, height = root.attrib["viewBox"].split()[2:]
    root.attrib.clear()
    root.attrib.update({"viewBox": f"0 0 {width} {height}", "role": "img", "aria-label": clean(title)})
    root.attrib["style"] = f"max-width:{float(width) * 1.1:.0f}px"
    return Html(ET.tostring(root, encoding="unicode"))


def _strip_namespaces(root: ET.Element) -> None:
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        for key in list(element.attrib):
            element.attrib[key.rpartition("}")[2]] = element.attrib.pop(key)
    for child in [child for child in root if child.tag == "metadata"]:
        root.remove(child)


def _rename_ids(root: ET.Element, name: str) -> None:
    links = re.compile(r"#([\w.-]+)")
    used = dict.fromkeys(
        match for e in root.iter() for k in ("href", "clip-path") for match in links.findall(e.get(k, ""))
    )
    new = {old: f"{name}-{k}" for k, old in enumerate(used)}
    for element in root.iter():
        if "id" in element.attrib:
            old = element.attrib.pop("id")
            if old in new:
                element.set("id", new[old])
        for key in ("href", "clip-path"):
            if key in element.attrib:
                element.set(key, links.sub(lambda match: "#" + new[match[1]], element.attrib[key]))


def _restyle(element: ET.Element) -> None:
    """Colours to variables, fonts to the page's own, coordinates to a tenth of a unit."""
    style = dict(part.split(": ", 1) for part in element.attrib.pop("style", "").split("; ") if ": " in part)
    size = re.search(r"([\d.]+)px", style.pop("font", "") or style.pop("font-size", ""))
    for key in ("stroke-linejoin", "font-family"):
        style.pop(key, None)
    if size:
        style["font-size"] = f"{float(size[1]):g}px"
    shown = {key: f"var(--{VARIABLES[value]})" if value in VARIABLES else value for key, value in style.items()}
    if shown:
        element.set("style", ";".join(f"{key}:{value}" for key, value in shown.items()))
    for key in ("d", "x", "y", "transform", "width", "height"):
        if key in element.attrib:
            element.set(key, _rounded(element.attrib[key]))


def _rounded(numbers: str) -> str:
    short = re.sub(r"-?\d+\.\d+(e-?\d+)?", lambda match: f"{float(match[0]):.1f}".removesuffix(".0"), numbers)
    return re.sub(r"\s*([A-Za-z])\s*", r"\1", short).strip() if short[:1] in "Mm" else short


def _prune(parent: ET.Element) -> None:
    """Take out groups that say nothing, and the space between elements."""
    kept: list[Any] = []
    for child in parent:
        _prune(child)
        child.tail = None
        says_something = child.tag != "g" or child.attrib
        kept += [child] if says_something else list(child)
    parent[:] = [child for child in kept if len(child) or child.attrib or child.text]
    if parent.tag != "text":
        parent.text = parent.text if (parent.text or "").strip() else None
