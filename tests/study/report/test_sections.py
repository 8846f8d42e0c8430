# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re

from trimtab.study.report import sections

from . import samples


def entries(html: str) -> dict[str, str]:
    pairs = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", html)
    return {name: re.sub(r"<[^>]+>", "", value) for name, value in pairs}


def test_asked() -> None:
    found = entries(sections.asked(samples.search()))
    assert found["Instances"] == "12, test split"
    assert found["Seeds"] == "3 (0, 1 and 2)"
    assert found["Reference"] == "default and random"
    assert found["Budget"] == "200 evaluations"
    assert found["Solvers"] == "6"


def test_environment_takes_any_mapping() -> None:
    found = entries(sections.environment({"memory": 2**31, "load": 0.123456, "pair": (1, 2), "a_b": {"c": 1}}))
    assert found == {"memory": "2.0 GiB", "load": "0.1235", "pair": "1, 2", "a b": "c 1"}


def test_file_names_are_harmless() -> None:
    links = sections.download_links("../a b</x>", "1", "2")
    assert re.findall(r'download="([^"]+)"', links) == ["---a-b--x-.csv", "---a-b--x-.json"]
