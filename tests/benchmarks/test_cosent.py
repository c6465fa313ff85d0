"""Seconds of CoSENT, value and gradient: sorted with running sums, as B x B differences, and sentence-transformers'.

Compare ratios within one run, never seconds of different machines.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from suite.blocks.losses.cosent import cosent

SCALE = 20.0


def ours(scores: Tensor, labels: Tensor) -> Tensor:
    return cosent(scores, labels, SCALE)


def all_differences(scores: Tensor, labels: Tensor) -> Tensor:
    differences = SCALE * (scores.unsqueeze(1) - scores.unsqueeze(2))
    wrong = labels.unsqueeze(1) < labels.unsqueeze(2)
    terms = differences.masked_fill(~wrong, -torch.inf).flatten(1)
    return F.pad(terms, (1, 0)).logsumexp(1)


def theirs(scores: Tensor, labels: Tensor) -> Tensor:
    """sentence-transformers' on the same scores, which stand in for the embeddings."""
    losses = pytest.importorskip("sentence_transformers.losses")
    loss = losses.CoSENTLoss(torch.nn.Identity(), scale=SCALE, similarity_fct=lambda u, v: u)
    return loss.compute_loss_from_embeddings([scores[0], scores[0]], labels[0]).unsqueeze(0)


@pytest.mark.parametrize("size", [32, 64, 1024])
@pytest.mark.parametrize("method", [ours, all_differences, theirs])
def test_cosent(benchmark: Any, method: Callable[[Tensor, Tensor], Tensor], size: int) -> None:
    stream = torch.Generator().manual_seed(0)
    f = torch.rand(1, size, generator=stream).mul_(2).sub_(1).requires_grad_()
    y = torch.randint(6, (1, size), generator=stream).float()

    def step() -> Tensor:
        f.grad = None
        value = method(f, y)
        value.sum().backward()
        return value

    found = benchmark(step)
    assert float(found.detach()) == pytest.approx(float(cosent(f, y, SCALE).detach()), rel=1e-5)
