# SPDX-License-Identifier: Apache-2.0
"""What every test may ask for, and the rule that CI skips nothing by accident."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import hypothesis
import pytest

# How long an example takes says nothing on a machine that does other work.
hypothesis.settings.register_profile("trimtab", deadline=None)
hypothesis.settings.load_profile("trimtab")

#: Part of a test's id -> why it may be skipped even where everything is installed (TRIMTAB_REQUIRE_ALL=1).
MAY_SKIP = {
    "test_builtin.py::test_solver[block_throughput-osaca]": "half a second a block; its own tests ask it a few",
    "test_builtin.py::test_solver[runtime_tuning-smac]": "builds pyrfr from source, with swig; in the benchmark only",
    "test_builtin.py::test_solver[runtime_tuning-opentuner]": "of 2022, large; in the benchmark only",
    "runtime_tuning/packs/test_packs.py::test_the_tool_takes_random_configurations[clang]": "clang is large",
    "runtime_tuning/packs/test_packs.py::test_the_default_changes_nothing[clang]": "clang is large",
    "runtime_tuning/packs/test_packs.py::test_a_change_of_one_knob_is_told_of_it_alone[clang]": "clang is large",
    "runtime_tuning/packs/test_packs.py::test_everything_is_more[clang]": "clang is large",
    **dict.fromkeys(
        (
            f"test_builtin.py::test_solver[device_placement-{name}]"
            for name in ("single", "contiguous", "ideals", "cp_sat")
        ),
        "declines the first shipped instances (memory, links, size); its own tests check it on others",
    ),
    "test_processes.py::test_links_are_shaped": "links are shaped by root only, where the kernel has tbf",
    "test_builtin.py::test_backend[cluster_scheduling-system]": "Spark is started by the system's own tests",
}


@pytest.fixture(scope="session")
def public_data() -> Path:
    """The (first) folder of public data sets that ``TRIMTAB_DATA`` names; skips the test where it is unset."""
    folder = os.environ.get("TRIMTAB_DATA", "").partition(os.pathsep)[0]
    if not folder:
        pytest.skip("TRIMTAB_DATA is not set: the public data sets (Decima's TPC-H, Alibaba 2018) are not here")
    if not Path(folder).is_dir():
        pytest.fail(f"TRIMTAB_DATA is {folder}, which is not a folder")
    return Path(folder)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse_skip(report, item.nodeid)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(report, collector.nodeid)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport, nodeid: str) -> None:
    """With ``TRIMTAB_REQUIRE_ALL=1``, as in CI, a skip is a failure unless `MAY_SKIP` gives its reason."""
    if report.outcome != "skipped" or hasattr(report, "wasxfail") or os.environ.get("TRIMTAB_REQUIRE_ALL") != "1":
        return
    if not any(part in nodeid for part in MAY_SKIP):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"TRIMTAB_REQUIRE_ALL=1 and this was skipped: {reason}"
