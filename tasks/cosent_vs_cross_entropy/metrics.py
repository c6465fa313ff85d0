"""What scores are worth: Spearman's correlation with the labels, and accuracy under a threshold from validation."""

import torch
from torch import Tensor


def ranks(values: Tensor) -> Tensor:
    """Ranks from 1 along the last axis, ties sharing their mean rank.

    >>> ranks(torch.tensor([[3.0, 1.0, 3.0]]))
    tensor([[2.5000, 1.0000, 2.5000]], dtype=torch.float64)
    """
    line = values.sort(-1).values.contiguous()
    values = values.contiguous()
    below, upto = (torch.searchsorted(line, values, right=right) for right in (False, True))
    return (below + upto + 1).double() / 2


def spearman(scores: Tensor, labels: Tensor) -> Tensor:
    """100 times the rank correlation along the last axis: [R, N] and [R, N] give [R] (float64), NaN without spread.

    >>> spearman(torch.tensor([[1.0, 2.0, 9.0]]), torch.tensor([[0.1, 0.2, 0.3]]))
    tensor([100.], dtype=torch.float64)
    """
    x, y = (r - r.mean(-1, keepdim=True) for r in (ranks(scores), ranks(labels)))
    return 100 * (x * y).sum(-1) / (x.square().sum(-1) * y.square().sum(-1)).sqrt()


def threshold(scores: Tensor, labels: Tensor) -> Tensor:
    """The cut [R] between two neighbouring scores that labels most of the pairs [R, N] rightly; ties go upwards.

    >>> threshold(torch.tensor([[0.0, 1.0, 2.0, 4.0]]), torch.tensor([[0.0, 0.0, 1.0, 1.0]]))
    tensor([1.5000])
    """
    line, order = scores.sort(-1)
    y = labels.gather(-1, order)
    wrong_below = torch.cat([torch.zeros_like(y[..., :1]), y.cumsum(-1)], -1)
    right_below = torch.cat([torch.zeros_like(y[..., :1]), (1 - y).cumsum(-1)], -1)
    wrong = wrong_below + right_below[..., -1:] - right_below
    ends = torch.cat([line[..., :1] - 1, line, line[..., -1:] + 1], -1)
    middles = (ends[..., :-1] + ends[..., 1:]) / 2
    return middles.gather(-1, wrong.argmin(-1, keepdim=True)).squeeze(-1)


def accuracy(scores: Tensor, labels: Tensor, cut: Tensor) -> Tensor:
    """Per cent of the pairs [R, N] that lie on their label's side of the cut [R].

    >>> accuracy(torch.tensor([[0.0, 1.0]]), torch.tensor([[0.0, 0.0]]), torch.tensor([0.5]))
    tensor([50.])
    """
    return 100 * ((scores > cut.unsqueeze(-1)) == (labels > 0.5)).float().mean(-1)
