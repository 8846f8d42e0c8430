# SPDX-License-Identifier: Apache-2.0
"""What is installed, read from package metadata: nothing is imported to find out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, metadata, version
from typing import Any


@dataclass(frozen=True)
class Requirement:
    """A package that an extra brings."""

    package: str
    minimum: str  # "" for any

    @property
    def installed(self) -> str:
        """Its version here, or ''."""
        return _version(self.package)

    @property
    def satisfied(self) -> bool:
        return bool(self.installed) and _numbers(self.installed) >= _numbers(self.minimum)


@cache
def extras() -> dict[str, tuple[Requirement, ...]]:
    """trimtab's extras, and the packages of each."""
    lines = metadata("trimtab").get_all("Requires-Dist") or []
    found: dict[str, list[Requirement]] = {name: [] for name in metadata("trimtab").get_all("Provides-Extra") or []}
    for line in lines:
        match = re.match(r"([\w.-]+)(?:\[[^]]*\])?\s*(?:>=\s*([\d.]+))?.*?extra\s*==\s*['\"]([\w.-]+)['\"]", line)
        if match and match[1] != "trimtab":
            found.setdefault(match[3], []).append(Requirement(match[1], match[2] or ""))
    return {name: tuple(requirements) for name, requirements in found.items()}


def lacks(factory: Callable[..., Any]) -> str:
    """The extra that a solver's or backend's factory needs and that is not here, or ''."""
    extra: str = getattr(factory, "extra", "")
    return "" if all(r.satisfied for r in extras().get(extra, ())) else extra


def install(wanted: Iterable[str]) -> str:
    """The command that brings some extras."""
    return f"pip install 'trimtab[{','.join(sorted(set(wanted)))}]'"


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text.partition("+")[0])[:4])
