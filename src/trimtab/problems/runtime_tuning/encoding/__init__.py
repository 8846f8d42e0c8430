# SPDX-License-Identifier: Apache-2.0
"""Configurations as arrays, moves between them, and a design that fills a space."""

from .codes import Encoding
from .column import Bools, Column, Floats, Ints

__all__ = ["Bools", "Column", "Encoding", "Floats", "Ints"]
