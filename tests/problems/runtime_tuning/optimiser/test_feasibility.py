# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from trimtab.problems.runtime_tuning.encoding import Bools, Encoding, Floats
from trimtab.problems.runtime_tuning.optimiser.feasibility import Feasibility, _believe

from ..spaces import wide

SPACE = wide(8, 14)
ENCODING = Encoding(SPACE)
ENUM = int(next(i for i in ENCODING.listed if ENCODING.counts[i] == 4))
OTHER = int(next(i for i in ENCODING.listed if i != ENUM))
NUMBER = int(ENCODING.numbers[0])


def _flag(codes: Floats) -> Bools:
    return codes[:, ENUM] == 1


def _both(codes: Floats) -> Bools:
    return (codes[:, ENUM] >= 2) & (codes[:, OTHER] == 0)


def _large(codes: Floats) -> Bools:
    return codes[:, NUMBER] > 0.7


@pytest.mark.parametrize("rule", [_flag, _both, _large], ids=["a value", "two values together", "a large number"])
@pytest.mark.parametrize("seed", range(3))
def test_a_hidden_rule_is_learnt_from_few_failures(rule: object, seed: int) -> None:
    assert callable(rule)
    rng = np.random.default_rng(seed)
    codes = ENCODING.spread(rng.random((40, ENCODING.size)))
    model = Feasibility(ENCODING, codes, ~rule(codes))
    new = ENCODING.spread(rng.random((2000, ENCODING.size)))
    works, truth = model.works(new), ~rule(new)
    assert 0 < truth.mean() < 1
    assert ((works >= 0.5) == truth).mean() > 0.85
    chosen = np.argsort(-works)[:200]
    assert truth[chosen].mean() > 0.95


def test_a_limit_is_seen_where_another_rule_fails_at_its_edge() -> None:
    """Many trials at the highest value that works, one of which failed for another reason."""
    codes = np.repeat(ENCODING.default[None, :], 30, axis=0)
    codes[:20, NUMBER], codes[20:, NUMBER] = 0.5, 1.0
    codes[7, ENUM] = (ENCODING.default[ENUM] + 1) % 4
    valid = np.arange(30) < 20
    valid[7] = False
    works = Feasibility(ENCODING, codes, valid).works(codes)
    assert works[0] > 0.9
    assert works[7] < 0.8
    assert works[25] < 0.1


def test_where_nothing_failed_all_is_well() -> None:
    codes = ENCODING.spread(np.random.default_rng(0).random((10, ENCODING.size)))
    assert (Feasibility(ENCODING, codes, np.ones(10, np.bool_)).works(codes) == 1.0).all()


def _believed(fires: Floats, valid: Bools, prior: Floats) -> Floats:
    return _believe(fires[~valid] > 0, fires[valid].sum(axis=0), prior)


def test_beliefs_are_those_of_the_formula_in_full() -> None:
    """Noisy-or, every hypothesis against every failure, one at a time."""
    rng = np.random.default_rng(5)
    failed, cleared, prior = rng.random((7, 40)) < 0.2, rng.integers(0, 2, 40) * 1.0, rng.choice([0.03, 0.002], 40)
    odds = np.log(prior / (1 - prior)) + cleared * np.log(0.05)
    belief = 1 / (1 + np.exp(-odds))
    for _ in range(15):
        gain = np.zeros(40)
        for i, j in zip(*np.nonzero(failed), strict=True):
            others = np.prod([1 - 0.95 * belief[k] for k in np.flatnonzero(failed[i]) if k != j])
            gain[j] += np.log(0.95 / max(1 - 0.99 * others, 0.01))
        belief = 0.5 * belief + 0.5 / (1 + np.exp(-(odds + gain)))
    assert _believe(failed, cleared, prior) == pytest.approx(belief, rel=1e-9)


def test_one_success_clears_what_holds_in_it() -> None:
    """Two suspects of one failure; one of them also held where a trial worked."""
    fires = np.array([[1.0, 1.0], [0.0, 1.0]])
    belief = _believed(fires, np.array([False, True]), np.array([0.03, 0.03]))
    assert belief[0] > 0.5 > 0.02 > belief[1]


def test_equal_suspects_share_the_blame_and_the_simpler_one_gets_more() -> None:
    fires = np.ones((1, 3))
    a, b, pair = _believed(fires, np.array([False]), np.array([0.03, 0.03, 0.002]))
    assert a == pytest.approx(b)
    assert a > 5 * pair


def test_a_failure_by_chance_is_forgiven() -> None:
    """What worked eleven times and failed once is no rule."""
    fires = np.ones((12, 1))
    belief = _believed(fires, np.arange(12) > 0, np.array([0.03]))
    assert belief[0] < 0.01
