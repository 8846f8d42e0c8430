# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from trimtab.core.fingerprint import fingerprint
from trimtab.core.problem import Split
from trimtab.problems.device_placement.problem import LINKS
from trimtab.problems.device_placement.workload import sharded
from trimtab.problems.device_placement.workload.building import GraphBuilder

SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@pytest.mark.parametrize("family", sharded.PROGRAMS)
def test_same_seed_same_instance(family: str) -> None:
    assert fingerprint(sharded.draw(family, 3)) == fingerprint(sharded.draw(family, 3))
    assert fingerprint(sharded.draw(family, 3)) != fingerprint(sharded.draw(family, 4))


def test_a_product_of_blocks_has_the_ops_and_flops_of_the_product() -> None:
    """(3 x 2 blocks) (2 x 4 blocks): 24 products, 12 sums of two."""
    builder = sharded.Names("one", sharded.KINDS)
    program = sharded.Program(builder, flat=False)
    a, b = program.given("a", 3, 2, 4096, 4096), program.given("b", 2, 4, 4096, 4096)
    made = program.product(a, b)
    graph = builder.build()
    assert made.shape == (3, 4)
    assert graph.num_ops == 24 + 12
    products = np.array([name.startswith("mm") for name in graph.op_name])
    flops = (graph.compute_s[products, 0] - sharded.LAUNCH).sum() * sharded.FLOPS
    assert flops == pytest.approx(2.0 * (3 * 4096) * (2 * 4096) * (4 * 4096), rel=1e-9)
    assert graph.param_bytes.sum() == sharded.WIDTH * 4096 * 4096 * (3 * 2 + 2 * 4)


def test_families_of_training_and_test_differ() -> None:
    made = [sharded.instances(split, 2) for split in SPLITS]
    families = [{i.graph.family for i in of.values()} for of in made]
    assert not families[0] & families[1] | families[0] & families[2] | families[1] & families[2]
    assert [len(of) for of in made] == [6, 2, 4]


def test_all_link_modes_are_drawn() -> None:
    assert {sharded.draw("chain", seed).topology.links for seed in range(40)} == set(LINKS)


def test_builder_is_a_builder() -> None:
    assert issubclass(sharded.Names, GraphBuilder)
