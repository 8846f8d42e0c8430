# SPDX-License-Identifier: Apache-2.0
"""The cards of the data that block_throughput can use, besides the labels that the package ships."""

from __future__ import annotations

from typing import Final

from trimtab.data.catalogue import Column, Dataset, File

PARQUET = "application/vnd.apache.parquet"
HEX: Final = Column("hex", "string", "the block's machine code (x86-64), in hexadecimal digits")

BHIVE: Final = Dataset(
    name="bhive-blocks",
    version="1",
    description="The basic blocks of BHive: machine code of nine families of applications, with how often each was "
    "executed. Blocks alone: the measurements that BHive published are not in the public copy of its repository.",
    licence="MIT",
    licence_url="https://github.com/ithemal/bhive/tree/5f1d5007",
    origin="https://github.com/ithemal/bhive/tree/5f1d5007/benchmark/sources",
    provenance="The CSV files of benchmark/sources (112 of 113: clang.csv is absent) and may-alias.csv, one row per "
    "different block; applications and frequencies of one block are lists.",
    citation="Chen, Brahmakshatriya, Mendis, Renda, Atkinson, Sykora, Amarasinghe, Carbin: BHive: A Benchmark Suite "
    "and Measurement Framework for Validating x86-64 Basic Block Performance Models. IISWC 2019. "
    "https://doi.org/10.1109/IISWC47752.2019.9042166",
    creators=(
        *("Yishen Chen", "Ajay Brahmakshatriya", "Charith Mendis", "Alex Renda", "Eric Atkinson", "Ondřej Sýkora"),
        *("Saman Amarasinghe", "Michael Carbin"),
    ),
    published="2019-11-03",
    files=(
        File(
            name="bhive_blocks.parquet",
            size=2_371_217,
            sha256="fadfd047c090aea2ef5dcd2c9c91e1a6793a0dbaba842eb194110e1e4f3c9132",
            media_type=PARQUET,
            description="One row per block. The column bhive_may_alias (a truth value) is BHive's own flag of blocks "
            "whose memory accesses may alias.",
            columns=(
                HEX,
                Column("apps", "string", "list: the programs that have the block, such as openblas-sgemm.goto"),
                Column("static_freq", "number", "list, beside apps: the block's share of that program's blocks"),
                Column("n_bytes", "integer", "length, B"),
                Column("n_instr", "integer", "instructions"),
                Column("bhive_may_alias", "boolean", "BHive's list has it as a block whose accesses may alias"),
            ),
        ),
    ),
    stats={"blocks": "125,291", "application families": "9", "instructions a block": "median 4, 99 % 43, most 256"},
)

ZEN4: Final = Dataset(
    name="zen4-throughput",
    version="1",
    description="BHive's blocks timed on an AMD Zen 4 core (family 25, model 17): core cycles per iteration in steady "
    "state, the block unrolled, each touched virtual page backed by a frame of its own.",
    licence="Apache-2.0",
    licence_url="https://www.apache.org/licenses/LICENSE-2.0",
    origin="https://github.com/ithemal/bhive/tree/5f1d5007/benchmark/sources",
    provenance="Measured by the developers of trimtab in a KVM guest without performance counters (core 3.695 GHz, "
    "time-stamp counter 2.596 GHz): difference of two unrollings, windows kept only while a sentinel kernel runs at "
    "full speed, three passes; the label is the mean of the closest pair where that agrees within 5 %.",
    citation="The trimtab developers: throughput of 107,687 basic blocks on AMD Zen 4. 2026.",
    creators=("The trimtab developers",),
    published="2026-11-27",
    files=(
        File(
            name="zen4_throughput.parquet",
            size=2_947_576,
            sha256="54cb1a61b8db57430284b79715cc6d9b64f75330c33563900e5be1582e0505f3",
            media_type=PARQUET,
            description="One row per block that was tried. `cycles` is empty where no two passes agreed.",
            columns=(
                HEX,
                Column("status", "string", "of the first pass: ok, or why it could not run"),
                Column("cycles_pass1", "number", "cycles, first pass, ungated: no truth, kept to show the noise"),
                Column("cycles", "number", "core cycles per iteration: the label"),
                Column("spread", "number", "relative difference of the closest pair of passes"),
                Column("n_passes", "number", "gated passes that gave a value"),
                Column("unroll", "number", "copies of the block in the shorter unrolling"),
                Column("pages_touched", "number", "virtual pages of 4 KiB that the block touched"),
            ),
        ),
    ),
    stats={"blocks tried": "111,894", "labels": "107,687", "cycles": "median 1.00, 90 % 6.1, 99 % 29.0"},
)

HASWELL: Final = Dataset(
    name="ithemal-haswell-sample",
    version="1",
    description="1,000 basic blocks with the throughput that Ithemal's authors measured on Intel Haswell: a reference "
    "to check tools against, not training data.",
    licence="none stated by the origin (its sister repositories are MIT): for your own use; ask before passing it on",
    licence_url="https://github.com/ithemal/Ithemal-models",
    origin="https://github.com/ithemal/Ithemal-models/tree/87c24688/paper/data",
    provenance="haswell_sample1000.data (a pickle, read without loading any class) as a table; not redistributed.",
    citation="Mendis, Renda, Amarasinghe, Carbin: Ithemal: Accurate, Portable and Fast Basic Block Throughput "
    "Estimation using Deep Neural Networks. ICML 2019. https://arxiv.org/abs/1808.07412",
    creators=("Charith Mendis", "Alex Renda", "Saman Amarasinghe", "Michael Carbin"),
    published="2019-06-09",
    files=(
        File(
            name="ithemal_haswell_sample1000.parquet",
            size=48_851,
            sha256="d19493dd99da4a2dc07a162c33f3a654024143ec159551872866cbed886faacf",
            media_type=PARQUET,
            description="One row per block.",
            columns=(
                Column("code_id", "integer", "the origin's number of the block"),
                Column("asm_intel", "string", "assembly text in DynamoRIO's flavour of Intel syntax"),
                Column("cycles_per_iter", "number", "core cycles per iteration on Haswell"),
            ),
        ),
    ),
    stats={"blocks": "1,000"},
)

DATASETS: Final = (BHIVE, ZEN4, HASWELL)
