# SPDX-License-Identifier: Apache-2.0
"""Job streams for cluster_scheduling: shipped, public, and the user's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..problem import JobProfile, JobStream
from .files import load_profiles
from .suites import SUITES
from .suites import shipped as instances

__all__ = ["SUITES", "instances", "parse"]


def parse(paths: Sequence[Path]) -> Mapping[str, JobStream]:
    """The user's own jobs: Spark event logs (one stream of them all), or ``.npz`` profile files.

    A profile file becomes a batch of its jobs, one of each, on as many executors
    as the most that any was measured with.
    """
    files = [path for path in map(Path, paths) if path.suffix == ".npz"]
    logs = [path for path in map(Path, paths) if path.suffix != ".npz"]
    streams = [(path, _one_of_each(load_profiles(path))) for path in files]
    if logs:
        from .spark_log import read_event_log

        streams.append((logs[0], read_event_log(logs).stream))
    stems = Counter(path.stem for path, _ in streams)
    return {path.stem if stems[path.stem] == 1 else str(path): stream for path, stream in streams}


def _one_of_each(profiles: tuple[JobProfile, ...]) -> JobStream:
    most = max(int(profile.levels[-1]) for profile in profiles)
    return JobStream(profiles, np.arange(len(profiles)), np.zeros(len(profiles)), most)
