"""Cross-entropy of those tokens that have a label."""

from torch import Tensor
from torch.nn import functional as F


def labelled_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy in nats over the tokens with a target of 0 or more: logits [R, ..., V], targets [R, ...]: [R].

    Torch's own ``ignore_index`` works on the other tokens as well, which for a masked language model are most of them.

    >>> import torch
    >>> labelled_cross_entropy(torch.zeros(1, 3, 2), torch.tensor([[1, -1, 0]]))
    tensor([0.6931])
    """
    flat, labels = logits.flatten(0, -2).float(), targets.flatten()
    labelled = labels >= 0
    places = labelled.nonzero().squeeze(1)
    if len(places) == len(labels):
        each = F.cross_entropy(flat, labels, reduction="none")
    else:
        some = F.cross_entropy(flat.index_select(0, places), labels.index_select(0, places), reduction="none")
        each = some.new_zeros(len(labels)).index_copy(0, places, some)
    return each.view(len(targets), -1).sum(1) / labelled.view(len(targets), -1).sum(1)
