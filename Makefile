# SPDX-License-Identifier: Apache-2.0
# `make demo` and `make test` need nothing but Python >= 3.11: they make .venv and install into it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
JOBS ?= 2
ARGS ?=
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt

.PHONY: help demo test tools lint format layers types docs readme docs-serve bench dist constraints clean

help:  ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 22

demo: .venv/.demo  ## install, then compare cluster schedulers on the shipped workload: a table and an HTML report
	@$(BIN)/trimtab run cluster_scheduling --out runs/demo

test: .venv/.dev tools  ## install what the tests need, then run them (ARGS="-k words" to choose)
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -rfEs $(ARGS)

tools:  # Debian packages that some tests need
	@bash .ci/need-tool java "Spark, the real system of cluster_scheduling" openjdk-17-jre-headless default-jre-headless
	@bash .ci/need-tool llvm-mca-19 "llvm-mca, a baseline of block_throughput" llvm-19
	@bash .ci/need-tool cc "block_throughput's measuring harness" build-essential
	@bash .ci/need-tool pg_ctlcluster "PostgreSQL, the real system of join_ordering" postgresql
	@bash .ci/need-tool redis-server "Redis, a target of runtime_tuning" redis-server
	@bash .ci/need-tool zstd "zstd, a target of runtime_tuning" zstd
	@bash .ci/need-tool sqlite3 "SQLite, a target of runtime_tuning" sqlite3
	@bash .ci/need-tool xz "xz, a target of runtime_tuning" xz-utils
	@test -e /usr/share/java/h2.jar || bash .ci/need-tool h2.jar "H2, a Java target of runtime_tuning" libh2-java

lint: .venv/.dev  ## style, and the layers of the house
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/lint-imports

format: .venv/.dev  ## mend what lint can mend
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

types: .venv/.dev  ## mypy --strict, and pyright
	@$(BIN)/mypy
	@$(BIN)/pyright

docs: .venv/.dev  ## build the site into site/; every printed output in it is made by running its command
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "site/index.html"

readme: .venv/.dev  ## run the README's commands and put what they print below them
	@$(BIN)/python docs/hooks/console.py README.md

docs-serve: .venv/.dev
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

bench: .venv/.dev  ## every target beside its figure (ARGS=--quick for a short run)
	@failed=; for script in $$(grep -l __main__ benchmarks/*.py); do \
	  echo; echo "== $$script $(ARGS)"; $(BIN)/python "$$script" $(ARGS) || failed="$$failed $$script"; \
	done; [ -z "$$failed" ] || { echo; echo "missed:$$failed"; exit 1; }

dist: .venv/.dev  ## wheel and source archive into dist/
	@$(BIN)/python -m build --quiet

constraints: .venv/.dev  ## write the versions of .venv into constraints.txt, after the tests have passed with them
	@{ sed '/^[^#]/,$$d' constraints.txt; \
	  $(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//'; } > constraints.new
	@mv constraints.new constraints.txt

clean:  ## remove what was built; .venv and runs/ stay
	rm -rf dist build site .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

.venv/bin/python:
	@"$(PYTHON)" -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and \
	  f"trimtab needs Python 3.11 or newer; $(PYTHON) is {v.major}.{v.minor}.  Try: make $(MAKECMDGOALS) PYTHON=python3.12")'
	@"$(PYTHON)" -m venv .venv

.venv/.demo: .venv/bin/python pyproject.toml constraints.txt
	@echo "installing trimtab into .venv (about a minute the first time)"
	@$(INSTALL) --editable '.[fast,report]'
	@touch $@

.venv/.dev: .venv/bin/python pyproject.toml constraints.txt
	@echo "installing trimtab and its test tools into .venv (several minutes the first time)"
	@$(INSTALL) --editable '.[dev]'
	@touch .venv/.demo $@
