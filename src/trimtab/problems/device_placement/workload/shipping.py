# SPDX-License-Identifier: Apache-2.0
"""Makes the shipped graphs:  python -m trimtab.problems.device_placement.workload.shipping [FAMILY...]

Or those of the suite `transformers`:  ... shipping --transformers [FAMILY...]
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from .capture import capture
from .files import save
from .models import MODELS, SHARDED, make
from .suites import SHIPPED, SHIPPED_TRANSFORMERS


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--transformers"]:
        of_transformers(arguments[1:])
    else:
        handwritten(arguments)


def of_transformers(families: list[str]) -> None:
    from trimtab.core.extras import need

    from . import hugging_face

    version = need("transformers", extra="transformers").__version__
    for family in families or list(hugging_face.MODELS):
        for train in (False, True):
            module, inputs = hugging_face.make(family)
            name = f"{family}-{'training' if train else 'inference'}"
            graph, card = capture(module, inputs, name, family, train, repeats=15)
            save(SHIPPED_TRANSFORMERS / f"{name}.npz", graph, None, {**card, "transformers": version})
            _say(name, graph.num_ops, card)


def handwritten(families: list[str]) -> None:
    for family in families or list(MODELS):
        for train in (False, True) if family not in SHARDED else (False,):
            module, inputs = make(family)
            name = f"{family}-{'training' if train else 'inference'}"
            graph, card = capture(module, inputs, name, family, train, repeats=15)
            save(SHIPPED / f"{name}.npz", graph, None, card)
            _say(name, graph.num_ops, card)


def _say(name: str, ops: int, card: Mapping[str, Any]) -> None:
    print(f"{name}: {ops} ops, {card['whole_s'] * 1e3:.0f} ms, coverage {card['coverage']:.3f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
