"""Scaled frequencies and query factors against loops over scalars."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from suite.blocks.positions import log_scale, scaling
from suite.blocks.positions.rope import frequencies


def naive(
    name: str, d: int, base: float, k: float, b: float = 0.625, length: int = 64, tau: float = 4.0
) -> list[float]:
    """The posts' formulas digit by digit, m = 1 .. d/2, beta = base^(2/d)."""
    beta, found = base ** (2 / d), []
    for m in range(1, d // 2 + 1):
        theta = beta ** -(m - 1)
        if name == "pi":
            found.append(theta / k)
        elif name == "ntk_old":
            found.append((beta * k ** (2 / d)) ** -(m - 1))
        elif name == "ntk":
            found.append((base * k ** (d / (d - 2))) ** (-2 * (m - 1) / d))
        elif name == "ntk_fixed":
            lam = k ** (2 / d)
            found.append((beta * lam) ** -(m - 1) / lam)
        elif name == "ntk_mixed":
            a = math.log(k) / (d / 2) ** b
            found.append(theta * math.exp(-a * m**b))
        else:
            turns = theta * length / (2 * math.pi)
            part = min(1.0, max(0.0, (turns - 1) / (tau - 1)))
            found.append(part * theta + (1 - part) * theta / k)
    return found


CALLS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "pi": scaling.pi,
    "ntk_old": scaling.ntk_old,
    "ntk": scaling.ntk,
    "ntk_fixed": scaling.ntk_fixed,
    "ntk_mixed": lambda theta, k: scaling.ntk_mixed(theta, k, 0.625),
    "yarn": lambda theta, k: scaling.yarn(theta, k, 64, 4.0),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(("d", "base", "k"), [(32, 1e4, 8.0), (8, 100.0, 2.5), (128, 5e5, 16.0)])
def test_frequencies(name: str, d: int, base: float, k: float) -> None:
    found = CALLS[name](frequencies(d, base), k)
    assert found.dtype == torch.float64
    assert found.tolist() == pytest.approx(naive(name, d, base, k), rel=1e-12)
    assert torch.allclose(CALLS[name](frequencies(d, base), 1.0), frequencies(d, base), rtol=1e-13)  # k = 1: nothing


@pytest.mark.parametrize("b", [0.0, 0.25, 0.625, 1.0])
def test_shares_rebuild_mixed_radix(b: float) -> None:
    theta, k = frequencies(32, 1e4), 8.0
    shares = scaling.share(16, k, b)
    whole = 1.0
    for i, lam in enumerate(shares.tolist()):
        whole *= lam
        assert float(scaling.ntk_mixed(theta, k, b)[i]) == pytest.approx(float(theta[i]) / whole, rel=1e-12)
    assert whole == pytest.approx(k, rel=1e-12)


def test_yarn_keeps_the_fast_and_interpolates_the_slow() -> None:
    theta = frequencies(32, 1e4)
    found = scaling.yarn(theta, 8.0, 64, 4.0) / theta
    turns = theta * 64 / (2 * math.pi)
    assert bool((found[turns >= 4] == 1).all())
    assert bool((found[turns <= 1] == 1 / 8).all())
    assert bool((found.diff() <= 0).all())


def test_factors_of_queries() -> None:
    n = torch.arange(1, 600)
    for i in (0, 1, 62, 63, 64, 511):
        exact = math.log(i + 1) / math.log(64)
        assert float(log_scale.log_n(64)(n)[i]) == pytest.approx(exact, abs=1e-15)
        assert float(log_scale.log_n_dagger(64)(n)[i]) == pytest.approx(max(1.0, exact))
    assert float(log_scale.yarn_scale(8.0)(n)[5]) == pytest.approx((1 + 0.1 * math.log(8)) ** 2)
