# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest

from trimtab.core.errors import InvalidInstance
from trimtab.problems.join_ordering.workload.aptdb.index import read_index, relations, stanzas
from trimtab.problems.join_ordering.workload.aptdb.tables import TABLES, tables_of

TEXT = """Package: alpha
Source: greek (1.2)
Version: 1.2-3
Installed-Size: 10
Maintainer: Greek Team <team@lists.example.org>
Architecture: amd64
Depends: beta (>= 2) | gamma:any, libc6 (>> 1:2.3~rc1), beta
Recommends: delta
Provides: letter, alpha-abi (= 3)
Tag: role::program, suite::greek,
 use::writing
Section: text
Priority: optional
Size: 100
Description: first letter

Package: beta
Maintainer: Greek Team <team@lists.example.org>
Architecture: all
Section: text
Priority: optional
Essential: yes

Package: alpha
Version: 0.1
"""


def test_stanzas_join_continuation_lines():
    first, second, third = stanzas(TEXT.splitlines(keepends=True))
    assert first["Tag"] == "role::program, suite::greek, use::writing"
    assert second["Essential"] == "yes"
    assert third == {"Package": "alpha", "Version": "0.1"}


def test_relations():
    assert list(relations("beta (>= 2) | gamma:any, libc6 (>> 1:2.3~rc1), d")) == [
        ("beta", 0, ">="), ("gamma", 1, ""), ("libc6", 0, ">>"), ("d", 0, ""),
    ]  # fmt: skip
    assert list(relations("")) == []


def test_tables():
    rows = tables_of(stanzas(TEXT.splitlines()))
    assert {table.name for table in TABLES} == set(rows)
    alpha, beta = rows["package"]  # the second alpha is dropped
    assert alpha == (1, "alpha", "1.2-3", 1, 1, "amd64", 1, 1, 10, 100, None, 0, "a", 12)
    assert (beta[1], beta[8], beta[11]) == ("beta", None, 1)
    assert rows["source"] == [(1, "greek"), (2, "beta")]
    assert rows["maintainer"] == [(1, "Greek Team", 1)]
    assert rows["domain"] == [(1, "lists.example.org")]
    assert rows["depends"] == [  # gamma, libc6 and delta are no packages here
        (1, 2, 1, 0, ">="), (1, None, 1, 1, None), (1, None, 1, 0, ">>"), (1, 2, 1, 0, None), (1, None, 6, 0, None),
    ]  # fmt: skip
    assert rows["virtual"] == [(1, "letter"), (2, "alpha-abi")]
    assert rows["provides"] == [(1, 1), (1, 2)]
    assert [(name, facet) for _, name, facet in rows["tag"]][1] == ("suite::greek", "suite")
    assert rows["pkgtag"] == [(1, 1), (1, 2), (1, 3)]
    width = {table.name: len(table.columns) for table in TABLES}
    assert all(len(row) == width[name] for name, found in rows.items() for row in found)


def test_compressed_files(tmp_path: Path):
    wanted = list(stanzas(TEXT.splitlines()))
    (tmp_path / "Packages").write_text(TEXT)
    (tmp_path / "Packages.gz").write_bytes(gzip.compress(TEXT.encode()))
    (tmp_path / "Packages.xz").write_bytes(lzma.compress(TEXT.encode()))
    for name in ("Packages", "Packages.gz", "Packages.xz"):
        assert read_index(tmp_path / name) == wanted


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"no colon here\n", b"Version: 1\n"])
def test_what_is_no_index_is_said(content: bytes, tmp_path: Path):
    path = tmp_path / "Packages"
    path.write_bytes(content)
    with pytest.raises(InvalidInstance, match="package index"):
        read_index(path)
    with pytest.raises(InvalidInstance, match="can't be read"):
        read_index(tmp_path / "nowhere")
    (tmp_path / "cut.xz").write_bytes(lzma.compress(TEXT.encode())[:-20])
    with pytest.raises(InvalidInstance, match="can't be read"):
        read_index(tmp_path / "cut.xz")
