# SPDX-License-Identifier: Apache-2.0
"""The least duration that a task can draw, whatever a policy does."""

from __future__ import annotations

import numpy as np

from ..problem import Floats, Ints
from .compiled import compiled
from .draws import lower, stage_key, task_word, upper
from .tables import Records, Tables


@compiled
def draw_least(tables: Tables, jobs: Ints, num_executors: int, seed: int, out: Floats) -> None:
    """For all tasks of all jobs of a stream, one after the other, in ms.

    The first task of a stage is in its first wave or fresh; that of a job's only
    root stage is fresh, since it is the first of the job.
    """
    at = 0
    for job in range(len(jobs)):
        profile = tables.profiles[jobs[job]]
        roots = 0
        for i in range(profile.num_stages):
            roots += tables.stages[profile.first_stage + i].num_parents == 0
        for i in range(profile.num_stages):
            stage = tables.stages[profile.first_stage + i]
            key = stage_key(seed, job, i)
            for task in range(stage.num_tasks):
                waves = 3 if task > 0 else (1 if roots == 1 and stage.num_parents == 0 else 2)
                out[at] = _least(tables, profile, stage.first_draw, task_word(key, task), num_executors, waves)
                at += 1


@compiled
def _least(tables: Tables, profile: Records, first_draw: int, word: np.uint64, num_executors: int, waves: int) -> float:
    """Over the levels that a job can be at with up to `num_executors`, as `engine._duration` draws."""
    least = np.inf
    for k in range(profile.num_levels):
        level = tables.levels[profile.first_level + k]
        if k > 0 and level > num_executors:
            below = tables.levels[profile.first_level + k - 1]
            if below >= num_executors or upper(word, int(level - below)) == 0:
                break
        for wave in range(waves):
            draw = tables.draws[first_draw + 3 * k + wave]
            least = min(least, tables.durations[draw.start + lower(word, draw.count)] + draw.delay_ms)
    return least
