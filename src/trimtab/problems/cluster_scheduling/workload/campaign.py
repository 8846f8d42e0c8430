# SPDX-License-Identifier: Apache-2.0
"""Recording TPC-H on a real Spark: each query at each scale factor and level, several times.

The event logs in the working folder are all the state there is: what they hold
is finished, and the next call runs the rest.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..problem import JobProfile
from . import spark_tpch
from .spark_log import SparkLog, combined
from .spark_runs import Application, read_application


@dataclass(frozen=True)
class Campaign:
    """TPC-H queries to be run: each at each scale factor and level, several times."""

    scales: tuple[float, ...]
    levels: tuple[int, ...]
    queries: tuple[str, ...]
    repeats: int
    memory: str  # of the JVM: "2g"

    @property
    def names(self) -> frozenset[str]:
        """Of the jobs."""
        return frozenset(spark_tpch.job_name(scale, query) for scale in self.scales for query in self.queries)

    @property
    def runs(self) -> int:
        return len(self.scales) * len(self.levels) * len(self.queries) * self.repeats


Report = Callable[[int, str], None]  # runs that are done, what runs now


def capture_tpch(campaign: Campaign, work: Path, report: Report = lambda done, now: None) -> SparkLog:
    """Run what is missing of a campaign in `work`; all its runs.

    A first pass over the queries, not recorded, lets the JVM compile its code.
    """
    logs = work / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    missing = _missing(campaign, finished(campaign, logs))
    done = campaign.runs - len(missing)
    if missing:
        report(done, "generating tables")
        data = {scale: spark_tpch.generate(scale, work / "data") for scale in campaign.scales}
        report(done, "warming up")
        _warm_up(campaign, work, data)
    for scale in campaign.scales:
        for level in campaign.levels:
            todo = [query for at, cores, query in missing if (at, cores) == (scale, level)]
            for name in _recorded(todo, scale, level, campaign, work) if todo else ():
                report(done, f"{name} on {level}")
                done += 1
    return combined(finished(campaign, logs))


def finished(campaign: Campaign, logs: Path) -> list[Application]:
    """What a folder's logs hold of a campaign; one that broke off, as far as it goes."""
    found = []
    for path in sorted(logs.iterdir()):
        if path.name[0] != ".":
            application = read_application([path], unfinished="drop")
            if application.slots in campaign.levels:
                application.runs = [run for run in application.runs if run.name in campaign.names]
                found.append(application)
    return found


def _missing(campaign: Campaign, there: Sequence[Application]) -> list[tuple[float, int, str]]:
    """(scale, level, query) of every run that is left, repeat by repeat, each in another order."""
    found = Counter((run.name, application.slots) for application in there for run in application.runs)
    left = []
    for repeat in range(campaign.repeats):
        queries = list(campaign.queries)
        random.Random(repeat).shuffle(queries)
        for scale in campaign.scales:
            for level in campaign.levels:
                wanted = [(spark_tpch.job_name(scale, query), query) for query in queries]
                left += [(scale, level, query) for name, query in wanted if found[name, level] <= repeat]
    return left


def _warm_up(campaign: Campaign, work: Path, data: dict[float, Path]) -> None:
    scale = max(campaign.scales)
    with spark_tpch.session(max(campaign.levels), work, spark_driver_memory=campaign.memory) as session:
        spark_tpch.open_tables(session, scale, data[scale])
        for query in campaign.queries:
            session.sql(spark_tpch.query(query)).collect()


def _recorded(queries: Sequence[str], scale: float, level: int, campaign: Campaign, work: Path) -> Iterator[str]:
    """Run queries one after another with an event log; yields each name before it runs."""
    settings = {**spark_tpch.event_log(work / "logs"), "spark_driver_memory": campaign.memory}
    with spark_tpch.session(level, work, **settings) as session:
        spark_tpch.open_tables(session, scale, spark_tpch.generate(scale, work / "data"))
        for query in queries:
            name = spark_tpch.job_name(scale, query)
            yield name
            session.sparkContext.setJobDescription(name)
            session.sql(spark_tpch.query(query)).collect()
            session.sparkContext.setJobDescription(None)


def tpch_profiles(log: SparkLog) -> list[JobProfile]:
    """A campaign's profiles, lightest scale first; those of a query are one group ("q5")."""
    named = [(profile, spark_tpch.parse_job_name(profile.name.partition("#")[0])) for profile in log.profiles]
    named.sort(key=lambda entry: (entry[1][0], spark_tpch.QUERIES.index(entry[1][1])))
    return [replace(profile, group=query) for profile, (_, query) in named]
