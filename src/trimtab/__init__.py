# SPDX-License-Identifier: Apache-2.0
"""Computer systems that learn to optimise themselves."""
