# SPDX-License-Identifier: Apache-2.0
"""The cards of the public data that runtime_tuning can use."""

from __future__ import annotations

from typing import Final

from trimtab.data.catalogue import Dataset, File

_XZ: Final = "application/x-xz"

KNOBS: Final = Dataset(
    name="knob-measurements",
    version="1",
    description="1,500 random configurations each of xz (8 LZMA options; bytes and CPU seconds for one input of "
    "120,000 bytes) and of SQLite (12 pragmas and ways of inserting; CPU seconds).",
    licence="Apache-2.0",
    licence_url="https://www.apache.org/licenses/LICENSE-2.0",
    origin="made for trimtab",
    provenance="Measured with liblzma and SQLite of Python 3.11 on two shared cores: [configuration, bytes, CPU s] and "
    "[configuration, CPU s], one line of JSON a run. No configuration was run twice, so they tell nothing of noise.",
    citation="The trimtab developers: knob measurements.",
    creators=("The trimtab developers",),
    published="2026-11-27",
    files=(
        File("xz_knobs_1500.jsonl.xz", 24_084, "b3c6f1eb399084000295fae7bb74e4473721b0fc1361fc31bd21f2e292d506d5",
             _XZ, "1,500 runs of xz: [configuration, bytes, CPU s]."),
        File("sqlite_knobs_1500.jsonl.xz", 27_928, "f71ed12a4066f4e96298e5cad3ab80e54bc76187dead146db3b848df4edd703c",
             _XZ, "1,500 runs of SQLite: [configuration, CPU s]."),
    ),
    stats={"configurations": "3,000"},
)  # fmt: skip

DATASETS: Final = (KNOBS,)
