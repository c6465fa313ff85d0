"""Experiment "depth": attention alone, layer upon layer.

X <- A X, where A comes from the RMS-normalised X and Gaussian weights.

The residual is ||X - 1 m^T|| / ||X||, m the mean row.  With no mask it falls below the resolution of float64 within six
layers; ``centred`` carries it on its own scale, so that it can be followed down to 10^-1000000000.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from suite import fit
from suite.claims import Arm, Experiment, Tier
from suite.seeds import Seed
from tasks.attention_rank import matrices

LN10 = math.log(10)
DEEPEST = -40.0  # drawn for anything below
ROUNDING = -15.0  # below, the residual of a plain float64 computation is rounding


@dataclass(frozen=True)
class Network:
    """x [R, n, d] and one pair of weights [R, layers, d, d] ~ N(0, 1/d)."""

    x: Tensor
    query: Tensor
    key: Tensor


def network(seeds: Sequence[Seed], n: int, d: int, layers: int) -> Network:
    def draw(name: str, *shape: int) -> Tensor:
        rows = [torch.randn(*shape, dtype=torch.float64, generator=seed.stream(name)) for seed in seeds]
        return torch.stack(rows).to(fit.device())

    return Network(
        draw("tokens", n, d), draw("query", layers, d, d) / math.sqrt(d), draw("key", layers, d, d) / math.sqrt(d)
    )


def residual(x: Tensor) -> Tensor:
    """[R] log10 of ||X - 1 m^T|| / ||X||."""
    rest = torch.linalg.matrix_norm(x - x.mean(-2, keepdim=True))
    return (rest / torch.linalg.matrix_norm(x)).clamp_min(1e-300).log10()


def plain(start: Network, masks: Sequence[str]) -> tuple[Tensor, Tensor]:
    """[R, layers] residuals, and effective ranks of the product of all attention matrices so far."""
    x, n, d = start.x, *start.x.shape[-2:]
    product = torch.eye(n, dtype=x.dtype, device=x.device).expand(len(x), n, n)
    residuals, ranks = [], []
    for layer, mask in enumerate(masks):
        y = x / x.square().mean(-1, keepdim=True).sqrt()
        logits = (y @ start.query[:, layer]) @ (y @ start.key[:, layer]).mT / math.sqrt(d)
        a = matrices.attention(logits, mask)
        x, product = a @ x, a @ product
        residuals.append(residual(x))
        ranks.append(matrices.effective_rank(torch.linalg.svdvals(product)))
    return torch.stack(residuals, dim=1), torch.stack(ranks, dim=1)


def centred(start: Network) -> Tensor:
    """[R, layers] residuals without a mask, from X = 1 m + e r with rows m [R, 1, d], ||r|| = 1 and e kept as log e.

    With y the normalised m and e s the normalised rows less y, the logits are, but for terms that a row shares,
    e y Q (s K)^T + e^2 s Q (s K)^T =: e c_j + e^2 v_ij.  Row i then has the weights w_j (1 + u_ij) / (1 + w . u_i), w
    the softmax of e c and u = expm1(e^2 v), so that the rows of A X differ only by

        e^3 sum_j w_j (u_ij - w . u_i) / (1 + w . u_i) r_j / e^2,

    in which nothing cancels.  This is the cubic law of Dong, Cordonnier and Loukas, arXiv:2103.03404.
    """
    n, d = start.x.shape[-2:]
    m = start.x.mean(-2, keepdim=True)
    r, log_e = _unit(start.x - m, torch.zeros(len(m), 1, 1, dtype=m.dtype, device=m.device))
    found = []
    for layer in range(start.query.shape[1]):
        e = log_e.clamp_min(-600).exp()  # below, e and e^2 change nothing any more
        mean_square = m.square().mean(-1, keepdim=True)
        grown = (2 * (m * r) + e * r.square()).mean(-1, keepdim=True)  # (mean x^2 - mean m^2) / e
        size, root = (mean_square + e * grown).sqrt(), mean_square.sqrt()
        s = r / size - m * grown / (size * root * (size + root))
        key, square = s @ start.key[:, layer], (e * e).clamp_min(1e-280)
        w = torch.softmax(e * (m / root @ start.query[:, layer]) @ key.mT / math.sqrt(d), dim=-1)
        v = (s @ start.query[:, layer]) @ key.mT / math.sqrt(d)
        u = torch.where(square > 1e-20, torch.expm1(square * v) / square, v)
        shared = (w * u).sum(-1, keepdim=True)
        rows = (w * (u - shared) / (1 + square * shared)) @ r
        m = m + e * (w @ r + square * rows.mean(-2, keepdim=True))
        r, log_e = _unit(rows - rows.mean(-2, keepdim=True), 3 * log_e)
        size = 0.5 * torch.log(n * m.square().sum((-2, -1)) + (2 * log_e[:, 0, 0].clamp_min(-300)).exp())
        found.append((log_e[:, 0, 0] - size) / LN10)
    return torch.stack(found, dim=1)


def _unit(rows: Tensor, log_scale: Tensor) -> tuple[Tensor, Tensor]:
    size = torch.linalg.matrix_norm(rows, keepdim=True)
    return rows / size, log_scale + size.log()


MASKS = {
    "bidirectional": lambda layers: ["none"] * layers,
    "causal": lambda layers: ["lower"] * layers,
    "alternating": lambda layers: ["lower" if layer % 2 == 0 else "upper" for layer in range(layers)],
}


def measure(seeds: Sequence[Seed], tier: Tier, *, mask: str) -> Mapping[str, Any]:
    """log10 residuals: after each layer, at depth 8, from 8 to 9 as a factor, and the step of the last eight layers.

    "bidirectional" is followed by ``centred``, the others in plain float64, where all is ``in_floats``.
    """
    layers = tier["layers"]
    start = network(seeds, tier["n"], tier["d"], layers)
    in_floats, ranks = plain(start, MASKS[mask](layers))
    in_floats = in_floats.clamp_min(ROUNDING)
    found = centred(start) if mask == "bidirectional" else in_floats
    return {
        "residual": found.clamp_min(DEEPEST),
        "in_floats": in_floats,
        "product_rank": ranks,
        "at_8": found[:, 7],
        "floats_at_8": in_floats[:, 7],
        "factor": found[:, 8] / found[:, 7],
        "step": (in_floats[:, -1] - in_floats[:, -9]) / 8,
        "layer": [list(range(1, layers + 1))] * len(seeds),
    }


EXPERIMENT = Experiment(
    name="depth",
    measure=measure,
    arms=tuple(Arm(name, fixed={"mask": name}) for name in MASKS),
    tiers={
        "smoke": Tier(seeds=8, sizes={"n": 64, "d": 16, "layers": 20}),
        "cpu": Tier(seeds=16, at_most=64, sizes={"n": 128, "d": 16, "layers": 24}),
        "gpu": Tier(seeds=16, at_most=64, sizes={"n": 512, "d": 64, "layers": 24}),
    },
)
