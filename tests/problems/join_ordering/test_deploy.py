# SPDX-License-Identifier: Apache-2.0
"""``solve --dsn``: the whole way, on a server of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from trimtab.cli.main import cli
from trimtab.core.errors import InvalidInstance, UsageError
from trimtab.core.task import Budget, Task
from trimtab.problems.join_ordering import PROBLEM
from trimtab.problems.join_ordering.deploy import at, shape_of
from trimtab.problems.join_ordering.problem import JoinPlan
from trimtab.problems.join_ordering.rendering import deployable, render
from trimtab.problems.join_ordering.system.plans import ARMS, EnginePlan
from trimtab.problems.join_ordering.system.session import Session, catalogue_of
from trimtab.problems.join_ordering.workload.harvest import query_of

from .plans import random_plan

TEXT = """
SELECT m.name, count(*) AS n FROM package p, maintainer m, section s, depends d
WHERE p.maintainer_id = m.id AND p.section_id = s.id AND d.pkg_id = p.id AND s.name = 'libs'
GROUP BY m.name ORDER BY n DESC, m.name LIMIT 3
"""

Solve = Callable[..., Result]


@pytest.fixture
def solve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Solve:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "q.sql").write_text(TEXT)

    def run(*arguments: str, **more: Any) -> Result:
        return CliRunner().invoke(cli, ["solve", "join_ordering", *arguments], **more)

    return run


def test_plan_proof_and_password(solve: Solve, dsn: str, tmp_path: Path, server_log: Path):
    before = len(server_log.read_text())
    folder = dsn.split()[0].removeprefix("host=")
    url = f"postgresql://trimtab:hunter2@/postgres?host={folder}"
    done = solve("q.sql", "--seeds", "2", "--out", "made", "--json", env={"TRIMTAB_DSN": url})
    assert done.exit_code == 0, done.output
    assert "hunter2" not in done.output + done.stderr
    (answer,) = json.loads(done.stdout)["instances"]
    names = {solver["solver"] for solver in answer["solvers"]}
    assert {"postgresql", "hint:no_hashjoin", "dp", "goo"} <= names
    assert set(answer["solvers"][0]["metrics"]) == {"regression", "cost"}
    assert answer["table"][0].keys() == {"engine's own plan", "this plan"}
    assert answer["summary"].startswith(("faster: ", "no change: "))
    made = sorted(path.name for path in (tmp_path / "made").iterdir()) if (tmp_path / "made").exists() else []
    if answer["summary"].startswith("faster"):
        assert made == ["plan.sql", "proof.json"]
    else:
        assert "plan.sql" not in made
    for name in made:
        assert "hunter2" not in (tmp_path / "made" / name).read_text()
    words = set(re.findall(r"(?:statement|execute[^:]*): \(?\s*(\w+)", server_log.read_text()[before:]))
    assert words == {"SELECT", "EXPLAIN", "SET"}


def test_a_plan_that_wins_is_proven_and_one_that_loses_is_not_recommended(dsn: str, tmp_path: Path):
    problem = at(dsn)
    (tmp_path / "q.sql").write_text(TEXT)
    assert problem.parse is not None
    assert problem.render is not None
    (query,) = problem.parse([tmp_path / "q.sql"]).values()
    backend = problem.backend()
    slow = EnginePlan(random_plan(query, 0).joins, settings=(("enable_hashjoin", "off"), ("enable_mergejoin", "off"),
                      ("enable_indexscan", "off"), ("enable_bitmapscan", "off"), ("enable_indexonlyscan", "off"),
                      ("enable_material", "off"), ("enable_memoize", "off")))  # fmt: skip
    judged = backend.evaluate(query, slow, seed=0)
    assert judged.metrics["regression"] > 1.5
    rendered = problem.render(query, slow, backend, 0)
    assert rendered.summary.startswith("no change")
    assert "plan.sql" not in rendered.files
    proof = json.loads(rendered.files.get("proof.json", '{"rounds": 12}'))
    assert proof["rounds"] == 12


def test_the_same_plan_is_not_called_a_gain(dsn: str, tmp_path: Path):
    problem = at(dsn)
    (tmp_path / "q.sql").write_text(TEXT)
    assert problem.parse is not None
    assert problem.render is not None
    (query,) = problem.parse([tmp_path / "q.sql"]).values()
    own = EnginePlan(random_plan(query, 0).joins, forced=False)
    assert problem.backend().evaluate(query, own, seed=0).metrics["regression"] == 1.0
    rendered = problem.render(query, own, problem.backend(), 0)
    assert rendered.summary == "no change: the engine's own plan is the best that was tried"
    assert rendered.files == {}


@pytest.mark.parametrize("seed", range(4))
def test_what_is_recommended_runs_anywhere_and_gives_the_same_rows(seed: int, session: Session):
    """As psql would: the SET lines, the query, the settings back."""
    query = query_of(TEXT, "q", catalogue_of(session))
    plan = EnginePlan(random_plan(query, seed).joins, settings=ARMS["no_hashjoin"])
    lines = [line for line in deployable(query, plan).split(";\n") if line]
    assert [line.split()[0] for line in lines] == ["SET", "SET", "SELECT", "SET", "SET"]
    results = [session.rows(line) for line in lines]
    assert results[2] == session.rows(TEXT)
    assert session.rows("SELECT current_setting('join_collapse_limit')") == [("8",)]


def test_operators_that_bind_are_written_out(session: Session, dsn: str, tmp_path: Path):
    """The user's own query, with lookups as lateral subqueries: the same rows, grouped and ordered as before."""
    (tmp_path / "q.sql").write_text(TEXT)
    problem = at(dsn)
    assert problem.parse is not None
    (query,) = problem.parse([tmp_path / "q.sql"]).values()
    backend = problem.backend()
    plan = problem.solver("dp+bound").solve(Task(query, backend, Budget(0), 0))
    assert isinstance(plan, EnginePlan)
    assert plan.bound
    assert backend.evaluate(query, plan, seed=0).feasible
    text = deployable(query, plan)
    assert "OFFSET 0" in text
    lines = [line for line in text.split(";\n") if line]
    assert [session.rows(line) for line in lines if line.startswith("SELECT")] == [session.rows(TEXT)]


def test_what_a_subquery_would_hide_is_declined(dsn: str, tmp_path: Path):
    """A column may be selected beside the key it is grouped by, but not once a subquery is in between."""
    (tmp_path / "q.sql").write_text(
        "SELECT m.name, count(*) FROM package p, maintainer m WHERE p.maintainer_id = m.id GROUP BY m.id"
    )
    problem = at(dsn)
    assert problem.parse is not None
    (query,) = problem.parse([tmp_path / "q.sql"]).values()
    plan = problem.solver("dp+bound").solve(Task(query, problem.backend(), Budget(0), 0))
    judged = problem.backend().evaluate(query, plan, seed=0)
    assert not judged.feasible
    assert "can't be written so" in judged.note
    assert (
        problem.backend()
        .evaluate(query, problem.solver("dp").solve(Task(query, problem.backend(), Budget(0), 0)), seed=0)
        .feasible
    )


def test_a_harvest_with_counts_is_solved_too(solve: Solve, dsn: str):
    captured = CliRunner().invoke(cli, ["capture", "join_ordering", "q.sql", "--dsn", dsn, "-o", "q.jsonl"])
    assert captured.exit_code == 0, captured.output
    done = solve("q.jsonl", "--dsn", dsn, "--solver", "postgresql,dp", "--seeds", "1", "--json")
    assert done.exit_code == 0, done.output
    assert {s["solver"] for s in json.loads(done.stdout)["instances"][0]["solvers"]} == {"postgresql", "dp"}


def test_sql_alone_says_nothing_of_rows(solve: Solve):
    done = solve("q.sql")
    assert isinstance(done.exception, InvalidInstance)
    assert "--dsn URL" in str(done.exception)


def test_other_problems_deploy_to_no_database(tmp_path: Path):
    (tmp_path / "x.npz").write_bytes(b"")
    done = CliRunner().invoke(cli, ["solve", "cluster_scheduling", str(tmp_path / "x.npz"), "--dsn", "x"])
    assert isinstance(done.exception, UsageError)
    assert "deploys to no running system" in str(done.exception)


def test_without_a_server_a_plan_is_shown_and_written():
    query = next(iter(PROBLEM.instances("test").values()))
    plan = random_plan(query, 1)
    shown = render(query, plan, None, 0)
    assert shown.summary == plan.text(query)
    assert len(shown.table) == 2 * query.num_relations - 1
    flat = " ".join(str(shown.files["plan.sql"]).split())
    assert flat.startswith("SET join_collapse_limit = '1'; SELECT COUNT(*) FROM ")
    assert flat.endswith("SET join_collapse_limit TO DEFAULT;")


def test_the_shape_of_a_plan_has_no_numbers():
    node = {"Node Type": "Hash Join", "Plan Rows": 5, "Plans": [{"Node Type": "Seq Scan", "Alias": "a"}]}
    assert shape_of(node) == shape_of({**node, "Plan Rows": 9, "Total Cost": 1.0})
    assert shape_of(node) != shape_of({**node, "Node Type": "Merge Join"})


def test_a_flaw_is_said(dsn: str, tmp_path: Path):
    problem = at(dsn)
    (tmp_path / "q.sql").write_text(TEXT)
    assert problem.parse is not None
    (query,) = problem.parse([tmp_path / "q.sql"]).values()
    outcome = problem.backend().evaluate(query, JoinPlan.of(((1, 2), (0, 3))), seed=0)  # maintainer x section
    assert not outcome.feasible
    assert "cross product" in outcome.note
