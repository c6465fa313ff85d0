"""Losses of one score per pair of sentences, each example by itself."""

from torch import Tensor
from torch.nn import functional as F


def logistic(scores: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy in nats, the mean over a batch: scores and labels 0 or 1, [R, B], give [R].

        mean of log(1 + exp(f)) - y f

    With f = z_1 - z_0 it is the cross-entropy of two logits z.

    >>> import torch
    >>> logistic(torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 0.0]]))
    tensor([0.6931])
    """
    return (F.softplus(scores, threshold=40.0) - labels * scores).mean(1)


def squared_error(scores: Tensor, labels: Tensor) -> Tensor:
    """Mean squared error: scores and labels [R, B] give [R].

    >>> import torch
    >>> squared_error(torch.tensor([[1.0, 3.0]]), torch.tensor([[0.0, 3.0]]))
    tensor([0.5000])
    """
    return (scores - labels).square().mean(1)
