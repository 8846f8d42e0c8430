# SPDX-License-Identifier: Apache-2.0
"""The cards of the public data that join_ordering can use."""

from __future__ import annotations

from typing import Final

from trimtab.data.catalogue import Dataset, File

XZ: Final = "application/x-xz"

JOB: Final = Dataset(
    name="job-true-cardinalities",
    version="1",
    description="Exact COUNT(*) of every connected subset of two relations or more of 1,183 queries on IMDB: JOB-M "
    "(JOB's 113 queries without repeated aliases), JOB-light and JOB-light-ranges.",
    licence="Apache-2.0",
    licence_url="https://github.com/kylebd99/SafeBound/blob/main/LICENSE",
    origin="https://github.com/kylebd99/SafeBound/tree/174428e4/StatObjects",
    provenance="TrueCardinality_*.pkl beside the queries' SQL, read with a restricted unpickler, as lines of JSON. "
    "A value written as a float is an upper bound: its count timed out.",
    citation="Deeds, Suciu, Balazinska: SafeBound: A Practical System for Generating Cardinality Bounds. "
    "SIGMOD 2023. https://doi.org/10.1145/3588907",
    creators=("Kyle Deeds", "Dan Suciu", "Magdalena Balazinska"),
    published="2023-05-30",
    files=(
        File("job_m_true_cards.jsonl.xz", 33_244, "18b75d8453b9a14355bd05ccc59489069711a8ff9de78f1a9e97eac8043cc2e2",
             XZ, "113 queries of 2 to 11 relations, 9,472 subsets, 1 of them a bound."),
        File("job_light_true_cards.jsonl.xz", 3_484, "dc00930b599c1df28d94da75b2c9ed534687bf94f22856b09a9bc0012d671da4",
             XZ, "70 queries of 2 to 5 relations, 696 subsets, 1 of them a bound."),
        File("job_light_ranges_true_cards.jsonl.xz", 52_724,
             "8b2abf77ac13ffa89e4bc451108e87538d9e8c9b615d7e4c030423cdb29b7b12",
             XZ, "1,000 queries of 2 to 5 relations, 10,230 subsets, 163 of them bounds."),
    ),
    stats={"queries": "1,183", "subsets": "20,398", "bounds": "165"},
)  # fmt: skip

STATS: Final = Dataset(
    name="stats-ceb",
    version="1",
    description="STATS-CEB: 146 queries on a StackExchange dump with exact COUNT(*) of their connected subsets, and "
    "what four learned estimators say of them.",
    licence="queries and estimates: none stated; counts: Apache-2.0; derived from StackExchange data (CC BY-SA). "
    "For your own use; ask before passing them on",
    licence_url="https://github.com/Nathaniel-Han/End-to-End-CardEst-Benchmark",
    origin="https://github.com/Nathaniel-Han/End-to-End-CardEst-Benchmark/tree/670cb8d4",
    provenance="workloads/stats_CEB and estimates of that repository, and TrueCardinality_Stats.pkl of "
    "kylebd99/SafeBound 174428e4, as lines of JSON. A value written as a float is an upper bound: its count timed out.",
    citation="Han et al.: Cardinality Estimation in DBMS: A Comprehensive Benchmark Evaluation. PVLDB 15(4), 2021. "
    "https://doi.org/10.14778/3503585.3503586",
    creators=("Yuxing Han", "Ziniu Wu", "Kyle Deeds"),
    published="2021-12-01",
    files=(
        File("stats_ceb_true_cards.jsonl.xz", 16_720,
             "30ccd0a2cdddd2b439af86cdf6c3800a543a96ad4fd47dff3fbbadf5406bc0f3",
             XZ, "146 queries, 2,577 subsets of two relations or more, 50 of them bounds."),
        File("stats_ceb_queries.jsonl.xz", 5_436, "44163f93bd72f1955b2b64ea76958e64674aaa184a83b296f8cf30c161b42fda",
             XZ, "The same queries with the published counts of their results."),
        File("stats_ceb_single_table_true_cards.jsonl.xz", 6_948,
             "2f4483fcc25a423bc3a56f8f4768ea56533e187b286f3060cf3cb8aa1615640f",
             XZ, "632 counts of single tables under the queries' predicates."),
        File("stats_ceb_subqueries_estimates.jsonl.xz", 105_416,
             "7110ad213c7e650b73f56aebe2cd7006de79b0d82c3c033b9071b24366b11e3e",
             XZ, "2,603 sub-plans: what BayesCard, DeepDB, FLAT and NeuroCard estimate."),
    ),
    stats={"queries": "146", "subsets": "2,577", "bounds": "50"},
)  # fmt: skip

APTDB: Final = Dataset(
    name="aptdb-queries",
    version="1",
    description="30 generated queries on the Debian package index (bookworm): exact COUNT(*) and PostgreSQL 15's "
    "estimate of all 1,432 connected subsets.",
    licence="Apache-2.0",
    licence_url="https://www.apache.org/licenses/LICENSE-2.0",
    origin="made for trimtab",
    provenance="Counts by DuckDB, estimates by EXPLAIN of PostgreSQL 15.18 after ANALYZE.",
    citation="The trimtab developers: aptdb.",
    creators=("The trimtab developers",),
    published="2026-11-27",
    files=(
        File("aptdb_queries_true_and_pg_cards.jsonl.xz", 11_628,
             "aae6b57d57c2d9cdb723ce72f38b640b31fb554d6b2bae21e6065880ae914566",
             XZ, "30 queries of 4 to 8 relations."),
    ),
    stats={"queries": "30", "subsets": "1,432"},
)  # fmt: skip

DATASETS: Final = (JOB, STATS, APTDB)
