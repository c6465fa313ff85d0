"""Linear attention (Katharopoulos et al., arXiv:2006.16236), under any mask."""

from torch import Tensor
from torch.nn import functional as F


def feature(x: Tensor) -> Tensor:
    """phi(x) = elu(x) + 1, positive everywhere (equation 7).

    >>> import torch
    >>> feature(torch.tensor([-1.0, 0.0, 2.0]))
    tensor([0.3679, 1.0000, 3.0000])
    """
    return F.elu(x) + 1


def linear_attention(
    q: Tensor, k: Tensor, v: Tensor, seen: Tensor, turned: tuple[Tensor, Tensor] | None = None
) -> Tensor:
    """o_i = sum_j q_i.k_j v_j / sum_j q_i.k_j over the j that i sees; q [..., I, D], k [..., T, D], v [..., T, E].

    q and k are features already, so that no denominator vanishes.  ``turned`` are the same with rotary positions; they
    take their place in the numerator alone (Su et al., arXiv:2104.09864, equation 19), which keeps the denominator
    positive.  ``seen`` broadcasts against [..., I, T].

    This form costs I T D, like softmax attention, and is the faster one for a few hundred positions.

    >>> import torch
    >>> q, k, v = torch.ones(2, 1), torch.tensor([[1.0], [3.0]]), torch.tensor([[0.0], [4.0]])
    >>> linear_attention(q, k, v, torch.ones(2, 2).tril().bool()).tolist()
    [[0.0], [3.0]]
    """
    weight = seen.to(v.dtype)
    plain = (q @ k.mT) * weight
    above = plain if turned is None else (turned[0] @ turned[1].mT) * weight
    return (above @ v) / plain.sum(-1, keepdim=True)
