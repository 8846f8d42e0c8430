# SPDX-License-Identifier: Apache-2.0
"""A plan for the user: beside the engine's own, as SQL, and with a proof."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from trimtab.core.problem import Rendering

from .problem import OPERATORS, JoinPlan, JoinQuery, Tree
from .sql.rewrite import rewrite
from .system.measure import Comparison, compare, interleave, milliseconds
from .system.plans import settings_of
from .system.postgresql import statement
from .system.session import set_line

if TYPE_CHECKING:
    from .deploy import Deployed

ROUNDS: Final = 12  # of the proof

#: A gain below this is not worth a change, however sure it is.
LEAST_GAIN: Final = 0.03


def render(query: JoinQuery, plan: JoinPlan, backend: Any, seed: int) -> Rendering:
    """Without a server: the tree, and the query with its joins in that order."""
    lines = tree_lines(query, plan)
    files = {"plan.txt": "\n".join(lines) + "\n"}
    if query.sql:
        files["plan.sql"] = deployable(query, plan)
    return Rendering(plan.text(query), [{"plan": line} for line in lines], files)


def render_deployed(query: JoinQuery, plan: JoinPlan, backend: Deployed, seed: int) -> Rendering:
    """The proof is measured here, in fresh rounds: the ones by which the plan was chosen would flatter it."""
    engine = backend.server.engine
    own, here = backend.shape(query, None), backend.shape(query, plan)
    root = engine.session.plan(statement(query, None))
    if own == here:
        return Rendering("no change: the engine's own plan is the best that was tried", _side_by_side(root, root))
    with engine.session.settings(dict(settings_of(plan))):
        other = engine.session.plan(statement(query, plan))
    limit = backend.limit_ms(query)
    runs = [lambda: engine.run(query, plan, limit), lambda: engine.run(query, None, limit)]
    samples = interleave(runs, ROUNDS, seed + 1)
    verdict = compare(milliseconds(samples[0]), milliseconds(samples[1]))
    won = verdict.high < 1 - LEAST_GAIN and not any(sample.censored for sample in samples[0])
    proof = {
        "query": query.name, "unit": engine.unit, "rounds": ROUNDS, "ratio": verdict.ratio,
        "interval_95": [verdict.low, verdict.high], "verdict": "faster" if won else "no change",
        "plan_ms": [sample.ms for sample in samples[0]], "own_ms": [sample.ms for sample in samples[1]],
    }  # fmt: skip
    files = {"proof.json": json.dumps(proof, indent=1) + "\n"}
    said = _said(verdict, won, engine.unit)
    if won:
        files["plan.sql"] = "".join(f"-- {line}\n" for line in said.splitlines()) + deployable(query, plan)
        said += "\n\n" + deployable(query, plan)
    return Rendering(said, _side_by_side(root, other), files)


def deployable(query: JoinQuery, plan: JoinPlan) -> str:
    """SET lines and the query: plain SQL for any PostgreSQL, without extensions or rights."""
    settings = dict(settings_of(plan))
    before = "".join(f"{set_line(name, value)};\n" for name, value in settings.items())
    after = "".join(f"{set_line(name, None)};\n" for name in settings)
    forced = getattr(plan, "forced", True) and query.sql
    bound = getattr(plan, "bound", False)
    text = rewrite(query, plan, pretty=True, bound=bound) if forced else statement(query, plan)
    return f"{before}{text.rstrip().rstrip(';')};\n{after}"


def _said(verdict: Comparison, won: bool, unit: str) -> str:
    measured = f"{verdict.rounds} fresh interleaved rounds, {unit}"
    if won:
        return f"{verdict.text} ({measured})"
    if verdict.verdict == "slower":
        return f"no change: the best that was tried is slower after all, {verdict.ratio:.3f} times ({measured})"
    interval = f"{verdict.ratio:.3f}, 95 % interval {verdict.low:.3f} to {verdict.high:.3f}"
    return f"no change: the gain is inside the noise, or below {LEAST_GAIN:.0%} ({interval}; {measured})"


def tree_lines(query: JoinQuery, plan: JoinPlan) -> list[str]:
    """The tree, one join or relation a line, operands below their join."""
    named: dict[int, str] = {}
    if plan.operators is not None:
        for (outer, inner), operator in zip(plan.joins.tolist(), plan.operators.tolist(), strict=True):
            named[outer | inner] = OPERATORS[operator]

    def walk(node: Tree, depth: int) -> tuple[int, list[str]]:
        if isinstance(node, int):
            relation = query.relations[node]
            extra = f"  where {' and '.join(relation.predicates)}" if relation.predicates else ""
            return 1 << node, [f"{'  ' * depth}{relation.alias} ({relation.table}){extra}"]
        (left, above), (right, below) = walk(node[0], depth + 1), walk(node[1], depth + 1)
        rows = query.cardinalities.get(left | right)
        counted = "" if rows is None else f", {rows:.0f} rows"
        kind = named.get(left | right, "auto")
        head = f"{'  ' * depth}join{'' if kind == 'auto' else f' ({kind})'}{counted}"
        return left | right, [head, *above, *below]

    return walk(plan.tree(), 0)[1]


def _side_by_side(own: Mapping[str, Any], other: Mapping[str, Any]) -> list[dict[str, str | float]]:
    left, right = explained(own), [] if other is own else explained(other)
    return [{"engine's own plan": a, "this plan": b} for a, b in zip_longest(left, right, fillvalue="")]


def explained(node: Mapping[str, Any], depth: int = 0) -> list[str]:
    """An EXPLAIN as lines: what each node does, to what, and the rows that are expected of it."""
    what = str(node.get("Node Type", ""))
    name = node.get("Alias") or node.get("Relation Name")
    head = f"{'  ' * depth}{what}{f' {name}' if name else ''}  ~{node.get('Plan Rows', 0):.0f}"
    return [head, *(line for child in node.get("Plans", ()) for line in explained(child, depth + 1))]
