# SPDX-License-Identifier: Apache-2.0
"""How the shipped sets of labels were made: ``workload/data/zen4.npz`` and ``zen5.npz``.

zen4 is a sample of the staged labels (data set zen4-throughput), so many of each
application; zen5 has the same blocks, measured again, and blocks of Debian's
binaries. Three commands, the second on the machine to be measured:

    TRIMTAB_DATA=... python -m trimtab.problems.block_throughput.workload.shipping zen4 zen4.npz bhive.hex
    trimtab capture block_throughput --no-train --blocks bhive.hex --most 1600 --binaries ... --labels new.npz
    python -m trimtab.problems.block_throughput.workload.shipping zen5 zen5.npz zen4.npz new.npz
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from trimtab.core.errors import UsageError
from trimtab.data.catalogue import get_dataset

from .labelled import Labelled, read_labelled, write_labelled
from .public import bhive_blocks, zen4_labels

_NAME: Final = "trimtab.problems.block_throughput.workload.shipping"
PER_APPLICATION: Final = 3000  # blocks; a block counts for the first of its applications that has room


def make_zen4(seed: int = 0) -> Labelled:
    """A sample of the Zen 4 labels, the same number of each of BHive's applications as far as there are so many."""
    bhive, labels = bhive_blocks(), zen4_labels()
    where = {code: at for at, code in enumerate(bhive.code)}
    room: dict[str, int] = {}
    chosen: list[tuple[int, int]] = []
    for at in np.random.default_rng(seed).permutation(len(labels.code)).tolist():
        source = where.get(labels.code[at])
        if source is None:
            continue
        for application in bhive.applications[source]:
            if room.setdefault(application, PER_APPLICATION):
                room[application] -= 1
                chosen.append((at, source))
                break
    return Labelled(
        blocks=tuple(labels.code[at] for at, _ in chosen),
        cycles=labels.cycles[[at for at, _ in chosen]],
        application=tuple(",".join(bhive.applications[source]) for _, source in chosen),
        frequency=np.array([max(bhive.frequency[source]) for _, source in chosen]),
        cpu="AuthenticAMD-25-17",
        card={
            "title": "Measured throughput of basic blocks: a sample of BHive's blocks on Zen 4",
            "unit": "core cycles per iteration, unrolled",
            "licence": "blocks: MIT (c) 2019 MIT CSAIL, Google (ithemal/bhive 5f1d5007); labels: Apache-2.0",
            "command": f"python -m {_NAME} zen4",
            "seed": seed,
            "cpu": {"vendor": "AuthenticAMD", "family": "25", "model": "17", "virtual": "yes"},
            "clock": "tsc-calibrated",
            "tsc_ghz": 2.596,
            "core_ghz": 3.695,
            "sources": {
                file.name: file.sha256
                for name in ("zen4-throughput", "bhive-blocks")
                for file in get_dataset(name).files
            },
            "protocol": {
                "label": "mean of the closest pair of three passes gated by a sentinel, kept if they agree within 5 %",
                "memory": "a frame of its own for each touched page",
                "note": "made before this package's harness; RIP-relative operands were not fixed up",
            },
            "blocks": len(labels.code),
            "accepted": len(chosen),
        },
    )


def make_zen5(zen4: Labelled, measured: Sequence[Labelled]) -> Labelled:
    """Captured sets together; blocks that are in `zen4` get the application and the frequency that they have there."""
    known = {
        block: (app, often) for block, app, often in zip(zen4.blocks, zen4.application, zen4.frequency, strict=True)
    }
    rows: dict[bytes, tuple[float, str, float]] = {}
    for part in measured:
        if part.cpu != measured[0].cpu or part.notion != "U":
            raise UsageError(f"a set for {part.cpu}, notion {part.notion}, among sets for {measured[0].cpu}, notion U")
        for block, cycles, application, often in zip(
            part.blocks, part.cycles, part.application, part.frequency, strict=True
        ):
            application, often = known.get(block, (application, often))
            rows.setdefault(block, (float(cycles), application.partition(".so")[0], float(often)))
    card = {
        "title": "Measured throughput of basic blocks: BHive's and Debian's, on Zen 5",
        "unit": measured[0].card["unit"],
        "licence": "BHive's blocks: MIT (c) 2019 MIT CSAIL, Google; blocks of Debian's binaries: their packages' "
        "licences, for what single blocks can be protected; labels: Apache-2.0",
        "command": f"python -m {_NAME} zen5",
        "captures": [part.card for part in measured],
    }
    return replace(
        measured[0],
        blocks=tuple(rows),
        cycles=np.array([row[0] for row in rows.values()]),
        application=tuple(row[1] for row in rows.values()),
        frequency=np.array([row[2] for row in rows.values()]),
        card=card,
    )


def main(words: Sequence[str]) -> None:
    kind, output, *inputs = words
    if kind == "zen4":
        labelled = make_zen4()
        Path(inputs[0]).write_text("".join(f"{block.hex()}\n" for block in labelled.blocks))
    else:
        zen4, *measured = (read_labelled(Path(name)) for name in inputs)
        labelled = make_zen5(zen4, measured)
    write_labelled(Path(output), labelled)


if __name__ == "__main__":
    main(sys.argv[1:])
