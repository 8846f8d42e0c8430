# SPDX-License-Identifier: Apache-2.0
"""A scrambled Sobol sequence over a space, without forbidden or repeated configurations."""

from __future__ import annotations

import numpy as np

from .codes import Encoding
from .column import Floats


def design(encoding: Encoding, count: int, seed: int) -> Floats:
    """Codes of up to `count` distinct allowed configurations; fewer where the space is small.  (count, knobs)"""
    from scipy.stats.qmc import Sobol  # 0.4 cpu-s

    sampler = Sobol(encoding.size, scramble=True, rng=np.random.default_rng((seed, 0x50B01)))
    found: dict[bytes, Floats] = {}
    for _ in range(8):
        codes = encoding.spread(sampler.random(max(16, 1 << (2 * count - 1).bit_length())))
        for row in codes[encoding.allowed(codes)]:
            found.setdefault(row.tobytes(), row)
        if len(found) >= count:
            break
    return np.array(list(found.values())[:count]).reshape(-1, encoding.size)
