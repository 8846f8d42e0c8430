# SPDX-License-Identifier: Apache-2.0
"""The real engines: PostgreSQL on a socket of its own or at the user's address, and DuckDB in process."""
