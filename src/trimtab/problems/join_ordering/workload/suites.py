# SPDX-License-Identifier: Apache-2.0
"""The named sets of instances. Splits are made by template, so no query is tested whose like was learnt from.

===================  =========================================================================  ===========
suite                an instance                                                                relations
===================  =========================================================================  ===========
(shipped)            a query on the Debian package index; solvers see PostgreSQL's estimates    4 to 8
aptdb-true           the same; solvers see the counts                                           4 to 8
aptdb-cm1 ...        the same under the cost models of DQ: -cm2, -cm3                           4 to 8
stats                STATS-CEB whose counts are all exact; solvers see the counts               2 to 7
stats-cm1 ...        the same under the cost models of DQ: -cm2, -cm3                           2 to 7
stats-bayescard ...  the same with a published estimator's numbers: -deepdb, -flat, -neurocard  2 to 7
job-m                JOB-M (no repeated aliases: not JOB); counts of two relations or more      2 to 11
job-light            JOB-light                                                                  2 to 5
job-light-ranges     JOB-light-ranges                                                           2 to 5
bounds               the queries of all these in which a count timed out: bounds stand in       2 to 11
large                generated, see `large.py`                                                  20 to 60
dq                   aptdb-true, stats, large, and generated ones of 6 to 9: DQ is trained on   2 to 60
===================  =========================================================================  ===========
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from hashlib import blake2b
from pathlib import Path
from typing import Final

from trimtab.core.problem import Split

from ..problem import JoinQuery
from . import staged
from .files import load_queries
from .large import SIZES, generated

SHIPPED: Final = Path(__file__).parents[1] / "shipped" / "aptdb.jsonl.xz"

Queries = Mapping[str, JoinQuery]

#: Queries of each family and size of the suite `large`.
EACH: Final[Mapping[Split, int]] = {"train": 4, "validation": 1, "test": 3}


def split_of(query: JoinQuery) -> Split:
    """By a hash of the template: half train, a sixth validation, a third test."""
    place = blake2b(query.template.encode(), digest_size=8).digest()[0] % 12
    return "train" if place < 6 else "validation" if place < 8 else "test"


def only(queries: Queries, split: Split) -> Queries:
    return {name: query for name, query in queries.items() if split_of(query) == split}


@cache
def shipped(split: Split) -> Queries:
    """What comes with trimtab: nothing to fetch."""
    return only(load_queries(SHIPPED), split)


@cache
def seen(split: Split) -> Queries:
    """The shipped queries without estimates: who plans sees the counts."""
    return {name: replace(query, estimates=None) for name, query in shipped(split).items()}


@cache
def _exact(load: Callable[[], Queries], split: Split) -> Queries:
    return only({name: query for name, query in load().items() if query.cardinalities.exact}, split)


@cache
def _estimated(estimator: str, split: Split) -> Queries:
    """Those whose counts are all exact and of which the estimator says everything."""
    queries = staged.stats(estimator).items()
    return only({name: query for name, query in queries if query.cardinalities.exact and covers(query)}, split)


def covers(query: JoinQuery) -> bool:
    """Whether both sets of row counts list every connected subset."""
    connected = [s for s in range(1, query.everything + 1) if _connected(query, s)]
    return all(
        cards is not None and all(cards.get(s) is not None for s in connected)
        for cards in (query.cardinalities, query.estimates)
    )


def _connected(query: JoinQuery, subset: int) -> bool:
    reached, before = subset & -subset, 0
    while reached != before:
        before = reached
        for i in range(query.num_relations):
            if reached >> i & 1:
                reached |= int(query.neighbours[i]) & subset
    return reached == subset


@cache
def bounds(split: Split) -> Queries:
    everything: dict[str, JoinQuery] = {}
    for load in (*_JOB.values(), staged.stats):
        everything |= {name: query for name, query in load().items() if not query.cardinalities.exact}
    return only(everything, split)


@cache
def large(split: Split) -> Queries:
    return generated("large", split, SIZES, EACH[split])


@cache
def dq(split: Split) -> Queries:
    """What the shipped network of DQ is trained on: all of these, by their counts."""
    small = generated("small", split, (6, 7, 8, 9), EACH[split])
    return {**seen(split), **_stats(split), **small, **large(split)}


@cache
def _under(model: str, suite: Callable[[Split], Queries], split: Split) -> Queries:
    return {name: replace(query, cost_model=model) for name, query in suite(split).items()}


_stats: Final[Callable[[Split], Queries]] = partial(_exact, staged.stats)

#: The cost models of Krishnan et al. 2018.
DQ_MODELS: Final = ("cm1", "cm2", "cm3")

_JOB: Final[Mapping[str, Callable[[], Queries]]] = {
    "job-m": partial(staged.job, "job_m"),
    "job-light": partial(staged.job, "job_light"),
    "job-light-ranges": partial(staged.job, "job_light_ranges"),
}

SUITES: Final[Mapping[str, Callable[[Split], Queries]]] = {
    "aptdb-true": seen,
    "stats": _stats,
    **{f"aptdb-{model}": partial(_under, model, seen) for model in DQ_MODELS},
    **{f"stats-{model}": partial(_under, model, _stats) for model in DQ_MODELS},
    **{f"stats-{name}": partial(_estimated, name) for name in staged.ESTIMATORS},
    **{name: partial(_exact, load) for name, load in _JOB.items()},
    "bounds": bounds,
    "large": large,
    "dq": dq,
}
