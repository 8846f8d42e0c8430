# SPDX-License-Identifier: Apache-2.0
"""Workers on a Ray cluster; without an address (``RAY_ADDRESS``), on a Ray of our own on this machine.

The ledger is written here, by the driver: the workers' machines need not share a disk.
"""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from trimtab.core.errors import TrimtabError, UsageError
from trimtab.core.extras import need
from trimtab.core.outcome import Run

from .cell import Setting, one_line
from .executor import dispatch
from .ledger import decode
from .plan import Cell
from .processes import portable
from .threads import SINGLE


class Cluster:
    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._ray: Any = need("ray", extra="cluster", purpose="the executor 'ray'")

    def run(self, setting: Setting, cells: Sequence[Cell]) -> Generator[Run, None, None]:
        ours = not self._ray.is_initialized()
        if ours:
            _start(self._ray, self._jobs)
        try:
            yield from dispatch(ActorPool(self._ray, portable(setting)), self._jobs, setting, cells)
        finally:
            if ours:
                self._ray.shutdown()


@contextmanager
def guests(kind: type[Any], arguments: tuple[Any, ...], count: int) -> Iterator[list[Guest]]:
    """So many objects of a class, each in a Ray worker of its own, which are gone at the end.

    For what is no cell of a study but wants the same machines. Raises `UsageError`
    where the arguments can't be sent there.
    """
    ray = need("ray", extra="cluster", purpose="the executor 'ray'")
    try:
        packed = pickle.dumps((kind, arguments))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise UsageError(f"this can't be sent to other machines: {error}") from None
    ours = not ray.is_initialized()
    if ours:
        _start(ray, count)
    host = ray.remote(num_cpus=1, max_restarts=0, scheduling_strategy="SPREAD")(Host)
    made = []
    try:
        made = [Guest(ray, host.remote(sys.path, packed)) for _ in range(count)]
        yield made
    finally:
        for guest in made:
            guest.end()
        if ours:
            ray.shutdown()


class Guest:
    """An object in a Ray worker: ``guest("method", ...)`` calls it and waits."""

    def __init__(self, ray: Any, actor: Any) -> None:
        self._ray, self._actor = ray, actor

    def __call__(self, method: str, *arguments: Any) -> Any:
        try:
            return pickle.loads(self._ray.get(self._actor.call.remote(method, pickle.dumps(arguments))))
        except self._ray.exceptions.RayTaskError as error:
            cause = getattr(error, "cause", None)
            raise cause if isinstance(cause, TrimtabError) else TrimtabError(one_line(error)) from None
        except self._ray.exceptions.RayActorError as error:
            said = str(error).strip().splitlines() or ["without a word"]
            raise TrimtabError(f"a Ray worker died: {said[-1][:300]}") from None

    def end(self) -> None:
        self._ray.kill(self._actor)


class Host:
    """Lives in a Ray worker, and has the object."""

    def __init__(self, path: list[str], packed: bytes) -> None:
        sys.path[:] = list(dict.fromkeys([*path, *sys.path]))
        kind, arguments = pickle.loads(packed)  # from our own driver
        self._object = kind(*arguments)

    def call(self, method: str, packed: bytes) -> bytes:
        return pickle.dumps(getattr(self._object, method)(*pickle.loads(packed)))


def _start(ray: Any, jobs: int) -> None:
    local = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": jobs, "include_dashboard": False}
    try:
        ray.init(configure_logging=False, log_to_driver=False, **local)
    except Exception as error:  # Ray raises bare ones, and has 30 s of patience
        ray.shutdown()
        raise TrimtabError(
            f"Ray does not start: {one_line(error)}. Try again, or use the executor 'processes'."
        ) from error


class ActorPool:
    keeps = False

    def __init__(self, ray: Any, setting: bytes) -> None:
        self._ray = ray
        self._setting = ray.put(setting)
        self._actor = ray.remote(num_cpus=1, max_restarts=0)(Actor)

    def start(self) -> ActorWorker:
        return ActorWorker(self._ray, self._actor.remote(sys.path, self._setting))

    def finished(self, busy: Sequence[ActorWorker]) -> Sequence[ActorWorker]:
        of = {worker.pending: worker for worker in busy}
        ready, _ = self._ray.wait(list(of), num_returns=1)
        return [of[reference] for reference in ready]


class ActorWorker:
    def __init__(self, ray: Any, actor: Any) -> None:
        self._ray, self._actor = ray, actor
        self.pending: Any = None

    def submit(self, cell: Cell) -> None:
        self.pending = self._actor.run.remote(msgspec.json.encode(cell))

    def result(self) -> Run | str:
        try:
            return decode(self._ray.get(self.pending))
        except self._ray.exceptions.RayActorError as error:
            return f"died ({' '.join(str(error).split())[:200]})"

    def stop(self, *, at_once: bool) -> None:
        self._ray.kill(self._actor)


class Actor:
    """Lives in a Ray worker."""

    def __init__(self, path: list[str], setting: bytes) -> None:
        os.environ.update(SINGLE)
        sys.path[:] = list(dict.fromkeys([*path, *sys.path]))
        from .cell import Bench

        self._bench = Bench(pickle.loads(setting))  # from our own driver

    def run(self, cell: bytes) -> bytes:
        from .ledger import encode
        from .threads import single_threaded

        with single_threaded():
            return encode(self._bench.run(msgspec.json.decode(cell, type=Cell)))
