# SPDX-License-Identifier: Apache-2.0
"""Networks that read blocks: Ithemal's hierarchical LSTM, GRANITE's graph network. Baselines, to be compared with."""

from __future__ import annotations

from .network import Network, NetworkLearner, shipped

__all__ = ["Network", "NetworkLearner", "shipped"]
