# SPDX-License-Identifier: Apache-2.0
"""Raw bytes to numbers, fast: `decode` gives every block's instructions as rows of integers."""

from .table import Decoded, decode

__all__ = ["Decoded", "decode"]
