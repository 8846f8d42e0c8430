# SPDX-License-Identifier: Apache-2.0
"""The contract: a dozen words that every problem, solver and backend shares."""
