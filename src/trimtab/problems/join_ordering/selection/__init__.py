# SPDX-License-Identifier: Apache-2.0
"""Plans for an engine whose row estimates are off: rows counted on samples in memory, plans priced by the work that
they do under these, and a guard against regressions."""
