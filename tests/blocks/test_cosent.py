"""CoSENT against the double sum as it stands, value and gradient, and against sentence-transformers."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from suite.blocks.losses.cosent import cosent
from suite.blocks.losses.pointwise import logistic, squared_error


def naive(scores: Tensor, labels: Tensor, scale: float = 1.0) -> Tensor:
    """log(1 + sum of exp(scale (f_k - f_i)) over y_i > y_k), pair by pair, for one batch [B]."""
    terms = [
        scale * (scores[k] - scores[i]) for i in range(len(scores)) for k in range(len(scores)) if labels[i] > labels[k]
    ]
    return torch.stack([0 * scores[0], *terms]).logsumexp(0)


def both(loss: object, scores: Tensor, labels: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    scores = scores.clone().requires_grad_()
    value = loss(scores, labels, scale)  # type: ignore[operator]
    [gradient] = torch.autograd.grad(value.sum(), scores)
    return value.detach(), gradient


@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(1, 12),
    kinds=st.integers(1, 6),
    scale=st.sampled_from([1.0, 20.0]),
    spread=st.sampled_from([0.1, 1.0, 30.0]),
    seed=st.integers(0, 2**32),
)
def test_like_the_double_sum(size: int, kinds: int, scale: float, spread: float, seed: int) -> None:
    stream = torch.Generator().manual_seed(seed)
    f = spread * torch.randn(3, size, generator=stream, dtype=torch.float64)
    y = torch.randint(kinds, (3, size), generator=stream).double() / 7
    value, gradient = both(cosent, f, y, scale)
    for row in range(3):
        known, slope = both(naive, f[row], y[row], scale)
        assert torch.allclose(value[row], known, rtol=1e-12, atol=1e-12)
        assert torch.allclose(gradient[row], slope, rtol=1e-9, atol=1e-12)


def test_by_hand() -> None:
    f, y = torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([[1.0, 0.5, 0.0]])
    known = math.log(1 + 2 * math.exp(-1) + math.exp(-2))
    assert float(cosent(f, y)) == pytest.approx(known, rel=1e-6)
    assert float(cosent(f, -y)) == pytest.approx(math.log(1 + 2 * math.exp(1) + math.exp(2)), rel=1e-6)


def test_one_label_gives_nothing() -> None:
    value, gradient = both(cosent, torch.tensor([[3.0, -1.0, 40.0]]), torch.ones(1, 3), 1.0)
    assert float(value) == 0.0
    assert torch.equal(gradient, torch.zeros(1, 3))


def test_extremes_stay_finite() -> None:
    f = torch.tensor([[1e4, -1e4, 0.0, 5e3]])
    for y in (torch.tensor([[0.0, 1.0, 0.0, 1.0]]), torch.tensor([[1.0, 0.0, 0.0, 1.0]])):
        value, gradient = both(cosent, f, y, 20.0)
        assert torch.isfinite(value).all()
        assert torch.isfinite(gradient).all()


def test_binary_labels_factorise() -> None:
    """softplus(logsumexp of the negatives + logsumexp of minus the positives), a third way to the same number."""
    stream = torch.Generator().manual_seed(5)
    f = torch.randn(1, 40, generator=stream, dtype=torch.float64)
    y = (torch.rand(1, 40, generator=stream) < 0.3).double()
    known = F.softplus(f[y == 0].logsumexp(0) + (-f[y == 1]).logsumexp(0))
    assert float(cosent(f, y)) == pytest.approx(float(known), rel=1e-13)


def test_like_sentence_transformers() -> None:
    """Its loss takes embeddings; a model that hands over pairs with known cosines stands in for the encoder."""
    losses = pytest.importorskip("sentence_transformers.losses")

    class Handed(torch.nn.Module):
        def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
            return {"sentence_embedding": features["vectors"]}

    stream = torch.Generator().manual_seed(6)
    for labels in (torch.tensor([1.0, 0, 0, 1, 1, 0, 0, 1]), torch.tensor([0.0, 1, 2, 3, 3, 2, 5, 0.5])):
        u, v = (torch.randn(8, 5, generator=stream).requires_grad_() for _ in range(2))
        theirs = losses.CoSENTLoss(Handed(), scale=20.0)([{"vectors": u}, {"vectors": v}], labels)
        ours = cosent(F.cosine_similarity(u, v).unsqueeze(0), labels.unsqueeze(0), 20.0)
        assert float(ours.detach()) == pytest.approx(float(theirs.detach()), rel=1e-6)
        known = torch.autograd.grad(theirs.sum(), (u, v))
        for mine, their in zip(torch.autograd.grad(ours.sum(), (u, v)), known, strict=True):
            assert torch.allclose(mine, their, rtol=1e-4, atol=1e-6)


def test_pointwise_losses_against_torch() -> None:
    stream = torch.Generator().manual_seed(7)
    f = (5 * torch.randn(3, 9, generator=stream, dtype=torch.float64)).requires_grad_()
    y = torch.randint(2, (3, 9), generator=stream).double()
    for mine, theirs in (
        (logistic(f, y), F.binary_cross_entropy_with_logits(f, y, reduction="none").mean(1)),
        (squared_error(f, y), F.mse_loss(f, y, reduction="none").mean(1)),
    ):
        assert torch.allclose(mine, theirs, rtol=1e-13)
        [a], [b] = torch.autograd.grad(mine.sum(), f), torch.autograd.grad(theirs.sum(), f)
        assert torch.allclose(a, b, rtol=1e-12)
