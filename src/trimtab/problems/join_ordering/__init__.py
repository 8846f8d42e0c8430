# SPDX-License-Identifier: Apache-2.0
"""In which order, and how, are the relations of a query joined?"""
