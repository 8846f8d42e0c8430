# SPDX-License-Identifier: Apache-2.0
"""Plans for an engine whose row estimates are off: cheap estimates of one's own, corrected by what was counted before,
and a choice among a few plans with a guard against regressions."""
