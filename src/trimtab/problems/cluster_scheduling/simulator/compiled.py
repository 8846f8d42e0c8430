# SPDX-License-Identifier: Apache-2.0
"""The kit's `compiled`, by the name under which the files of this folder import it."""

from __future__ import annotations

from trimtab.kit.compiled import compiled, inlined, inner

__all__ = ["compiled", "inlined", "inner"]
