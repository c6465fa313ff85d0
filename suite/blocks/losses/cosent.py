"""CoSENT: a loss that asks of scores only that they stand in the order of the labels (J. Su, 2022)."""

import torch
from torch import Tensor
from torch.nn import functional as F

NONE = -1e30  # stands for log 0: finite, so that no gradient becomes NaN
EXACT = 40.0  # log(1 + e^x) is x in double precision from here on; torch's own 20 costs eight digits


def cosent(scores: Tensor, labels: Tensor, scale: float = 1.0) -> Tensor:
    """One value per batch, not a mean over pairs: scores and labels [R, B] give [R].

        log(1 + sum over (i, k) with y_i > y_k of exp(scale (f_k - f_i)))

    A batch whose labels are all equal gives 0.  Instead of the B x B differences, with the labels sorted,

        sum_i exp(-scale f_i) C_i,   C_i = sum over k with y_k < y_i of exp(scale f_k),

    where C is a running sum read at the start of each group of equal labels: O(B log B), all in logarithms.
    https://kexue.fm/archives/8847 (scale 20 for cosines) and 9341 (scale 1 for unbounded scores).

    >>> cosent(torch.tensor([[0.0, 0.0, 0.0]]), torch.tensor([[1.0, 0.0, 0.0]]))  # log(1 + 2)
    tensor([1.0986])
    """
    order = labels.argsort(dim=1)
    y, f = labels.gather(1, order).contiguous(), scale * scores.gather(1, order)
    below = torch.searchsorted(y, y)  # how many labels are strictly smaller
    some = below > 0
    sums = torch.logcumsumexp(f, dim=1).gather(1, (below - 1).clamp(min=0))
    return F.softplus(torch.where(some, sums - f, NONE).logsumexp(1), threshold=EXACT)
