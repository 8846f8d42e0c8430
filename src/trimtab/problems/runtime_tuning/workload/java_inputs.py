# SPDX-License-Identifier: Apache-2.0
"""Inputs of the Java programs, made from a seed: SQL, XML, XSLT, Python, JavaScript, Java, grammars, documents."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Final

from .inputs import Words

Files = Mapping[str, str]  # name -> text


def sql(rng: random.Random, size: int, *, create: str = "TABLE") -> Files:
    """Two tables, filled, joined, grouped and updated; the answers are the output."""
    words = Words(rng, 500)
    lines = [
        f"CREATE {create} customer(id INT PRIMARY KEY, name VARCHAR(40), city INT, credit DECIMAL(12,2));",
        f"CREATE {create} sale(id INT PRIMARY KEY, customer INT, date_of INT, total DECIMAL(12,2), what VARCHAR(60));",
        "CREATE INDEX sale_customer ON sale(customer);",
    ]
    people, cities = size // 4, 40
    lines += _rows(
        "customer", people, lambda k: f"{k},'{words.take(1)[0]}',{rng.randrange(cities)},{rng.randrange(9999)}.5"
    )
    lines += _rows(
        "sale", size, lambda k: f"{k},{rng.randrange(people)},{rng.randrange(365)},{rng.randrange(9999)}.25,"
        f"'{' '.join(words.take(3))[:60]}'",
    )  # fmt: skip
    for k in range(12):
        lines.append(
            f"SELECT c.city, COUNT(*) n, SUM(s.total) t FROM customer c JOIN sale s ON s.customer = c.id "
            f"WHERE s.date_of BETWEEN {k * 20} AND {k * 20 + 90} GROUP BY c.city ORDER BY t DESC, c.city LIMIT 5;"
        )
        lines.append(f"UPDATE customer SET credit = credit + {k} WHERE city = {k};")
        lines.append(f"SELECT COUNT(*) n FROM sale WHERE what LIKE '%{rng.choice(words.words)[:4]}%';")
    lines.append("SELECT SUM(credit) total FROM customer;")
    return {"script.sql": "\n".join(lines) + "\n"}


def _rows(table: str, count: int, row: Callable[[int], str], together: int = 40) -> list[str]:
    starts = range(0, count, together)
    return [
        f"INSERT INTO {table} VALUES " + ",".join(f"({row(k)})" for k in range(at, min(at + together, count))) + ";"
        for at in starts
    ]


def catalogue(rng: random.Random, size: int) -> Files:
    """An XML document of records, and a stylesheet that selects, sorts, groups by key and counts."""
    words = Words(rng, 800)
    records = [
        f'<item id="i{k}" kind="{words.words[rng.randrange(12)]}"><name>{" ".join(words.take(2))}</name>'
        f"<price>{rng.randrange(1, 99999) / 100}</price><about>{words.sentence()}</about></item>"
        for k in range(size)
    ]
    document = '<?xml version="1.0"?>\n<catalogue>\n' + "\n".join(records) + "\n</catalogue>\n"
    return {"catalogue.xml": document, "catalogue.xsl": _STYLE}


_STYLE: Final = """<?xml version="1.0"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:output method="xml" indent="yes"/>
  <xsl:key name="by-kind" match="item" use="@kind"/>
  <xsl:template match="/catalogue">
    <report items="{count(item)}">
      <xsl:for-each select="item[generate-id() = generate-id(key('by-kind', @kind)[1])]">
        <xsl:sort select="@kind"/>
        <kind name="{@kind}" number="{count(key('by-kind', @kind))}" sum="{round(sum(key('by-kind', @kind)/price))}">
          <xsl:for-each select="key('by-kind', @kind)">
            <xsl:sort select="price" data-type="number" order="descending"/>
            <xsl:if test="position() &lt;= 40"><xsl:apply-templates select="."/></xsl:if>
          </xsl:for-each>
        </kind>
      </xsl:for-each>
    </report>
  </xsl:template>
  <xsl:template match="item">
    <xsl:variable name="words" select="translate(about, 'abcdefghij', 'jihgfedcba')"/>
    <line id="{@id}"><xsl:value-of select="concat(substring(name, 1, 10), ': ', substring-before($words, '.'))"/></line>
  </xsl:template>
</xsl:stylesheet>
"""


def python(rng: random.Random, size: int) -> Files:
    """A Python 2 and 3 program: classes, dictionaries, strings, closures, a sort and a sieve."""
    return {"program.py": f"SEED, SIZE = {rng.randrange(1, 10**6)}, {size}\n" + _PYTHON}


_PYTHON: Final = """
class Account(object):
    def __init__(self, name):
        self.name, self.sum, self.moves = name, 0, []
    def move(self, amount):
        self.sum += amount
        self.moves.append(amount)

def numbers(seed):
    while True:
        seed = (seed * 1103515245 + 12345) % 2147483648
        yield seed // 65536

draw = numbers(SEED)
accounts = [Account('a%d' % k) for k in range(97)]
for k in range(SIZE):
    accounts[next(draw) % 97].move(next(draw) % 1000 - 500)
text = ' '.join('%s=%d' % (a.name, a.sum) for a in sorted(accounts, key=lambda a: (a.sum, a.name)))
counts = {}
for word in (text * 5).split():
    counts[word[-2:]] = counts.get(word[-2:], 0) + len(word)
sieve = [True] * SIZE
for k in range(2, int(SIZE ** 0.5) + 1):
    if sieve[k]:
        sieve[k * k::k] = [False] * len(sieve[k * k::k])
print(text[:200])
print(sorted(counts.items())[:20])
print(sum(k for k in range(2, SIZE) if sieve[k]) % 1000003)
"""


def javascript(rng: random.Random, size: int) -> Files:
    """Functions, objects and loops, with names and numbers drawn; the last line prints a checksum."""
    words = Words(rng, 200)
    parts = []
    for k in range(size):
        a, b = words.take(2)
        parts.append(
            f"/** {words.sentence()} */\nfunction f{k}(first_{a}, second_{b}) {{\n  var total = {rng.randrange(99)};\n"
            f"  var held = {{ {a}_: first_{a}, {b}__: second_{b} }};\n"
            f"  for (var index = 0; index < first_{a} % {rng.randrange(3, 40)}; index++) {{\n"
            f"    if (index % {rng.randrange(2, 7)} == 0) {{ total += held.{a}_ ^ index; }}\n"
            f"    else {{ total = (total * 31 + second_{b}) % 65521; }}\n  }}\n"
            f"  return 'f{k}'.length + total;\n}}\n"
        )
    calls = " + ".join(f"f{k}(step + {k}, {rng.randrange(999)})" for k in range(size))
    parts.append(
        f"var sum = 0;\nfor (var step = 0; step < 60; step++) {{\n  sum = (sum + {calls}) % 1000003;\n}}\nprint(sum);\n"
    )
    return {"program.js": "".join(parts)}


def java(rng: random.Random, size: int) -> Files:
    """One Java source: classes with generic fields, lambdas, switches and loops."""
    words = Words(rng, 300)
    parts = ["import java.util.*;\nimport java.util.function.*;\n\npublic class Program {\n"]
    for k in range(size):
        field = words.take(1)[0]
        cases = "".join(
            f"            case {c}: total += {rng.randrange(99)} * value; break;\n" for c in range(rng.randint(3, 9))
        )
        parts.append(
            f"    static class C{k}<T extends Comparable<T>> implements Supplier<Integer> {{\n"
            f"        private final Map<String, List<T>> {field}_ = new HashMap<>();\n"
            f"        private int total = {k};\n"
            "        void add(String key, T value) "
            f"{{ {field}_.computeIfAbsent(key, x -> new ArrayList<>()).add(value); }}\n"
            f"        int pick(int value) {{\n            switch (value % 11) {{\n{cases}"
            "            default: total ^= value; }\n"
            f"            for (int i = 0; i < value; i++) total = (total * 31 + i) % {rng.randrange(1000, 99999)};\n"
            f"            return total;\n        }}\n"
            f"        public Integer get() {{ return {field}_.values().stream()"
            f".filter(x -> x.size() > {rng.randrange(5)})"
            f".mapToInt(List::size).sum() + pick({rng.randrange(1, 50)}); }}\n    }}\n"
        )
    body = "".join(f"        all.add(new C{k}<String>());\n" for k in range(size))
    parts.append(
        "    public static void main(String[] arguments) {\n        List<Supplier<Integer>> all = new ArrayList<>();\n"
        f"{body}        System.out.println(all.stream().mapToInt(Supplier::get).sum());\n    }}\n}}\n"
    )
    return {"Program.java": "".join(parts)}


def formatting(rng: random.Random, size: int) -> Files:
    """An XSL-FO document of headings, justified paragraphs, lists and tables."""
    words = Words(rng, 600)
    blocks = []
    for k in range(size):
        if k % 5 == 4:
            rows = ("".join(map(_cell, words.take(4))) for _ in range(8))
            cells = "".join(f"<fo:table-row>{row}</fo:table-row>" for row in rows)
            columns = '<fo:table-column column-width="4cm"/>' * 4
            blocks.append(
                f"<fo:table table-layout='fixed' width='16cm'>{columns}"
                f"<fo:table-body>{cells}</fo:table-body></fo:table>"
            )
        else:
            size_ = "14pt" if k % 5 == 0 else "10pt"
            text = words.take(1)[0] if k % 5 == 0 else " ".join(words.sentence() for _ in range(6))
            blocks.append(f"<fo:block font-size='{size_}' text-align='justify' space-after='6pt'>{text}</fo:block>")
    return {
        "document.fo": '<?xml version="1.0"?>\n<fo:root xmlns:fo="http://www.w3.org/1999/XSL/Format">'
        '<fo:layout-master-set><fo:simple-page-master master-name="page" page-width="21cm" page-height="29.7cm"'
        ' margin="2cm"><fo:region-body/>'
        '</fo:simple-page-master></fo:layout-master-set><fo:page-sequence master-reference="page">'
        f'<fo:flow flow-name="xsl-region-body">{"".join(blocks)}</fo:flow></fo:page-sequence></fo:root>\n'
    }


def _cell(word: str) -> str:
    return f"<fo:table-cell><fo:block>{word}</fo:block></fo:table-cell>"


def drawing(rng: random.Random, size: int) -> Files:
    """An SVG of filled and stroked paths, gradients and transparent circles."""
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" width="400" height="400">']
    parts += [
        f'<defs><linearGradient id="g{k}"><stop offset="0" stop-color="{_colour(rng)}"/>'
        f'<stop offset="1" stop-color="{_colour(rng)}"/></linearGradient></defs>'
        for k in range(6)
    ]
    for k in range(size):
        x, y = rng.randrange(400), rng.randrange(400)
        if k % 3:
            curve = " ".join(f"C{','.join(str(rng.randrange(400)) for _ in range(6))}" for _ in range(3))
            parts.append(
                f'<path d="M{x},{y} {curve}" fill="url(#g{k % 6})" fill-opacity="0.3" stroke="black" stroke-width="2"/>'
            )
        else:
            parts.append(f'<circle cx="{x}" cy="{y}" r="{rng.randrange(5, 60)}" fill="{_colour(rng)}" opacity="0.5"/>')
    return {"drawing.svg": "\n".join(parts) + "\n</svg>\n"}


def _colour(rng: random.Random) -> str:
    return f"#{rng.randrange(1 << 24):06x}"


def library(rng: random.Random, size: int) -> Files:
    """Text documents, and queries to ask of them."""
    words = Words(rng, 4000)
    files = {f"text/{k:04}.txt": "\n".join(words.sentence() for _ in range(40)) + "\n" for k in range(size)}
    queries = [" ".join(words.take(rng.randint(1, 3))) for _ in range(100)]
    return {**files, "queries.txt": "\n".join(queries) + "\n"}


def grammar(rng: random.Random, size: int) -> Files:
    """A JavaCC grammar of nested lists, calls and operators, with many keywords."""
    words = sorted(set(Words(rng, 2000).words))[:size]
    tokens = " | ".join(f'<K{k}: "{word}">' for k, word in enumerate(words))
    rules = "".join(
        f"void rule{k}() : {{}} {{ <K{k}> ( LOOKAHEAD(2) <NAME> \"(\" rule{(k * 7 + 1) % len(words)}() \")\" "
        f"| \"[\" ( <NUMBER> )* \"]\" "
        f"| <NAME> <K{(k * 3 + 2) % len(words)}> ) }}\n" for k in range(len(words))
    )  # fmt: skip
    start = " | ".join(f"rule{k}()" for k in range(len(words)))
    return {
        "Grammar.jj": "options { STATIC = false; }\nPARSER_BEGIN(Grammar)\npublic class Grammar { }\n"
        "PARSER_END(Grammar)\n"
        'SKIP : { " " | "\\n" }\n' + f'TOKEN : {{ {tokens} | <NUMBER: (["0"-"9"])+> | <NAME: (["A"-"Z"])+> }}\n'
        f"void start() : {{}} {{ ( {start} )* <EOF> }}\n{rules}"
    }
