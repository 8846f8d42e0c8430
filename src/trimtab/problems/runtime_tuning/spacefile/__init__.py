# SPDX-License-Identifier: Apache-2.0
"""The user's own knobs, and a command, as a short TOML file::

    [knobs]
    level = { default = 3, range = [1, 9] }
    cache = { default = 64, range = [1, 4096], log = true, special = [0], unit = "MiB" }
    mode = { default = "fast", values = ["fast", "small"] }
    sync = { default = true }
    passes = { default = ["a", "b", "c"], order = true, when = { mode = "fast" } }

    [[forbidden]]           # all of these together
    mode = "small"
    level = [8, 9]

    [command]               # may be left out; `trimtab tune` has it on its command line
    argv = ["./prog", "--level", "{level}", "--cache", "{cache}", "{mode}", "{sync}", "{passes}"]
    objective = "cpu"

The kind of a knob follows from its default and what else is said: a range of whole
numbers, a range, values, an order, or on and off.
"""

from __future__ import annotations

from .command import read_target
from .knobs import read

__all__ = ["read", "read_target"]
