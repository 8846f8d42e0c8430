# SPDX-License-Identifier: Apache-2.0
"""trimtab's own optimiser: ask, tell, best."""

from .tuner import Tuner

__all__ = ["Tuner"]
