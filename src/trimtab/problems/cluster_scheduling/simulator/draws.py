# SPDX-License-Identifier: Apache-2.0
"""Random numbers by name instead of by turn.

A task's duration depends on the seed, its job's place in the stream, its stage
and its own number, through a hash, and on nothing that happened before. So
every policy sees the same draws (common random numbers): two policies differ
by what they decide, and where they put a task in the same wave and level they
even see the same duration. Profiles with sorted durations keep that true in
quantiles across waves and levels.

The hash is the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
A task has one 64-bit word: the upper half picks the level, the lower half the
duration.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from .compiled import compiled

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_M1: Final = np.uint64(0xBF58476D1CE4E5B9)
_M2: Final = np.uint64(0x94D049BB133111EB)
_S27: Final = np.uint64(27)
_S30: Final = np.uint64(30)
_S31: Final = np.uint64(31)
_S32: Final = np.uint64(32)
_LOW: Final = np.uint64(0xFFFFFFFF)


@compiled
def mix(word: np.uint64) -> np.uint64:
    """A bijection of 64-bit words that scatters them."""
    word = (word ^ (word >> _S30)) * _M1
    word = (word ^ (word >> _S27)) * _M2
    return word ^ (word >> _S31)


@compiled
def stage_key(seed: int, job: int, stage: int) -> np.uint64:
    """The key of a stage's tasks; `job` is the place in the stream."""
    key = mix(np.uint64(seed) + _GOLDEN)
    key = mix(key + np.uint64(job) * _GOLDEN)
    return mix(key + np.uint64(stage) * _GOLDEN)


@compiled
def task_word(key: np.uint64, task: int) -> np.uint64:
    return mix(key + np.uint64(task + 1) * _GOLDEN)


@compiled
def upper(word: np.uint64, n: int) -> int:
    """A number in [0, n) from the word's upper half."""
    return int(((word >> _S32) * np.uint64(n)) >> _S32)


@compiled
def lower(word: np.uint64, n: int) -> int:
    """A number in [0, n) from the word's lower half."""
    return int(((word & _LOW) * np.uint64(n)) >> _S32)
