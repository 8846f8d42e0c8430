# SPDX-License-Identifier: Apache-2.0
"""A PyTorch module as a list of instructions: traced, turned into an `OpGraph`, profiled, executed piecewise."""
