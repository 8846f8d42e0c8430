# SPDX-License-Identifier: Apache-2.0
"""The fast model, compiled. Four ways in which transfers share links, as the literature has them:

============  ==============================================================================================
``bus``       One way out of each device, first in, first out; one transfer of a tensor serves all its
              readers elsewhere (Placeto, NeurIPS 2019).
``parallel``  Links never contend (DOPPLER, ICLR 2026; GiPH, MLSys 2023; most scheduling theory).
``switch``    All transfers of all devices share one medium, one at a time, one to each device that reads.
``max_load``  No order at all: a full pipeline, whose steps end every max-load seconds (Tarnawski et al.,
              NeurIPS 2020).
============  ==============================================================================================
"""

from .backend import Simulator, step_times, timeline

__all__ = ["Simulator", "step_times", "timeline"]
