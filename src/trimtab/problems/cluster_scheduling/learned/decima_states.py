# SPDX-License-Identifier: Apache-2.0
"""Recorded decisions as batches for the network in torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trimtab.core.extras import need

from ..problem import Ints
from ..simulator.decima import EXECUTORS_SCALE, WAITING
from ..simulator.decima_record import Recording
from .decima_network import Choices, States

if TYPE_CHECKING:
    import torch
else:
    torch = need("torch", extra="learn", purpose="training decima")

_KINDS = ("first_stage", "first_edge", "first_job", "first_candidate")


@dataclass(frozen=True)
class Decisions:
    """The recorded decisions of several episodes, one after the other."""

    rows: NDArray[np.void]  # (decisions,) decima_record.DECISION, chosen and taught
    bounds: Ints  # (decisions + 1, 4) where a decision's stages, edges, jobs and candidates begin
    stage_features: NDArray[np.float32]  # (stages, 5)
    stage_job: NDArray[np.int32]
    height: NDArray[np.int32]
    edges: NDArray[np.int32]  # (edges, 2)
    job_features: NDArray[np.float32]  # (jobs, 3)
    candidates: NDArray[np.int32]

    @classmethod
    def of(cls, recordings: Sequence[Recording]) -> Decisions:
        sizes = np.array([r.used[2:] for r in recordings])
        base = np.concatenate([np.zeros((1, 4), np.int64), np.cumsum(sizes, 0)])
        starts = [np.stack([r.decisions[kind] for kind in _KINDS], 1) for r in recordings]
        return cls(
            rows=np.concatenate([r.decisions for r in recordings]),
            bounds=np.concatenate([*(s + b for s, b in zip(starts, base[:-1], strict=True)), base[-1:]]),
            stage_features=np.concatenate([r.stage_features for r in recordings]),
            stage_job=np.concatenate([r.stage_job for r in recordings]),
            height=np.concatenate([r.height for r in recordings]),
            edges=np.concatenate([r.edges for r in recordings]),
            job_features=np.concatenate([r.job_features for r in recordings]),
            candidates=np.concatenate([r.candidates for r in recordings]),
        )

    def batch(self, which: Ints, *, taught: bool = False) -> tuple[States, Choices]:
        """The states of some decisions, and what was chosen there (or what the teacher would have chosen)."""
        rows = self.rows[which]
        sizes = self.bounds[which + 1] - self.bounds[which]
        stage, edge, job, candidate = (_ranges(self.bounds[which, k], sizes[:, k]) for k in range(4))
        base = np.cumsum(sizes, 0) - sizes
        state = [np.repeat(np.arange(len(which)), sizes[:, k]) for k in range(4)]
        prefix = "taught_" if taught else ""
        states = States(
            stage_features=torch.from_numpy(self.stage_features[stage]),
            height=_long(self.height[stage]),
            job_of=_long(self.stage_job[stage] + base[state[0], 2]),
            edges=_long((self.edges[edge] + base[state[1], :1]).T),
            job_features=torch.from_numpy(self.job_features[job]),
            state_of=_long(state[2]),
            candidates=_long(self.candidates[candidate] + base[state[3], 0]),
            limits=_long(rows["limits"]),
            least=_long(rows[prefix + "least"]),
        )
        return states, self._choices(which, rows[prefix + "candidate"] + base[:, 3], prefix)

    def _choices(self, which: Ints, candidate: Ints, prefix: str) -> Choices:
        waiting = np.rint(self.job_features[self.bounds[which, 2], WAITING] * EXECUTORS_SCALE)
        all_of_them = self.rows[prefix + "least"][which] - 1 + waiting
        limit = np.minimum(self.rows[prefix + "limit"][which], all_of_them)
        return Choices(_long(candidate), _long(limit), torch.from_numpy(limit == all_of_them))


def _ranges(start: Ints, size: Ints) -> Ints:
    """start[0] ... start[0] + size[0] - 1, start[1] ..."""
    end = np.cumsum(size)
    return np.arange(end[-1]) + np.repeat(start - end + size, size)


def _long(values: NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.int64))
