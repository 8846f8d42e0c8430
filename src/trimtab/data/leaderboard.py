# SPDX-License-Identifier: Apache-2.0
"""A real table of results on which trimtab's own statistics are tested: it belongs to no problem."""

from __future__ import annotations

from typing import Final

from .catalogue import Column, Dataset, File

DATASETS: Final = (
    Dataset(
        name="compilergym-leaderboard",
        version="1",
        description="All published runs of CompilerGym's leaderboard for LLVM instruction count: 11 methods on the 23 "
        "programs of cBench, 1 or 10 repetitions.",
        licence="MIT",
        licence_url="https://github.com/facebookresearch/CompilerGym/blob/development/LICENSE",
        origin="https://github.com/facebookresearch/CompilerGym/tree/"
        "00cd50fd38f8fe06c1f571f336876d8af63ddf1b/leaderboard/llvm_instcount",
        provenance="leaderboard/llvm_instcount/*/*.csv as one table, without the lists of passes.",
        citation="Cummins et al.: CompilerGym: Robust, Performant Compiler Optimization Environments for AI Research. "
        "CGO 2022. https://arxiv.org/abs/2109.08267",
        creators=("Meta Platforms, Inc.", "the submitters"),
        published="2022-11-11",
        files=(
            File(
                name="compilergym_leaderboard.parquet",
                size=22_685,
                sha256="f6f1f4387b7e5b74a0bcf844da37a9ee8815db9209cbdc5a514518a34beadfb5",
                media_type="application/vnd.apache.parquet",
                description="One row per run.",
                columns=(
                    Column("method", "string", "the submission"),
                    Column("program", "string", "cBench program"),
                    Column("repetition", "integer", "from 0"),
                    Column("instruction_count_reduction_vs_Oz", "number", "-Oz / achieved: more is better"),
                    Column("walltime_s", "number", "s of search"),
                ),
            ),
        ),
        stats={"methods": "11", "programs": "23", "runs": "1,701"},
    ),
)
