# SPDX-License-Identifier: Apache-2.0
"""The learned predictors: `Calibrated`, and the networks that it is compared with (`networks`)."""

from .calibrated import Calibrated, Core, load, shipped
from .training import CalibratedLearner, fit_model

__all__ = ["Calibrated", "CalibratedLearner", "Core", "fit_model", "load", "shipped"]
