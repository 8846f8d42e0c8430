# SPDX-License-Identifier: Apache-2.0
"""Decima's network in torch, for its gradient; decisions are made by the compiled twin (simulator/decima_net.py)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trimtab.core.extras import need
from trimtab.kit.message_passing import (
    ChildrenToParents,
    perceptron,
    segment_log_softmax,
    segment_log_sum_exp,
    segment_sum,
)

from ..simulator.decima_net import JOB_FEATURES, LIMIT_SCALE, MAX_DEPTH, PERCEPTRONS, WIDTH

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
else:
    torch = need("torch", extra="learn", purpose="training decima")
    nn = torch.nn

Arrays = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class States:
    """Cluster states in which Decima decided, as one disjoint graph."""

    stage_features: Tensor  # (stages, 5)
    height: Tensor  # (stages,) longest path to a leaf
    job_of: Tensor  # (stages,)
    edges: Tensor  # (2, edges) child, parent
    job_features: Tensor  # (jobs, 3)
    state_of: Tensor  # (jobs,)
    candidates: Tensor  # (candidates,) rows of stages
    limits: Tensor  # (states,) how many limits there are: 1 ... the executors of the cluster
    least: Tensor  # (states,) the smallest limit that the chosen stage's job may have

    @property
    def size(self) -> int:
        return len(self.limits)


@dataclass(frozen=True)
class Choices:
    """What was decided in each of some `States`.

    All limits that take every waiting executor are one decision, and are credited together.
    """

    candidate: Tensor  # (states,) index into States.candidates
    limit: Tensor  # (states,)
    or_more: Tensor  # (states,) True: that limit or any above


class DecimaNetwork(nn.Module):
    """Mao et al. 2019, section 5: node, job and global embeddings, a stage head and a parallelism head."""

    def __init__(self) -> None:
        super().__init__()
        hidden = PERCEPTRONS["message"][1:-1]
        self.prepare = perceptron(PERCEPTRONS["prepare"], activate_last=True)
        self.passing = ChildrenToParents(hidden, WIDTH, max_depth=MAX_DEPTH)
        self.job = perceptron(PERCEPTRONS["job"], activate_last=True)
        self.cluster = perceptron(PERCEPTRONS["cluster"], activate_last=True)
        self.stage_head = perceptron(PERCEPTRONS["stage_head"], activate_last=False)
        self.limit_head = perceptron(PERCEPTRONS["limit_head"], activate_last=False)

    def embed(self, s: States) -> tuple[Tensor, Tensor, Tensor]:
        """(stages, 8), (jobs, 8), (states, 8)"""
        stages = self.passing(self.prepare(s.stage_features), s.edges, s.height)
        summaries = self.job(torch.cat([s.stage_features, stages], 1))
        jobs = segment_sum(summaries, s.job_of, len(s.job_features))
        return stages, jobs, segment_sum(self.cluster(jobs), s.state_of, s.size)

    def stage_logits(self, s: States, embedded: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """(candidates,)"""
        stages, jobs, cluster = embedded
        job = s.job_of[s.candidates]
        inputs = [s.stage_features[s.candidates], stages[s.candidates], jobs[job], cluster[s.state_of[job]]]
        scores: Tensor = self.stage_head(torch.cat(inputs, 1))
        return scores[:, 0]

    def limit_logits(self, s: States, embedded: tuple[Tensor, Tensor, Tensor], job: Tensor) -> tuple[Tensor, ...]:
        """For one job per state: scores of its limits least ... limits, state after state.

        Returns the scores, the limits, and the states that they belong to.
        """
        _, jobs, cluster = embedded
        inputs = torch.cat([s.job_features[job], jobs[job], cluster], 1)
        count = s.limits - s.least + 1
        state = torch.repeat_interleave(torch.arange(s.size), count)
        first = torch.cumsum(count, 0) - count
        limit = torch.arange(len(state)) - first[state] + s.least[state]
        linear, *rest = self.limit_head  # the first layer once per state, not once per limit
        assert isinstance(linear, nn.Linear)
        known = JOB_FEATURES + 2 * WIDTH
        shared = nn.functional.linear(inputs, linear.weight[:, :known], linear.bias)
        hidden = shared[state] + (limit / LIMIT_SCALE)[:, None] * linear.weight[:, known]
        return nn.Sequential(*rest)(hidden)[:, 0], limit, state

    def forward(self, s: States, choices: Choices) -> tuple[Tensor, Tensor]:
        """Log-probability of each choice, and the entropy of the two distributions it was drawn from.

        The entropy of limits is that of the chosen job alone: an unbiased sample
        of the reference's sum over jobs, without its cost.  (states,), (states,)
        """
        embedded = self.embed(s)
        of = s.state_of[s.job_of[s.candidates]]
        stage = segment_log_softmax(self.stage_logits(s, embedded), of, s.size)
        logits, value, state = self.limit_logits(s, embedded, s.job_of[s.candidates[choices.candidate]])
        limit = segment_log_softmax(logits, state, s.size)
        wanted = choices.limit[state]
        alike = (value == wanted) | (choices.or_more[state] & (value > wanted))
        chosen = segment_log_sum_exp(limit.masked_fill(~alike, -torch.inf), state, s.size)
        entropy = -segment_sum(stage.exp() * stage, of, s.size) - segment_sum(limit.exp() * limit, state, s.size)
        return stage[choices.candidate] + chosen, entropy

    def _perceptrons(self) -> dict[str, nn.Sequential]:
        parts = {name: getattr(self, name) for name in PERCEPTRONS if name not in ("message", "aggregate")}
        return {**parts, "message": self.passing.f, "aggregate": self.passing.g}

    def flat(self) -> NDArray[np.float64]:
        """The weights in the order that the compiled network reads."""
        parts = self._perceptrons()
        values = [
            tensor.detach().numpy().ravel()
            for name in PERCEPTRONS
            for layer in parts[name]
            if isinstance(layer, nn.Linear)
            for tensor in (layer.weight.T, layer.bias)
        ]
        return np.concatenate(values).astype(np.float64)

    def set_flat(self, weights: NDArray[np.float64]) -> None:
        """The inverse of `flat`."""
        parts, at = self._perceptrons(), 0
        for name in PERCEPTRONS:
            for layer in parts[name]:
                if not isinstance(layer, nn.Linear):
                    continue
                for tensor in (layer.weight.data.T, layer.bias.data):
                    size = tensor.numel()
                    tensor.copy_(torch.from_numpy(weights[at : at + size].reshape(tensor.shape)))
                    at += size
