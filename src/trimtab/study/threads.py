# SPDX-License-Identifier: Apache-2.0
"""One thread per worker: cells run side by side, so no library may take the cores of another's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

#: The environment of a worker process; read by the libraries when they are loaded.
SINGLE: Final = {
    f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "NUMBA", "RAYON")
} | {"VECLIB_MAXIMUM_THREADS": "1"}


@contextmanager
def single_threaded() -> Iterator[None]:
    """Hold BLAS, OpenMP, torch and numba to one thread in this process, as far as they are loaded."""
    from threadpoolctl import threadpool_limits

    with ExitStack() as undo:
        undo.enter_context(threadpool_limits(1))
        for library in ("torch", "numba"):
            module = sys.modules.get(library)
            if module is not None:
                undo.callback(module.set_num_threads, module.get_num_threads())
                module.set_num_threads(1)
        yield
