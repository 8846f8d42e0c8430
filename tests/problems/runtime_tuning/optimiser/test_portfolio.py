# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from trimtab.problems.runtime_tuning.encoding import Encoding, Floats
from trimtab.problems.runtime_tuning.optimiser.gp import Kernel, learn
from trimtab.problems.runtime_tuning.optimiser.history import Observed
from trimtab.problems.runtime_tuning.optimiser.portfolio import Portfolio, data_of, portfolio, smooth, trees
from trimtab.problems.runtime_tuning.space import Knob, KnobSpace


def _mixed(space: KnobSpace, y_of: object, n: int, censored: object = None) -> tuple[Encoding, Floats, Portfolio]:
    assert callable(y_of)
    encoding, rng = Encoding(space), np.random.default_rng(0)
    codes = encoding.spread(rng.random((n, encoding.size)))
    y = y_of(codes)
    y = (y - y.mean()) / y.std()
    seen = Observed(np.arange(n), y, np.ones(n), np.zeros(n, np.bool_), 0, 0.0)
    kernel = Kernel(encoding.owner, encoding.feature_owner, encoding.size)
    theta = learn(kernel, data_of(encoding, seen, codes), None, 60)
    members = [smooth(encoding, kernel, theta, seen, codes), trees(encoding, seen, codes, rng)]
    return encoding, codes, portfolio(members, codes, np.ones(n))


def test_a_smooth_function_is_the_gaussian_process_business() -> None:
    space = KnobSpace(tuple(Knob(f"x{i}", "real", 0.5, 0.0, 1.0) for i in range(4)))
    _, _, mixed = _mixed(space, lambda c: np.sin(3 * c[:, 0]) + c[:, 1] * c[:, 2], 60)
    assert type(mixed.members[int(mixed.weights.argmax())]).__name__ == "Smooth"
    assert mixed.weights.max() > 0.9
    assert mixed.weights.sum() == pytest.approx(1.0)


def test_a_jagged_function_is_the_forest_business() -> None:
    """Cliffs in one of twelve numbers: nothing is smooth, or additive on the basis of the Gaussian process."""
    space = KnobSpace(tuple(Knob(f"x{i}", "real", 0.5, 0.0, 1.0) for i in range(12)))

    def cliffs(codes: Floats) -> Floats:
        return np.where(codes[:, 0] > 0.52, 1.0, 0.0) * np.where(codes[:, 1] > 0.48, 1.0, -1.0)

    _, _, mixed = _mixed(space, cliffs, 60)
    assert any(type(m).__name__ == "Trees" and w > 0.5 for m, w in zip(mixed.members, mixed.weights, strict=True))


def test_a_censored_value_is_at_least_its_bound_and_pulls_no_lower() -> None:
    encoding = Encoding(KnobSpace((Knob("x", "real", 0.5, 0.0, 1.0),)))
    codes = encoding.encode([{"x": x} for x in (0.0, 0.25, 0.5, 0.75, 1.0)])
    y = np.array([-1.0, -0.5, 0.0, 0.5, 0.2])  # the last was killed at 0.2, on its way to 1
    kernel = Kernel(encoding.owner, encoding.feature_owner, encoding.size)

    def at_the_end(censored: bool) -> float:
        flags = np.array([False] * 4 + [censored])
        seen = Observed(np.arange(5), y, np.ones(5), flags, 0, 0.0)
        return float(smooth(encoding, kernel, kernel.mode, seen, codes).predict(codes[-1:])[0][0])

    assert at_the_end(True) > at_the_end(False) + 0.1
    assert at_the_end(True) > 0.2
