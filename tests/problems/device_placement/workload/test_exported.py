# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from trimtab.core.fingerprint import fingerprint
from trimtab.problems.device_placement.problem import PlacementInstance
from trimtab.problems.device_placement.workload import exported
from trimtab.problems.device_placement.workload.profiling import Nominal
from trimtab.problems.device_placement.workload.suites import FAMILIES


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_CACHE", str(tmp_path))
    exported.folder.cache_clear()


@pytest.mark.parametrize("family", exported.DRAWN)
def test_every_family_is_exported_without_memory(family: str) -> None:
    """Sizes of which some would take gigabytes; one of five seeds is a training step and one is not."""
    made: set[bool] = set()
    seed = 0
    while len(made) < 2:
        graph = exported.draw(family, seed).graph
        made.add(bool(graph.is_backward.any()))
        assert graph.family == family
        assert graph.num_ops > 10
        seed += 1


def test_a_graph_is_the_same_again_whether_kept_or_not(tmp_path: Path) -> None:
    first = exported.draw("mixer", 3)
    kept = exported.draw("mixer", 3)
    for path in tmp_path.rglob("*.npz"):
        path.unlink()
    anew = exported.draw("mixer", 3)
    assert fingerprint(first) == fingerprint(kept) == fingerprint(anew)
    assert fingerprint(first) != fingerprint(exported.draw("mixer", 4))


def test_a_product_takes_what_the_data_sheet_says() -> None:
    """The head of BERT: words x width x vocabulary, 2 FLOP each, on the meta device."""
    import torch

    with torch.device("meta"):
        module, inputs = exported.of.Transformer(1, 512, 8, 4000, 64, causal=False), (exported.words(4, 64),)
        graph, _ = exported.capture(module, inputs, "head", "bert", train=False, nominal=Nominal(1e9, 1e30, 0.0))
    flops = 2.0 * 4 * 64 * 512 * 4000
    assert graph.compute_s[-1, 0] == pytest.approx(flops / 1e9, rel=1e-6)


def test_families_keep_their_splits() -> None:
    placed = {family: split for split, families in FAMILIES.items() for family in families}
    assert {placed[family] for family in exported.DRAWN} == {"train", "validation", "test"}
    assert sum(placed[family] == "train" for family in exported.DRAWN) == 6


def test_the_suite_is_of_its_split(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exported, "EACH", {"train": 1, "validation": 2, "test": 1})
    made: list[PlacementInstance] = list(exported.suite("validation").values())
    assert {one.graph.family for one in made} == {"vit", "unet"}
    assert all(one.graph.num_ops <= exported.MOST for one in made)
