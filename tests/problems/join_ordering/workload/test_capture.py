# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from trimtab.core.errors import InvalidInstance, TrimtabError, UsageError
from trimtab.problems.join_ordering.problem import ESTIMATE, EXACT
from trimtab.problems.join_ordering.system.session import Address, Session, catalogue_of, connect
from trimtab.problems.join_ordering.workload.capture import command
from trimtab.problems.join_ordering.workload.capture_counts import Log, harvest, read_queries_of, with_counts
from trimtab.problems.join_ordering.workload.files import load_queries

TEAM = """-- who maintains libraries?
SELECT m.name, count(*) FROM package p JOIN maintainer m ON p.maintainer_id = m.id, section s
WHERE p.section_id = s.id AND s.name = 'libs' GROUP BY m.name;
"""
LONG = "SELECT count(*) FROM depends a, depends b, depends c, depends d WHERE a.kind_id = b.kind_id AND b.kind_id = c.kind_id AND c.kind_id = d.kind_id"  # noqa: E501


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    folder = tmp_path / "queries"
    folder.mkdir()
    (folder / "team.sql").write_text(TEAM)
    (folder / "none.sql").write_text(
        "SELECT 1 FROM package p, section s WHERE p.section_id = s.id AND s.name = 'absent'"
    )
    return folder


def capture(*arguments: str | Path, env: Mapping[str, str] | None = None) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments], env=env)


def quiet(done: int, total: int, what: str) -> None:
    pass


def test_counts_and_estimates_of_the_users_queries(queries: Path, dsn: str, tmp_path: Path, session: Session):
    output = tmp_path / "out.jsonl"
    done = capture(queries, "--dsn", dsn, "-o", output, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["queries"] == 2
    found = load_queries(output)
    team = found["team"]
    assert team.cardinalities.exact
    (rows,) = session.rows("SELECT count(*) FROM package p, section s WHERE p.section_id = s.id AND s.name = 'libs'")[0]
    assert team.cardinalities.get(team.bitset(["p", "s"])) == rows
    assert team.estimates is not None
    assert team.estimates.get(1) == 400
    none = found["none"]  # 0 rows are a count like any other
    assert none.cardinalities.get(none.everything) == 0
    assert none.cardinalities.exact


def test_nothing_but_reading_was_sent(queries: Path, dsn: str, tmp_path: Path, server_log: Path):
    before = len(server_log.read_text())
    assert capture(queries, "-o", tmp_path / "out.jsonl", env={"TRIMTAB_DSN": dsn}).exit_code == 0
    words = set(re.findall(r"(?:statement|execute[^:]*): \(?\s*(\w+)", server_log.read_text()[before:]))
    assert words == {"SELECT", "EXPLAIN", "SET"}


def test_a_server_that_goes_away_in_the_middle(queries: Path, dsn: str, tmp_path: Path):
    log = Log(tmp_path / "x.counts.jsonl")
    with connect(Address(dsn)) as session, connect(Address(dsn)) as other:
        made = read_queries_of(session, [queries], catalogue_of(session))
        pid = session.rows("SELECT pg_backend_pid()")[0][0]

        def cut(done: int, total: int, what: str) -> None:
            if done == 4:
                other.rows(f"SELECT pg_terminate_backend({pid})")

        with pytest.raises(TrimtabError, match=r"went away .*; 4 of 9 counts are kept in .*x\.counts\.jsonl") as error:
            harvest(session, made, log, seconds=10, progress=cut)
    assert "the same command goes on" in str(error.value)
    log.path.write_text(log.path.read_text() + '{"query": "cut sho')  # a crash in the middle of a line
    again, counted = Log(log.path), []
    assert len(again.answers) == 4
    with connect(Address(dsn)) as session:
        harvest(session, made, again, seconds=10, progress=quiet)
        counted = [key for key in again.answers if key not in log.answers]
    assert len(counted) == 5
    assert all(known is not None and known.cardinalities.exact for q in made if (known := with_counts(q, again, "v")))


def test_a_count_that_times_out_stays_an_estimate_and_is_tried_again_with_more_time(dsn: str, tmp_path: Path):
    path = tmp_path / "long.sql"
    path.write_text(LONG)
    output = tmp_path / "out.jsonl"
    done = capture(path, "--dsn", dsn, "-o", output, "--count-seconds", "0.2")
    assert done.exit_code == 0, done.output
    assert "timed out" in done.output
    query = load_queries(output)["long"]
    kinds = dict(zip(query.cardinalities.subsets.tolist(), query.cardinalities.kinds.tolist(), strict=True))
    assert kinds[1] == EXACT
    assert kinds[query.everything] == ESTIMATE
    assert query.estimates is not None
    assert query.cardinalities.get(query.everything) == query.estimates.get(query.everything)
    log = Log(tmp_path / "out.counts.jsonl")
    late = [key for key, answer in log.answers.items() if answer["rows"] is None]
    assert late
    assert all(log.known(*key, 0.2) and not log.known(*key, 5) for key in late)


def test_an_edited_query_is_counted_anew(queries: Path, dsn: str, tmp_path: Path):
    output = tmp_path / "out.jsonl"
    capture(queries / "team.sql", "--dsn", dsn, "-o", output)
    before = load_queries(output)["team"]
    (queries / "team.sql").write_text(TEAM.replace("'libs'", "'games'"))
    capture(queries / "team.sql", "--dsn", dsn, "-o", output)
    after = load_queries(output)["team"]
    assert not np.array_equal(before.cardinalities.rows, after.cardinalities.rows)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT FROM WHERE", "syntax error"),
        ("SELECT 1 FROM package p, sections s WHERE p.section_id = s.id", "no table 'sections' in the database"),
        ("SELECT 1 FROM package, section", "cross product"),
        ("SELECT 1 FROM package p, section s WHERE p.section_id = s.id AND p.name = 5", "query 'bad'"),
    ],
)
def test_a_bad_query_is_named(text: str, said: str, dsn: str, tmp_path: Path):
    (tmp_path / "bad.sql").write_text(text)
    done = capture(tmp_path / "bad.sql", "--dsn", dsn, "-o", tmp_path / "out.jsonl")
    assert isinstance(done.exception, InvalidInstance)
    assert said in str(done.exception)
    assert "bad" in str(done.exception)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give .sql files and --dsn"),
        (["--aptdb", "--tpch", "1"], "one of --aptdb, --tpch and --tpcds"),
        (["--packages", "x"], "goes with --aptdb"),
        (["--aptdb", "-o", "x.csv"], "ends in .jsonl"),
    ],
)
def test_requests_that_make_no_sense(arguments: Sequence[str], said: str):
    done = capture(*arguments)
    assert isinstance(done.exception, UsageError)
    assert said in str(done.exception)


def test_a_log_of_something_else_is_refused(tmp_path: Path):
    (tmp_path / "x.jsonl").write_text('{"a": 1}\n')
    with pytest.raises(InvalidInstance, match="line 1: not a line of a harvest"):
        Log(tmp_path / "x.jsonl")


def test_a_made_database_from_a_packages_file(tmp_path: Path, monkeypatch: Any, dsn: str):
    """The whole way of --aptdb, on a small index; `dsn` stands for: PostgreSQL is here."""
    from ..packages import small_index

    monkeypatch.setenv("TRIMTAB_CACHE", str(tmp_path / "cache"))
    stanzas = ["".join(f"{key}: {value}\n" for key, value in fields.items()) for fields in small_index(300)]
    (tmp_path / "Packages").write_text("\n".join(stanzas))
    output = tmp_path / "apt.jsonl.xz"
    done = capture(
        "--aptdb", "--packages", tmp_path / "Packages", "--templates", "2", "--each", "1", "-o", output, "--json"
    )
    assert done.exit_code == 0, done.output
    made = load_queries(output)
    assert len(made) == 2
    assert all(query.estimates is not None and query.cardinalities.exact for query in made.values())
    card = json.loads((tmp_path / "apt.card.json").read_text())
    assert card["queries"] == 2
    assert card["command"].startswith("trimtab capture join_ordering --aptdb --templates 2 --each 1")
