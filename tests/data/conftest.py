# SPDX-License-Identifier: Apache-2.0
"""A server that misbehaves as told, folders of our own, and a small data set."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hostile import Server

from trimtab.data import Dataset, File, catalogue, store


@pytest.fixture
def server() -> Iterator[Server]:
    listener = socket.create_server(("127.0.0.1", 0))
    made = Server(f"http://127.0.0.1:{listener.getsockname()[1]}")

    def handle(connection: socket.socket) -> None:
        with connection:
            try:
                made.answer(connection)
                connection.shutdown(socket.SHUT_WR)
            except OSError:  # the client left
                return

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=handle, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield made
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh cache; no TRIMTAB_DATA, no proxy."""
    monkeypatch.setenv("TRIMTAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TRIMTAB_DATA", raising=False)
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    store._index.cache_clear()
    return tmp_path / "cache"


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Dataset]:
    """Make a data set named "numbers" of these files the whole catalogue."""

    def make(*files: File) -> Dataset:
        dataset = Dataset(
            name="numbers",
            version="1",
            description="Numbers.",
            licence="CC0-1.0",
            licence_url="https://creativecommons.org/publicdomain/zero/1.0/",
            origin="https://example.org/numbers",
            provenance="Counted.",
            citation="Nobody: Numbers. 2024.",
            creators=("Nobody",),
            published="2024-01-01",
            files=files,
        )
        monkeypatch.setattr(catalogue, "_catalogue", lambda: {dataset.name: dataset})
        return dataset

    return make
