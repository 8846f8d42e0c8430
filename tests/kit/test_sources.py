# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

from trimtab.kit import sources
from trimtab.problems import cluster_scheduling

FOLDER = Path(cluster_scheduling.__file__).parent / "simulator"


def names(module: str) -> set[str]:
    return {path.stem for path in sources.made_of(FOLDER / f"{module}.py")}


def test_a_function_is_made_of_what_its_file_imports():
    assert names("compiled") == {"compiled"}
    assert names("draws") == {"compiled", "draws"}
    assert {"engine", "rules", "cluster", "timeline", "draws", "state", "tables"} <= names("many")
    assert "many" not in names("engine")


def test_imports_in_every_form_and_from_above(tmp_path: Path):
    below = tmp_path / "package" / "below"
    below.mkdir(parents=True)
    (below / "here.py").write_text(
        "import os\nfrom . import one, two\nfrom . import five as of\n"
        "from ..three import x\nfrom ..far.four import (\n    y,\n    z,\n)\n"
    )
    (tmp_path / "package" / "far").mkdir()
    for name in ("below/one", "below/two", "below/five", "three", "far/four", "alone"):
        (tmp_path / "package" / f"{name}.py").write_text("")
    found = {path.stem for path in sources.made_of(below / "here.py")}
    assert found == {"here", "one", "two", "three", "four", "five"}


def test_the_digest_is_of_all_that_a_file_is_made_of(tmp_path: Path):
    (tmp_path / "below.py").write_text("A = 1\n")
    (tmp_path / "above.py").write_text("from .below import A\n")
    (tmp_path / "beside.py").write_text("B = 1\n")
    before = sources.digest(tmp_path / "above.py"), sources.digest(tmp_path / "beside.py")
    (tmp_path / "below.py").write_text("A = 2\n")
    after = sources.digest(tmp_path / "above.py"), sources.digest(tmp_path / "beside.py")
    assert [a == b for a, b in zip(before, after, strict=True)] == [False, True]
