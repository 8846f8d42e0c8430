# SPDX-License-Identifier: Apache-2.0
"""What stands beside the source says the same as the source."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]


def declared() -> list[Requirement]:
    found = [Requirement(line) for lines in (PROJECT["dependencies"], *EXTRAS.values()) for line in lines]
    return [requirement for requirement in found if requirement.name != "trimtab"]


def constraints() -> dict[str, str]:
    pins = [line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if line[:1] != "#"]
    return {canonicalize_name(name): version for name, version in pins}


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_every_dependency_is_tested_at_a_version_within_its_range(requirement: Requirement) -> None:
    version = constraints()[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version)
    assert not any(part.operator in ("==", "<", "<=", "~=") for part in requirement.specifier), "ranges stay wide"


def test_the_extra_all_has_every_extra_that_users_need() -> None:
    (everything,) = EXTRAS["all"]
    rare = {"smac", "opentuner", "transformers"}  # one compiles, one is of 2022, one only makes shipped graphs anew
    users = set(EXTRAS) - {"all", "dev", "docs"} - rare
    implied = {extra for name in users for line in EXTRAS[name] for extra in Requirement(line).extras} & users
    assert users <= Requirement(everything).extras | implied


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    for reference in citation["references"]:
        assert {"type", "title", "authors"} <= set(reference)
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_readme_names_targets_problems_and_files_that_there_are() -> None:
    readme, makefile = (ROOT / "README.md").read_text(), (ROOT / "Makefile").read_text()
    for target in re.findall(r"`?make (\w+)", readme):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for problem in PROJECT["entry-points"]["trimtab.problems"]:
        assert f"problems/{problem}/README.md" in readme
    for link in re.findall(r"\]\(([^)#]+)\)", readme):
        assert "://" in link or (ROOT / link).exists(), link


def test_make_says_what_it_can_do() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"demo", "test"} <= set(re.findall(r"make (\w+)", done.stdout))


def test_an_old_python_is_told_so(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    pretend = "import collections, sys; sys.version_info = collections.namedtuple('V', 'major minor')(3, 9)"
    old.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{pretend}; $2"\n')
    old.chmod(0o755)
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    done = subprocess.run(["make", "demo", f"PYTHON={old}"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_commits_can_be_checked_without_a_network() -> None:
    config = ROOT / ".pre-commit-config.yaml"
    subprocess.run([sys.executable, "-m", "pre_commit", "validate-config", config], check=True)
    assert [repo["repo"] for repo in yaml.safe_load(config.read_text())["repos"]] == ["local"]


@pytest.mark.parametrize("script", [".ci/run", ".ci/need-tool"])
def test_scripts_parse(script: str) -> None:
    subprocess.run(["bash", "-n", ROOT / script], check=True)


def need_tool(folder: Path, **programs: str) -> subprocess.CompletedProcess[str]:
    """Run ``.ci/need-tool`` on a machine that has nothing but bash and these programs."""
    folder.mkdir()
    bash = "/bin/bash"
    for name, body in {"env": 'exec /usr/bin/env "$@"', **programs}.items():
        (folder / name).write_text(f"#!{bash}\n{body}\n")
        (folder / name).chmod(0o755)
    command = [bash, ROOT / ".ci/need-tool", "jvm", "Spark", "new-jre", "old-jre"]
    return subprocess.run(command, env={"PATH": str(folder)}, capture_output=True, text=True, check=False)


def test_a_tool_is_brought_where_it_may_be_and_only_missed_elsewhere(tmp_path: Path) -> None:
    apt = f'echo "$@" >> {tmp_path}/asked; [[ "$*" != *new-jre* ]]'
    here = need_tool(tmp_path / "here", jvm="", id="echo 0", **{"apt-get": apt})
    assert (here.returncode, here.stdout, here.stderr) == (0, "", "")

    brought = need_tool(tmp_path / "root", id="echo 0", true="", **{"apt-get": apt})
    assert (brought.returncode, brought.stderr) == (0, "")
    assert "installing old-jre" in brought.stdout  # the second choice, where the first can't be had
    assert (tmp_path / "asked").read_text().startswith("update")

    for case, sudo in {"no sudo": {}, "a password": {"sudo": "exit 1"}}.items():
        missed = need_tool(tmp_path / case.replace(" ", ""), id="echo 1000", **{"apt-get": apt, **sudo})
        assert missed.returncode == 0, case
        assert "tests of Spark will be skipped" in missed.stderr, case
        assert "apt-get install new-jre" in missed.stderr, case
