# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from trimtab.problems.join_ordering.system.measure import Sample, compare, interleave


def test_the_interval_is_that_of_a_paired_t_test():
    rng = np.random.default_rng(1)
    own = np.exp(rng.normal(3, 0.2, 12))
    plan = own * np.exp(rng.normal(-0.4, 0.1, 12))
    found = compare(plan, own)
    wanted = stats.ttest_1samp(np.log(plan / own), 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((np.exp(wanted.low), np.exp(wanted.high)))
    assert found.ratio == pytest.approx(stats.gmean(plan / own))
    assert found.verdict == "faster"


def test_the_same_thing_twice_is_rarely_called_faster():
    rng = np.random.default_rng(2)
    verdicts = [compare(*np.exp(rng.normal(0, 0.1, (2, 10)))).verdict for _ in range(1000)]
    assert 10 <= verdicts.count("faster") <= 45  # 25 are expected
    assert verdicts.count("no change") >= 920


def test_runs_are_interleaved_and_what_was_stopped_is_not_run_again():
    told: list[str] = []

    def run(name: str, censored: bool = False) -> Sample:
        told.append(name)
        return Sample(1.0, censored)

    samples = interleave([lambda: run("a"), lambda: run("b"), lambda: run("late", True)], 50)
    assert [len(s) for s in samples] == [50, 50, 50]
    assert told.count("late") == 1
    assert all(s.censored for s in samples[2])
    pairs = [tuple(x for x in told if x != "late")[i : i + 2] for i in range(0, 100, 2)]
    assert all(set(pair) == {"a", "b"} for pair in pairs)  # both once a round
    assert 10 < sum(pair == ("a", "b") for pair in pairs) < 40  # in either order


def test_one_round_is_no_proof():
    with pytest.raises(ValueError, match="two rounds"):
        compare(np.ones(1), np.ones(1))
