# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from trimtab.core.errors import InvalidInstance
from trimtab.problems.join_ordering.sql import TableInfo, parse_sql

CATALOGUE = {
    "item": TableInfo(("id", "name", "maker_id"), 1000.0, keys=frozenset({"id"}), indexed=frozenset({"maker_id"})),
    "maker": TableInfo(("id", "country", "since"), 50.0, keys=frozenset({"id"}), frequency={"country": 20.0}),
    "sale": TableInfo(("item_id", "price"), 9000.0, frequency={"item_id": 44.0}),
}


def refused(text: str, *, known: bool = False) -> str:
    with pytest.raises(InvalidInstance) as error:
        parse_sql(text, "q", CATALOGUE if known else None)
    assert str(error.value).startswith("query 'q': ")
    return str(error.value)


def test_commas_and_joins_are_the_same_block():
    with_commas = parse_sql(
        "SELECT count(*) FROM item i, maker m WHERE i.maker_id = m.id AND m.country = 'NL' AND (i.name LIKE 'a%')", "q"
    )
    with_joins = parse_sql(
        "SELECT count(*) FROM item i INNER JOIN maker m ON i.maker_id = m.id AND m.country = 'NL'"
        " WHERE i.name LIKE 'a%'",
        "q",
    )
    for block in (with_commas, with_joins):
        assert [(r.alias, r.table, r.predicates) for r in block.relations] == [
            ("i", "item", ("i.name LIKE 'a%'",)),
            ("m", "maker", ("m.country = 'NL'",)),
        ]
        assert [(e.left, e.left_column, e.right, e.right_column) for e in block.edges] == [(0, "maker_id", 1, "id")]


def test_the_catalogue_fills_in_columns_sizes_and_keys():
    block = parse_sql(
        "SELECT 1 FROM item, maker m WHERE maker_id = m.id AND country = 'NL' AND since < 2000", "q", CATALOGUE
    )
    assert block.relations[1].predicates == ("m.country = 'NL'", "m.since < 2000")
    assert [r.rows for r in block.relations] == [1000.0, 50.0]
    (edge,) = block.edges
    assert (edge.left_key, edge.left_index, edge.right_key, edge.right_index) == (False, True, True, True)
    assert edge.right_frequency == 1.0


def test_equality_is_transitive():
    block = parse_sql("SELECT 1 FROM a, b, c WHERE a.x = b.y AND c.z = b.y", "q")
    assert [(e.left, e.right, e.implied) for e in block.edges] == [(0, 1, False), (2, 1, False), (0, 2, True)]
    assert (block.edges[2].left_column, block.edges[2].right_column) == ("x", "z")


def test_names_fold_as_in_the_engine_and_quotes_keep_them():
    block = parse_sql('SELECT 1 FROM Item AS I, "Order" AS o WHERE I.ID = o."Item Id"', "q")
    assert [(r.alias, r.table) for r in block.relations] == [("i", "item"), ("o", '"Order"')]
    assert (block.edges[0].left_column, block.edges[0].right_column) == ("id", "Item Id")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELEC 1", "syntax error, line 1"),
        ("SELECT * FROM a WHERE", "syntax error"),
        ("", "0 statements"),
        ("SELECT 1 FROM a; DROP TABLE a", "2 statements"),
        ("DELETE FROM a", "this is a DELETE"),
        ("DROP TABLE a", "this is a DROP"),
        ("SELECT 1 FROM a UNION SELECT 1 FROM b", "UNION"),
        ("WITH x AS (SELECT 1) SELECT 1 FROM x", "WITH"),
        ("SELECT 1 INTO t FROM a", "SELECT INTO"),
        ("SELECT 1 FROM a FOR UPDATE", "FOR UPDATE"),
        ("SELECT 1", "no FROM"),
        ("SELECT 1 FROM a, b", "cross product"),
        ("SELECT 1 FROM a, b, c, d WHERE a.x = b.x AND c.x = d.x", "nothing joins 'c' with 'a'"),
        ("SELECT 1 FROM a LEFT JOIN b ON a.x = b.x", "LEFT JOIN is not handled"),
        ("SELECT 1 FROM a NATURAL JOIN b", "NATURAL JOIN"),
        ("SELECT 1 FROM a JOIN b USING (x)", "USING"),
        ("SELECT 1 FROM a, b WHERE a.x < b.x", "a.x < b.x is on a and b"),
        ("SELECT 1 FROM a, b WHERE a.x = b.x OR a.y = 1", "a.x = b.x OR a.y = 1"),
        ("SELECT 1 FROM a, b WHERE a.x = b.x AND a.y IN (SELECT 1 FROM c)", "a subquery is not handled"),
        ("SELECT 1 FROM (SELECT 1 FROM a) AS a", "a subquery is not handled"),
        ("SELECT 1 FROM generate_series(1, 9) AS a", "not a plain table"),
        ("SELECT 1 FROM a, a WHERE a.x = a.y", "two tables are called 'a'"),
        ("SELECT 1 FROM a WHERE a.x = $1", "$1 has no value"),
        ("SELECT 1 FROM a, b WHERE a.x = b.x AND y = 1", "write it with its table's alias"),
        ("SELECT 1 FROM a, b WHERE a.x = b.x AND 1 = 2", "names no column"),
        ("SELECT " + "(" * 5000 + "1" + ")" * 5000 + " FROM a", "nested too deeply"),
        ("SELECT 1 FROM a -- " + "x" * (1 << 20), "at most 1048576"),
    ],
)  # fmt: skip
def test_what_is_wrong_or_not_handled_is_said(text: str, said: str):
    assert said in refused(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT 1 FROM item, makers m WHERE maker_id = m.id", "no table 'makers' in the database. Did you mean"),
        ("SELECT 1 FROM item i, maker m WHERE i.makerid = 1", "'i' has no column 'makerid'. Did you mean 'maker_id'"),
        ("SELECT 1 FROM item i, maker m WHERE maker_id = id", "could be of i or m"),
    ],
)  # fmt: skip
def test_the_catalogue_knows_what_is_not_there(text: str, said: str):
    assert said in refused(text, known=True)


def test_a_condition_that_is_always_true_is_nothing():
    assert parse_sql("SELECT 1 FROM a, b WHERE 1 = 1 AND a.x = b.x", "q").relations[0].predicates == ()
