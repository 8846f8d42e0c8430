# SPDX-License-Identifier: Apache-2.0
"""Inputs of the programs that are tuned, made from a seed: the same bytes on every machine."""

from __future__ import annotations

import random
from typing import Final

_SYLLABLES: Final = ("ba", "con", "der", "est", "fin", "gra", "hol", "in", "ju", "ker", "lo", "men", "nor", "op",
                     "pre", "qui", "ra", "sta", "tor", "un", "ver", "wal", "xe", "yon", "zi")  # fmt: skip


class Words:
    """Words of a made-up language whose frequencies fall as 1/rank."""

    def __init__(self, rng: random.Random, count: int = 3000) -> None:
        self.rng = rng
        self.words = ["".join(rng.choice(_SYLLABLES) for _ in range(rng.randint(1, 4))) for _ in range(count)]
        self.ranks = [1.0 / (rank + 1) for rank in range(count)]

    def take(self, count: int) -> list[str]:
        return self.rng.choices(self.words, self.ranks, k=count)

    def sentence(self) -> str:
        words = self.take(self.rng.randint(5, 14))
        return " ".join(words).capitalize() + "."


def records(seed: int, size: int) -> bytes:
    """`size` bytes such as servers write: log lines, JSON records, tables and prose, with parts that come again."""
    rng = random.Random(seed)
    words = Words(rng)
    blocks: list[str] = []
    total, clock = 0, 1_700_000_000
    while total < size:
        clock += rng.randint(1, 900)
        if len(blocks) > 20 and rng.random() < 0.15:  # a copy from far back, with a small change
            block = rng.choice(blocks).replace(rng.choice(words.words), rng.choice(words.words))
        else:
            block = rng.choice((_log, _json, _table, _prose))(rng, words, clock)
        blocks.append(block)
        total += len(block)
    return "".join(blocks).encode()[:size]


def _log(rng: random.Random, words: Words, clock: int) -> str:
    lines = []
    for _ in range(rng.randint(10, 60)):
        clock += rng.randint(0, 3)
        path = "/".join(words.take(rng.randint(1, 4)))
        lines.append(
            f"10.{rng.randint(0, 3)}.{rng.randint(0, 255)}.{rng.randint(1, 254)} {clock} "
            f'"GET /{path}?id={rng.randint(1, 99999)}" '
            f"{rng.choices((200, 304, 404, 500), (80, 12, 6, 2))[0]} {rng.randint(200, 40000)}\n"
        )
    return "".join(lines)


def _json(rng: random.Random, words: Words, clock: int) -> str:
    lines = []
    for k in range(rng.randint(5, 40)):
        tags = ",".join(f'"{word}"' for word in words.take(rng.randint(0, 5)))
        lines.append(
            f'{{"id":{clock + k},"name":"{" ".join(words.take(2))}","price":{rng.random() * 100:.2f},"tags":[{tags}],'
            f'"active":{rng.choice(("true", "false"))}}}\n'
        )
    return "".join(lines)


def _table(rng: random.Random, words: Words, clock: int) -> str:
    level = rng.gauss(0, 5)
    lines = []
    for k in range(rng.randint(20, 120)):
        level += rng.gauss(0, 0.3)
        lines.append(f"{clock + 60 * k},{rng.choice(words.words[:40])},{level:.3f},{abs(int(level * 17)) % 256}\n")
    return "".join(lines)


def _prose(rng: random.Random, words: Words, clock: int) -> str:
    return " ".join(words.sentence() for _ in range(rng.randint(5, 40))) + f"\n({clock})\n\n"


def table_script(seed: int, size: int) -> str:
    """SQL for SQLite: tables filled in small transactions, joined, sorted, changed; the answers are the output."""
    rng = random.Random(seed)
    words = Words(rng, 400)
    lines = [
        "CREATE TABLE item(id INTEGER PRIMARY KEY, kind INT, price REAL, name TEXT);",
        "CREATE TABLE move(id INTEGER PRIMARY KEY, item INT, day INT, amount INT);",
        "CREATE INDEX move_item ON move(item);",
    ]
    together = 20
    for at in range(0, size, together):
        lines.append("BEGIN;")
        for k in range(at, at + together):
            lines.append(
                f"INSERT INTO item VALUES({k},{rng.randrange(50)},{rng.randrange(9999) / 100},"
                f"'{' '.join(words.take(3))}');"
            )
            lines.append(
                f"INSERT INTO move VALUES({k},{rng.randrange(k + 1)},{rng.randrange(365)},{rng.randrange(-50, 90)});"
            )
        lines.append("COMMIT;")
    for k in range(10):
        lines.append(f"UPDATE item SET price = price * 1.01 WHERE kind = {k};")
        lines.append(
            "SELECT i.kind, count(*), sum(m.amount) FROM item i JOIN move m ON m.item = i.id "
            f"WHERE m.day < {30 * k + 40} GROUP BY i.kind ORDER BY 3 DESC, 1 LIMIT 4;"
        )
        lines.append(f"SELECT name FROM item ORDER BY name, id LIMIT 2 OFFSET {size // 3 + k};")
    lines.append("DELETE FROM move WHERE day > 300;")
    lines.append("SELECT count(*), sum(amount) FROM move;")
    return "\n".join(lines) + "\n"
