"""What needs no training: identities of the losses (c5, c6), matrices of similarities (c11), the generator (i1, i2)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from suite.blocks.data.sentence_pairs import ceiling, sentence_pairs
from suite.blocks.losses.cosent import cosent
from suite.blocks.losses.pointwise import logistic
from suite.claims import Experiment, Tier
from suite.seeds import Seed
from tasks.cosent_vs_cross_entropy.binary import EVEN, FEWER, RARE
from tasks.cosent_vs_cross_entropy.metrics import ranks, spearman
from tasks.cosent_vs_cross_entropy.worlds import FLIPS

PAIRS = 64
ITEMS, ERROR = 200, 0.5  # sentences whose similarities are sketched, and the error that is asked for


def two_logits(seed: Seed) -> tuple[float, float]:
    """Largest difference in value and in gradient between softmax cross-entropy of (z_0, z_1) and BCE of z_1 - z_0."""
    stream = seed.stream("logits")
    z = (4 * torch.randn(PAIRS, 2, generator=stream, dtype=torch.float64)).requires_grad_()
    y = torch.randint(2, (PAIRS,), generator=stream)
    softmax = F.cross_entropy(z, y)
    binary = logistic((z[:, 1] - z[:, 0]).unsqueeze(0), y.double().unsqueeze(0))[0]
    [a], [b] = torch.autograd.grad(softmax, z), torch.autograd.grad(binary, z)
    return float((softmax - binary).detach().abs()), float((a - b).abs().max())


def order_alone(seed: Seed) -> tuple[float, float]:
    """Largest change of CoSENT's value and gradient under rising relabellings, and under f + c."""
    stream = seed.stream("scores")
    f = torch.randn(1, PAIRS, generator=stream, dtype=torch.float64)
    y = torch.randint(6, (1, PAIRS), generator=stream).double()

    def both(scores: Tensor, labels: Tensor) -> Tensor:
        scores = scores.clone().requires_grad_()
        value = cosent(scores, labels)
        [gradient] = torch.autograd.grad(value.sum(), scores)
        return torch.cat([value.detach(), gradient[0]])

    known = both(f, y)
    relabelled = [both(f, labels) for labels in (y.exp(), y**3 - 7, torch.atan(y), 2.0 ** -y.neg())]
    shifted = [both(f + c, y) for c in (-3.0, 0.5, 10.0)]
    return (
        max(float((other - known).abs().max()) for other in relabelled),
        max(float((other - known).abs().max()) for other in shifted),
    )


def area_under_curve(scores: Tensor, labels: Tensor) -> float:
    """Share of (positive, negative) pairs in the right order, ties counting half: scores and labels [N]."""
    positive = labels > 0.5
    n, m = int(positive.sum()), int((~positive).sum())
    return (float(ranks(scores)[positive].sum()) - n * (n + 1) / 2) / (n * m)


def correlation_is_area(seed: Seed) -> float:
    """|Spearman - (2 AUC - 1) sqrt(3 p (1 - p)) n / sqrt(n^2 - 1)| for binary labels and scores without ties."""
    stream = seed.stream("area")
    f = torch.randn(500, generator=stream, dtype=torch.float64)
    y = (torch.rand(500, generator=stream) < 0.3).double()
    p, n = float(y.mean()), len(y)
    known = (2 * area_under_curve(f, y) - 1) * math.sqrt(3 * p * (1 - p)) * n / math.sqrt(n**2 - 1)
    return abs(float(spearman(f.unsqueeze(0), y.unsqueeze(0))[0]) / 100 - known)


def similarities(seed: Seed) -> tuple[float, float]:
    """S = B B^T, positive semidefinite with ones on its diagonal, [ITEMS, ITEMS].

    Largest error of B from eigenvectors, in n dimensions; largest error over the one allowed when B is projected
    to 8 ln n / error^2 dimensions at random (Johnson and Lindenstrauss).
    """
    stream = seed.stream("similarities")
    rows = F.normalize(torch.randn(ITEMS, 50, generator=stream, dtype=torch.float64), dim=1)
    s = rows @ rows.mT
    values, vectors = torch.linalg.eigh(s)
    b = vectors * values.clamp(min=0).sqrt()
    dimensions = math.ceil(8 * math.log(ITEMS) / ERROR**2)
    sketch = b @ torch.randn(ITEMS, dimensions, generator=stream, dtype=torch.float64) / math.sqrt(dimensions)
    return float((b @ b.mT - s).abs().max()), float((sketch @ sketch.mT - s).abs().max()) / ERROR


def smallest_eigenvalue() -> float:
    """Of the similarities [[1, 1, 0], [1, 1, 1], [0, 1, 1]]: 1 - sqrt(2), so that no B has B B^T equal to them."""
    return float(torch.linalg.eigvalsh(torch.tensor([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]], dtype=torch.float64))[0])


def measure(seeds: Sequence[Seed], tier: Tier) -> Mapping[str, Any]:
    logits, orders = [two_logits(seed) for seed in seeds], [order_alone(seed) for seed in seeds]
    matrices = [similarities(seed) for seed in seeds]
    return {
        "softmax_value": [value for value, _ in logits],
        "softmax_gradient": [gradient for _, gradient in logits],
        "relabelled": [change for change, _ in orders],
        "shifted": [change for _, change in orders],
        "area": [correlation_is_area(seed) for seed in seeds],
        "factored": [error for error, _ in matrices],
        "sketched": [error for _, error in matrices],
        "smallest": [smallest_eigenvalue()] * len(seeds),
    }


KINDS = (("replaced", EVEN), ("swapped", FEWER), ("replaced", RARE))


def generator(seeds: Sequence[Seed], tier: Tier) -> Mapping[str, Any]:
    """A perfect scorer without ties against its ceiling, per task; how well counting shared words sees a swap."""
    gaps, words = [], []
    for seed in seeds:
        row = []
        for number, (kind, positives) in enumerate(KINDS):
            stream = seed.stream(f"task {number}")
            found = sentence_pairs(kind, tier["number"], stream, positives=positives, flips=FLIPS)
            scores = found.truth + 0.1 * torch.rand(tier["number"], generator=stream)
            perfect = spearman(scores.unsqueeze(0), found.label.unsqueeze(0))
            row.append(float(perfect) - ceiling(positives, FLIPS))
            if kind == "swapped":
                shared = (found.left.unsqueeze(2) == found.right.unsqueeze(1)).sum((1, 2)).double()
                words.append(100 * area_under_curve(shared, found.truth))
        gaps.append(row)
    return {"above_ceiling": gaps, "bag": words}


EXPERIMENT = Experiment(name="identities", measure=measure, tiers={"smoke": Tier(seeds=2), "cpu": Tier(seeds=8)})
GENERATOR = Experiment(
    name="generator",
    measure=generator,
    tiers={
        "smoke": Tier(seeds=8, sizes={"number": 4000}),
        "cpu": Tier(seeds=16, at_most=64, sizes={"number": 20_000}),
    },
)
