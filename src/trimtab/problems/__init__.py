# SPDX-License-Identifier: Apache-2.0
"""One folder per problem; all have the same rooms."""
