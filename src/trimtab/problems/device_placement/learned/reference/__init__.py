# SPDX-License-Identifier: Apache-2.0
"""The networks of three papers, trained from nothing on each instance, as they were, at a size that trains in minutes.

==================  ===================================================================================
`sequence`          Mirhoseini et al., "Device Placement Optimization with Reinforcement Learning", ICML
                    2017: LSTM encoder over groups of ops, LSTM decoder with attention, REINFORCE
`hierarchical`      Mirhoseini et al., "A Hierarchical Model for Device Placement", ICLR 2018: a grouper
                    (feed-forward) and the placer of 2017 on its groups, trained together
`graph_attention`   Zhou et al., "GDP: Generalized Device Placement for Dataflow Graphs", 2019: GraphSAGE
                    embeddings, attention over all ops, a device for each, PPO
==================  ===================================================================================

What differs: widths of 32 to 64 (theirs: 512); rewards from the simulator; GDP's placer
attends to the whole graph in one segment, and is not trained on other graphs first;
penalties for memory as in our searches, where theirs failed the placement.
"""

from .solver import PAPERS, PolicyGradient

__all__ = ["PAPERS", "PolicyGradient"]
