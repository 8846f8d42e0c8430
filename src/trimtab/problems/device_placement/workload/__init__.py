# SPDX-License-Identifier: Apache-2.0
"""Instances of device_placement: shipped, public, and the user's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..problem import PlacementInstance
from .suites import SUITES
from .suites import shipped as instances

__all__ = ["SUITES", "instances", "parse"]


def parse(paths: Sequence[Path]) -> Mapping[str, PlacementInstance]:
    """The user's own graphs, one instance per file.

    * ``.npz`` from ``trimtab capture device_placement`` (with its devices, or four cores on 10 Gbit/s);
    * ``.onnx``, with ops estimated for a nominal core;
    * ``.json`` of dnn-partitioning or of Piper;
    * ``.txt`` of PipeDream's profiler or of DOPPLER.
    """
    from .reading import read_file

    return {str(path) if len(paths) > 1 else path.stem: read_file(path) for path in map(Path, paths)}
