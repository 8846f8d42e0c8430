# SPDX-License-Identifier: Apache-2.0
"""Where blocks come from: labels that are shipped or staged, files of the user, binaries of this machine."""

from __future__ import annotations

from .suites import SUITES, instances, near_duplicates, truth

__all__ = ["SUITES", "instances", "near_duplicates", "truth"]
