# SPDX-License-Identifier: Apache-2.0
"""Makes the shipped graphs:  python -m trimtab.problems.device_placement.workload.shipping [FAMILY...]"""

from __future__ import annotations

import sys

from .capture import capture
from .files import save
from .models import MODELS, SHARDED, make
from .suites import SHIPPED


def main(families: list[str]) -> None:
    for family in families or list(MODELS):
        for train in (False, True) if family not in SHARDED else (False,):
            module, inputs = make(family)
            name = f"{family}-{'training' if train else 'inference'}"
            graph, card = capture(module, inputs, name, family, train, repeats=15)
            save(SHIPPED / f"{name}.npz", graph, None, card)
            print(f"{name}: {graph.num_ops} ops, {card['whole_s'] * 1e3:.0f} ms, coverage {card['coverage']:.3f}")


if __name__ == "__main__":
    main(sys.argv[1:])
