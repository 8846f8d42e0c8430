# SPDX-License-Identifier: Apache-2.0
"""The fast model: a simulator of an out-of-order core whose parameters are learned."""
