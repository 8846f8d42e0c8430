# SPDX-License-Identifier: Apache-2.0
"""``{name}`` in a text: found, filled in, and written as ``{{name}}`` where it is meant as it stands.

Braces around anything that is no name (``awk '{print $1}'``, JSON) are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

_NAME: Final = r"[A-Za-z_][\w.+-]*"
_PLACE: Final = re.compile(rf"\{{\{{({_NAME})\}}\}}|\{{({_NAME})\}}")
_WHOLE: Final = re.compile(rf"\{{({_NAME})\}}")


def names(text: str) -> list[str]:
    """The placeholders of a text, in order."""
    return [match[2] for match in _PLACE.finditer(text) if match[2]]


def whole(text: str) -> str:
    """The name of the placeholder that the text is, or ''."""
    match = _WHOLE.fullmatch(text)
    return match[1] if match else ""


def fill(text: str, values: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda match: values[match[2]] if match[2] else f"{{{match[1]}}}", text)


def used(texts: Iterable[str]) -> set[str]:
    return {name for text in texts for name in names(text)}
