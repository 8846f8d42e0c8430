# SPDX-License-Identifier: Apache-2.0
"""Job streams for cluster_scheduling: shipped, public, and the user's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..problem import JobStream
from .suites import SUITES
from .suites import shipped as instances

__all__ = ["SUITES", "instances", "parse"]


def parse(paths: Sequence[Path]) -> Mapping[str, JobStream]:
    """The user's own jobs: Spark event logs (one stream of them all), or ``.npz`` profile files.

    A profile file becomes a batch of its jobs, one of each, on as many executors
    as the most that any was measured with.
    """
    from .files import load_profiles

    found: dict[str, JobStream] = {}
    logs = [path for path in map(Path, paths) if path.suffix != ".npz"]
    for path in (path for path in map(Path, paths) if path.suffix == ".npz"):
        profiles = load_profiles(path)
        jobs, most = np.arange(len(profiles)), max(int(profile.levels[-1]) for profile in profiles)
        found[path.stem] = JobStream(profiles, jobs, np.zeros(len(jobs)), most)
    if logs:
        from .spark_log import read_event_log

        found[logs[0].stem] = read_event_log(logs).stream
    return found
