# SPDX-License-Identifier: Apache-2.0
"""Registers the Gymnasium environments of all installed problems, and imports none of them.

>>> import gymnasium, trimtab.envs
>>> env = gymnasium.make("trimtab/ClusterScheduling-v0")

In one line: ``gymnasium.make("trimtab.envs:trimtab/ClusterScheduling-v0")``. An id
is a line in the entry-point group ``trimtab.envs``, for plugins as for trimtab.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Final

import gymnasium

GROUP: Final = "trimtab.envs"

for _entry in entry_points(group=GROUP):
    gymnasium.register(_entry.name, entry_point=_entry.value)
