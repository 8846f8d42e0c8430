# SPDX-License-Identifier: Apache-2.0
"""The other end of `processes.ProcessWorker`: a process that runs cells until it is told to stop."""

from __future__ import annotations

import os
import pickle
import select
import signal
import threading
from contextlib import suppress
from multiprocessing.connection import Connection

import msgspec

from .cell import Bench, one_line
from .ledger import Writer, encode
from .plan import Cell
from .processes import READY, REFUSED
from .threads import single_threaded


def main(descriptor: int) -> None:
    connection = Connection(descriptor)
    signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C is the parent's to handle; programs started here get it
    threading.Thread(target=_end_with_parent, args=(descriptor,), daemon=True).start()
    with suppress(EOFError, ConnectionError):  # the parent is gone
        try:
            _work(connection)
        except Exception as error:
            connection.send_bytes(REFUSED + one_line(error).encode())


def _work(connection: Connection) -> None:
    setting = pickle.loads(connection.recv_bytes())  # from our own parent, over a private socket
    bench = Bench(setting)
    connection.send_bytes(READY)
    with single_threaded(), Writer(setting.folder) as ledger:
        while message := connection.recv_bytes():
            run = bench.run(msgspec.json.decode(message, type=Cell))
            ledger.write(run)
            connection.send_bytes(encode(run))


def _end_with_parent(descriptor: int) -> None:
    """A worker whose parent is gone has nobody to work for; the cell it runs is run again on resume."""
    poll = select.poll()
    poll.register(descriptor, 0)  # hang-up is always reported
    poll.poll()
    os._exit(1)
