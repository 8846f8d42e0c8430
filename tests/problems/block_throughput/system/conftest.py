# SPDX-License-Identifier: Apache-2.0
"""A running harness, or the reason why there can't be one here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from trimtab.core.errors import Unavailable
from trimtab.problems.block_throughput.system.harness import Harness, Pool


@pytest.fixture(scope="session")
def harness() -> Iterator[Harness]:
    try:
        running = Harness()
    except Unavailable as error:  # no compiler, no seccomp, another system: the message says which
        pytest.skip(str(error))
    with running:
        yield running


@pytest.fixture(scope="session")
def pool(harness: Harness) -> Iterator[Pool]:
    with Pool() as running:
        yield running
