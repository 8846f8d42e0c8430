# SPDX-License-Identifier: Apache-2.0
"""One SELECT to relations, predicates and join edges, through sqlglot.

What is handled: any number of tables with commas, CROSS JOIN or INNER JOIN ... ON;
conditions joined by AND, each on one table or an equality of two columns; any
select list, GROUP BY, HAVING, ORDER BY, DISTINCT and LIMIT above the joins. Anything
else is refused by name.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from trimtab.core.errors import InvalidInstance
from trimtab.core.extras import need

from ..problem import JoinEdge, Relation, check_graph
from .catalogue import Catalogue, TableInfo

MAX_BYTES = 1 << 20  # of one query


@dataclass(frozen=True)
class Block:
    """A query in parts; `statement` is the whole of it as a sqlglot tree."""

    name: str
    relations: tuple[Relation, ...]
    edges: tuple[JoinEdge, ...]
    statement: Any
    dialect: str


def parse_sql(text: str, name: str, catalogue: Catalogue | None = None, *, dialect: str = "postgres") -> Block:
    """Raises `InvalidInstance`, naming the query and the place, for what is wrong or not handled.

    Without a catalogue every column must be written with its table's alias.
    """
    try:
        return _block(text, name, catalogue, dialect)
    except RecursionError:
        _fail(name, "it is nested too deeply to be read")


def _block(text: str, name: str, catalogue: Catalogue | None, dialect: str) -> Block:
    select = statement_of(text, name, dialect)
    _refuse_what_is_not_handled(select, name)
    sources, conditions = _sources(select, name)
    where = select.args.get("where")
    conditions += list(_conjuncts(where.this)) if where is not None else []
    reader = _Reader(name, _known(sources, catalogue, name), dialect)
    for condition in conditions:
        reader.read(condition)
    relations = tuple(
        Relation(alias, table, reader.tables[alias].rows, tuple(reader.predicates[alias]), reader.tables[alias].width)
        for alias, table in sources
    )
    edges = reader.edges()
    check_graph(name, relations, edges)
    return Block(name, relations, edges, select, dialect)


def _fail(name: str, what: str) -> NoReturn:
    raise InvalidInstance(f"query {name!r}: {what}")


def statement_of(text: str, name: str, dialect: str) -> Any:
    """The sqlglot tree of the one SELECT in `text`, its names folded to lower case as the engine would."""
    sqlglot = need("sqlglot", extra="sql", purpose="reading SQL")
    exp = sqlglot.exp
    if len(text) > MAX_BYTES:
        _fail(name, f"{len(text)} characters; at most {MAX_BYTES} are read")
    try:
        trees = [tree for tree in sqlglot.parse(text, read=dialect) if tree is not None]
    except sqlglot.errors.ParseError as error:
        first = (error.errors or [{}])[0]
        where = f"line {first.get('line')}, column {first.get('col')}, at {str(first.get('highlight'))!r}: "
        said = str(first.get("description") or error).rstrip(".")
        _fail(name, f"syntax error, {where if first.get('line') else ''}{said}.")
    except sqlglot.errors.SqlglotError as error:
        _fail(name, f"syntax error: {error}")
    if len(trees) != 1:
        _fail(name, f"{len(trees)} statements; one SELECT is expected")
    if not isinstance(trees[0], exp.Select):
        _fail(name, f"this is {_what(trees[0])}; only a single SELECT can be planned")
    normalize = need("sqlglot.optimizer.normalize_identifiers", extra="sql").normalize_identifiers
    return normalize(trees[0], dialect=dialect)


def _what(tree: Any) -> str:
    if tree.key == "command":
        return f"the statement {str(tree.this).upper()}"
    return f"a {tree.key.upper()}" + (" of several SELECTs" if tree.key in ("union", "except", "intersect") else "")


def _refuse_what_is_not_handled(select: Any, name: str) -> None:
    exp = need("sqlglot.expressions", extra="sql")
    refused = (
        (("with", "with_"), "WITH (common table expressions)"),
        (("into",), "SELECT INTO, which writes"),
        (("locks",), "FOR UPDATE / FOR SHARE, which lock rows"),
        (("laterals",), "LATERAL"),
        (("connect",), "CONNECT BY"),
        (("pivots",), "PIVOT"),
        (("sample",), "TABLESAMPLE"),
    )
    for keys, what in refused:
        if any(select.args.get(key) for key in keys):
            _fail(name, f"{what} is not handled. Only plain SELECT ... FROM ... WHERE with inner joins is.")
    inner = next((node for node in select.find_all(exp.Query) if node is not select), None)
    if inner is not None:
        _fail(name, f"a subquery is not handled: {inner.sql()[:80]}. Only one block of tables and inner joins is.")
    hole = select.find(exp.Placeholder, exp.Parameter)
    if hole is not None:
        _fail(name, f"the parameter {hole.sql(dialect='postgres')} has no value: write one in its place")


def _sources(select: Any, name: str) -> tuple[list[tuple[str, str]], list[Any]]:
    """(alias, table) of each relation, and the ON conditions."""
    origin = select.args.get("from_") or select.args.get("from")
    if origin is None:
        _fail(name, "there is no FROM: nothing to join")
    sources = [_table(origin.this, name)]
    conditions: list[Any] = []
    for join in (*(origin.this.args.get("joins") or ()), *(select.args.get("joins") or ())):
        kind = " ".join(filter(None, (str(join.args.get(key) or "") for key in ("method", "side", "kind")))).upper()
        if kind not in ("", "INNER", "CROSS"):
            _fail(name, f"{kind} JOIN is not handled: only inner joins may change places")
        if join.args.get("using"):
            _fail(name, "JOIN ... USING is not handled: write ON a.x = b.x")
        sources.append(_table(join.this, name))
        for deeper in join.this.args.get("joins") or ():
            _fail(name, f"joins in parentheses are not handled: {deeper.sql()[:60]}")
        if join.args.get("on") is not None:
            conditions += _conjuncts(join.args["on"])
    aliases = [alias for alias, _ in sources]
    twice = next((alias for alias in aliases if aliases.count(alias) > 1), None)
    if twice is not None:
        _fail(name, f"two tables are called {twice!r}: give each its own alias")
    return sources, conditions


def _table(node: Any, name: str) -> tuple[str, str]:
    exp = need("sqlglot.expressions", extra="sql")
    if not isinstance(node, exp.Table) or not isinstance(node.this, exp.Identifier):
        _fail(name, f"in FROM, {node.sql()[:60]} is not a plain table")
    if any(node.args.get(key) for key in ("pivots", "sample", "only", "version", "rows_from", "ordinality", "hints")):
        _fail(name, f"in FROM, {node.sql()[:60]} is more than a plain table")
    alias = node.args.get("alias")
    if alias is not None and alias.args.get("columns"):
        _fail(name, f"in FROM, {node.sql()[:60]}: renamed columns are not handled")
    bare = node.copy()
    bare.set("alias", None)
    bare.set("joins", None)
    return node.alias_or_name, bare.sql(dialect="postgres")


def _known(sources: Sequence[tuple[str, str]], catalogue: Catalogue | None, name: str) -> dict[str, TableInfo]:
    if catalogue is None:
        return {alias: TableInfo(()) for alias, _ in sources}
    for _, table in sources:
        if table not in catalogue:
            near = difflib.get_close_matches(table, catalogue, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            _fail(name, f"there is no table {table!r} in the database.{hint}")
    return {alias: catalogue[table] for alias, table in sources}


def _conjuncts(condition: Any) -> Iterator[Any]:
    exp = need("sqlglot.expressions", extra="sql")
    condition = condition.unnest()
    if isinstance(condition, exp.And):
        yield from _conjuncts(condition.left)
        yield from _conjuncts(condition.right)
    else:
        yield condition


class _Reader:
    """Sorts conditions into predicates of one relation and joins of two."""

    def __init__(self, name: str, tables: dict[str, TableInfo], dialect: str) -> None:
        self.name, self.tables, self.dialect = name, tables, dialect
        self.exp = need("sqlglot.expressions", extra="sql")
        self.predicates: dict[str, list[str]] = {alias: [] for alias in tables}
        self.joins: list[tuple[tuple[str, str], tuple[str, str]]] = []

    def read(self, condition: Any) -> None:
        exp = self.exp
        columns = list(condition.find_all(exp.Column))
        aliases = sorted({self._qualify(column) for column in columns})
        if len(aliases) == 1:
            self.predicates[aliases[0]].append(condition.sql(dialect=self.dialect))
        elif len(aliases) == 2 and isinstance(condition, exp.EQ) and self._two_columns(condition):
            self.joins.append(self._ends(condition))
        elif aliases:
            _fail(
                self.name,
                f"the condition {condition.sql(dialect=self.dialect)[:80]} is on {' and '.join(aliases)} but no"
                " equality of two columns, which is not handled",
            )
        elif not self._always_true(condition):
            _fail(self.name, f"the condition {condition.sql(dialect=self.dialect)[:80]} names no column")

    def _two_columns(self, condition: Any) -> bool:
        return all(isinstance(side.unnest(), self.exp.Column) for side in (condition.left, condition.right))

    def _ends(self, condition: Any) -> tuple[tuple[str, str], tuple[str, str]]:
        left, right = condition.left.unnest(), condition.right.unnest()
        return (left.table, left.name), (right.table, right.name)

    def _always_true(self, condition: Any) -> bool:
        simple = need("sqlglot.optimizer.simplify", extra="sql").simplify(condition.copy())
        return isinstance(simple, self.exp.Boolean) and bool(simple.this)

    def _qualify(self, column: Any) -> str:
        """The alias that a column belongs to; writes it into the tree where it was left out."""
        if column.args.get("db") is not None:
            _fail(self.name, f"the column {column.sql()} is written with a schema: use the table's alias")
        alias, wanted = column.table, column.name
        if alias:
            if alias not in self.tables:
                near = difflib.get_close_matches(alias, self.tables, n=1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                _fail(self.name, f"the column {column.sql()} is of {alias!r}, which is not in FROM.{hint}")
            known = self.tables[alias].columns
            if known and wanted not in known:
                near = difflib.get_close_matches(wanted, known, n=1)
                hint = f" Did you mean {near[0]!r}?" if near else f" It has {', '.join(known[:12])}."
                _fail(self.name, f"{alias!r} has no column {wanted!r}.{hint}")
            return str(alias)
        owners = [owner for owner, table in self.tables.items() if wanted in table.columns]
        if len(owners) != 1:
            why = f"could be of {' or '.join(owners)}" if owners else "is of no known table"
            _fail(self.name, f"the column {wanted!r} {why}: write it with its table's alias")
        column.set("table", self.exp.to_identifier(owners[0]))
        return owners[0]

    def edges(self) -> tuple[JoinEdge, ...]:
        """The joins, then those that follow from them because equality is transitive."""
        place = {alias: i for i, alias in enumerate(self.tables)}
        said = {frozenset(join) for join in self.joins}
        classes: list[set[tuple[str, str]]] = []
        for join in self.joins:
            touched = [members for members in classes if members & set(join)]
            classes = [members for members in classes if not members & set(join)] + [set(join).union(*touched)]
        implied = [
            (a, b)
            for members in classes
            for a in sorted(members)
            for b in sorted(members)
            if place[a[0]] < place[b[0]] and frozenset((a, b)) not in said
        ]
        unique = list({frozenset(join): join for join in reversed(self.joins)}.values())[
            ::-1
        ]  # sides as written: estimates depend on them
        return tuple(
            self._edge(place, a, b, extra) for joins, extra in ((unique, False), (implied, True)) for a, b in joins
        )

    def _edge(self, place: dict[str, int], a: tuple[str, str], b: tuple[str, str], implied: bool) -> JoinEdge:
        ta, tb = self.tables[a[0]], self.tables[b[0]]
        return JoinEdge(
            place[a[0]], place[b[0]], a[1], b[1],
            left_key=a[1] in ta.keys, right_key=b[1] in tb.keys,
            left_index=a[1] in ta.keys | ta.indexed, right_index=b[1] in tb.keys | tb.indexed,
            left_frequency=ta.most(a[1]), right_frequency=tb.most(b[1]), implied=implied,
        )  # fmt: skip
