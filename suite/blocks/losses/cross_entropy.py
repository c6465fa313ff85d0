"""Cross-entropy of a stack of classifiers or language models."""

from torch import Tensor
from torch.nn import functional as F


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean negative log-likelihood of each model, in nats: logits [R, ..., C] and targets [R, ...] (int64) give [R].

        -mean_n log softmax(z_n)[y_n]

    >>> import torch
    >>> cross_entropy(torch.tensor([[[0.0, 0.0]], [[0.0, 100.0]]]), torch.tensor([[1], [1]]))
    tensor([0.6931, 0.0000])
    """
    if logits.shape[-1] < 64:  # torch's kernel for the last axis is slow on short rows, that for an inner axis is not
        each = F.cross_entropy(logits.flatten(1, -2).transpose(1, 2), targets.flatten(1), reduction="none")
    else:
        each = F.cross_entropy(logits.flatten(0, -2), targets.flatten(), reduction="none")
    return each.view(len(logits), -1).mean(1)
