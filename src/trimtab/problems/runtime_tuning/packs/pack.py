# SPDX-License-Identifier: Apache-2.0
"""`Pack`: a tool's knobs, and how a configuration is told to it (`Setting`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..space import KnobSpace, Value, Values


@dataclass(frozen=True)
class Setting:
    """A configuration as a program reads it."""

    args: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)  # name in the directory of the run -> text


@dataclass(frozen=True)
class Pack:
    """The knobs of the tool that was asked, and how it is told of them.

    ``{name}`` as a whole argument of a command stands for `arguments`; files are
    written into the directory of the run, ``{run}``.
    """

    name: str
    tool: str  # its path; "" for environment variables
    version: str
    space: KnobSpace
    write: Callable[[Mapping[str, Value]], Setting] = field(
        compare=False
    )  # of the knobs that differ from their default

    def setting(self, values: Values) -> Setting:
        return self.write(self.space.changed(values))

    def arguments(self, values: Values) -> tuple[str, ...]:
        return self.setting(values).args

    def environment(self, values: Values) -> Mapping[str, str]:
        return self.setting(values).environment

    def files(self, values: Values) -> Mapping[str, str]:
        return self.setting(values).files
