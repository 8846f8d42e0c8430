# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from trimtab.core.errors import TrimtabError, UsageError
from trimtab.problems.join_ordering.system.clock import backend_clock
from trimtab.problems.join_ordering.system.session import (
    Address,
    Refused,
    ServerGone,
    Session,
    TimedOut,
    catalogue_of,
    connect,
    set_line,
)


def test_only_reading_is_sent(session: Session):
    with pytest.raises(UsageError, match="only SELECT, EXPLAIN and SET"):
        session.rows("DROP TABLE package")
    with pytest.raises(Refused, match="read-only"):
        session.rows("SELECT id FROM package FOR UPDATE")
    with pytest.raises(Refused, match='relation "nothing" does not exist'):
        session.plan("SELECT 1 FROM nothing")


def test_every_session_has_a_time_limit(session: Session):
    assert session.rows("SELECT current_setting('statement_timeout')") == [("1min",)]
    before = time.monotonic()
    with pytest.raises(TimedOut):
        session.rows("SELECT pg_sleep(30)", timeout_ms=100)
    assert time.monotonic() - before < 20
    assert session.rows("SELECT current_setting('statement_timeout')") == [("1min",)]


def test_settings_are_put_back(session: Session):
    with session.settings({"enable_hashjoin": "off"}):
        assert session.rows("SELECT current_setting('enable_hashjoin')") == [("off",)]
    assert session.rows("SELECT current_setting('enable_hashjoin')") == [("on",)]
    with pytest.raises(UsageError, match="not the name of a setting"):
        set_line("a = 1; DROP", "x")
    assert set_line("work_mem", "4'MB") == "SET work_mem = '4''MB'"


def test_the_catalogue_knows_keys_indexes_and_skew(session: Session):
    catalogue = catalogue_of(session)
    depends, package = catalogue["depends"], catalogue["public.package"]
    assert package.keys == {"id"}
    assert package.rows == 400
    assert depends.indexed == {"pkg_id", "target_id", "kind_id"}
    counted = session.rows("SELECT count(*) FROM depends GROUP BY kind_id ORDER BY 1 DESC LIMIT 1")[0][0]
    assert depends.most("kind_id") == pytest.approx(counted)  # the sample of ANALYZE is the whole of so small a table


def test_the_clock_agrees_with_the_kernels_other_count(session: Session):
    clock = backend_clock(session)
    assert clock is not None
    pid = session.rows("SELECT pg_backend_pid()")[0][0]

    def ticks() -> int:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before_ns, before_ticks = clock(), ticks()
    session.rows("SELECT count(*) FROM generate_series(1, 1500000)")
    ms, other = (clock() - before_ns) / 1e6, (ticks() - before_ticks) * 1000 / os.sysconf("SC_CLK_TCK")
    assert ms > 20
    assert other == pytest.approx(ms, abs=40, rel=0.2)  # ticks are 10 ms


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://me:hunter2@127.0.0.1:1/db",
        "host=127.0.0.1 port=1 password=hunter2 dbname=db",
        "postgresql://me:hunter2@[::1/db",
        "password=hunter2 nonsense=1",
    ],
)
def test_the_password_is_nowhere(dsn: str):
    address = Address(dsn)
    with pytest.raises(TrimtabError) as error, connect(address):
        pass
    assert "hunter2" not in str(error.value) + repr(address) + repr(error.value)
    assert error.value.__cause__ is None


def test_a_server_that_goes_away_is_said(dsn: str):
    with connect(Address(dsn)) as session, connect(Address(dsn)) as other:
        pid = session.rows("SELECT pg_backend_pid()")[0][0]
        other.rows(f"SELECT pg_terminate_backend({pid})")
        with pytest.raises(ServerGone, match="the server went away"):
            session.rows("SELECT 1")
