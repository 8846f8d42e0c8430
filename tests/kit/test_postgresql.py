# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trimtab.core.errors import MissingTool, TrimtabError
from trimtab.kit.postgresql import temporary_server


def folder_of(dsn: str) -> Path:
    return Path(dsn.split()[0].removeprefix("host="))


def test_a_server_that_does_not_start_says_why_and_leaves_nothing():
    try:
        with (
            pytest.raises(TrimtabError, match=r"did not start: .*shared_buffers"),
            temporary_server({"shared_buffers": "x"}),
        ):
            pass
    except MissingTool as missing:
        pytest.skip(str(missing))


def test_the_server_runs_without_rights_and_is_gone_in_the_end():
    try:
        with pytest.raises(KeyboardInterrupt), temporary_server() as dsn:
            folder = folder_of(dsn)
            pid = int((folder / "data" / "postmaster.pid").read_text().split()[0])
            assert Path(f"/proc/{pid}").stat().st_uid != 0
            raise KeyboardInterrupt
    except MissingTool as missing:
        pytest.skip(str(missing))
    assert not folder.exists()
    assert not Path(f"/proc/{pid}").exists()


def test_the_server_ends_even_if_who_started_it_is_killed():
    code = (
        "import time\n"
        "from trimtab.kit.postgresql import temporary_server\n"
        "with temporary_server() as dsn:\n"
        "    print(dsn, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            pytest.skip("PostgreSQL is not here")
        folder = folder_of(line)
        pid = int((folder / "data" / "postmaster.pid").read_text().split()[0])
        process.kill()
    until = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()
    shutil.rmtree(folder)
