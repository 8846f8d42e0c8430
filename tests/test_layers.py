# SPDX-License-Identifier: Apache-2.0
"""The rules of the house that an import checker can't say, read from the source itself."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parent.parent / "src" / "trimtab"
MODULES = {
    ".".join(("trimtab", *path.relative_to(SRC).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in SRC.rglob("*.py")
}
NAMES = {path: name for name, path in MODULES.items()}
PROBLEMS = sorted(path.name for path in (SRC / "problems").iterdir() if (path / "__init__.py").is_file())

MAY_IMPORT_TORCH = (
    *("learned.py", "learned/", "kit/"),
    "baselines/optuna_samplers.py",  # asks only whether it is there, for Optuna's own Gaussian process
    *(
        f"device_placement/{room}" for room in ("workload/", "program/", "system/", "deploy.py")
    ),  # modules are its subject
)
MAY_START_PROCESSES = (
    *("system.py", "system/", "capture.py", "capture/", "workload/spark_tpch.py"),  # the last is what both share
    "baselines/process.py",  # other people's analysers, such as llvm-mca
    *("workload/tpc.py", "workload/aptdb/index.py"),  # run tpcgen-cli, and apt-cache
    *(
        "kit/postgresql.py",
        "runtime_tuning/packs/",
        "runtime_tuning/workload/programs/",
    ),  # a server of one's own; tools are asked for their knobs
    *("core/extras.py", "study/", "testing/", "cli/doctor.py"),
)
MAY_PICKLE = ("study/worker.py", "study/processes.py", "study/cluster.py")  # to its own workers, never to a file
PICKLES = {"pickle", "dill", "cloudpickle", "marshal", "shelve"}
FORBIDDEN_CALLS = {"os.system", "os.popen", "eval", "exec", "pickle.load", "pickle.dump"}
STARTS_PROCESSES = {"subprocess", "multiprocessing", "pty"}


def in_rooms(path: Path, rooms: tuple[str, ...]) -> bool:
    return any(f"/{room}" in f"/{path.relative_to(SRC).as_posix()}" for room in rooms)


def imports(path: Path, *, only_at_import: bool = False) -> Iterator[str]:
    """Absolute names of what a module imports; with `only_at_import`, not what its functions or type checkers do."""
    package = NAMES[path].split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in walk(ast.parse(path.read_text()), only_at_import):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            yield origin
            yield from (f"{origin}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {"need", "import_module"}:
            yield from (a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str))


def walk(node: ast.AST, only_at_import: bool) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if only_at_import and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if only_at_import and isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from walk(child, only_at_import)


def offenders(names: set[str], allowed: tuple[str, ...]) -> list[str]:
    return sorted(
        NAMES[path]
        for path in MODULES.values()
        if not in_rooms(path, allowed) and names & {name.partition(".")[0] for name in imports(path)}
    )


def test_only_learned_and_kit_import_torch() -> None:
    assert offenders({"torch"}, MAY_IMPORT_TORCH) == []


def test_only_systems_and_captures_start_processes() -> None:
    assert offenders(STARTS_PROCESSES, MAY_START_PROCESSES) == []


def test_nothing_goes_through_a_shell_or_a_pickle() -> None:
    assert offenders(PICKLES, MAY_PICKLE) == []
    for path in MODULES.values():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in FORBIDDEN_CALLS, f"{path}:{node.lineno} calls {called}"
                shell = [k for k in node.keywords if k.arg == "shell" and not is_false(k.value)]
                assert not shell, f"{path}:{node.lineno} uses a shell"


def is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def test_core_is_small_and_light() -> None:
    core = [path for path in MODULES.values() if path.parent == SRC / "core"]
    assert sum(len(path.read_text().splitlines()) for path in core) < 900
    foreign = {name.partition(".")[0] for path in core for name in imports(path)} - {"trimtab"}
    assert {name for name in foreign if is_installed(name)} <= {"numpy", "gymnasium"}


def is_installed(name: str) -> bool:
    """Whether a top-level module comes from a package and not with Python."""
    return name not in sys.stdlib_module_names and name != "__future__"


@pytest.mark.parametrize("problem", PROBLEMS)
def test_problems_never_import_each_other(problem: str) -> None:
    others = {f"trimtab.problems.{other}" for other in PROBLEMS if other != problem}
    for name, path in MODULES.items():
        if name.startswith(f"trimtab.problems.{problem}"):
            assert not {i for i in imports(path) if ".".join(i.split(".")[:3]) in others}, name


@pytest.mark.parametrize("problem", PROBLEMS)
def test_no_other_room_names_a_problem(problem: str) -> None:
    """No central table, no ladder over names: a problem is known by its entry point alone."""
    for name, path in MODULES.items():
        if not name.startswith("trimtab.problems."):
            strings = {
                node.value
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Constant) and node.value == problem
            }
            assert not strings, f"{name} names {problem!r}"


def test_no_import_cycle() -> None:
    graph = {name: {i for i in imports(path, only_at_import=True) if i in MODULES} for name, path in MODULES.items()}
    # `from . import x` inside a package names the package too; a package importing its own parts is no cycle.
    graph = {name: {i for i in used if not name.startswith(f"{i}.") and i != name} for name, used in graph.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError with the cycle


@pytest.mark.parametrize("name", sorted(MODULES))
def test_every_module_says_its_licence(name: str) -> None:
    assert MODULES[name].read_text().startswith("# SPDX-License-Identifier: Apache-2.0\n")


def test_files_have_one_subject() -> None:
    """About 400 lines is where a room becomes a folder; 500 is where this test says so."""
    long = {name: lines for name, path in MODULES.items() if (lines := len(path.read_text().splitlines())) > 500}
    assert not long
