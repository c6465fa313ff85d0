"""Cross-entropy of a stack of classifiers or language models."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean negative log-likelihood of each model, in nats: logits [R, ..., C] and targets [R, ...] (int64) give [R].

        -mean_n log softmax(z_n)[y_n]

    On the CPU the gradient (softmax(z_n) - onehot(y_n)) / N is made along with the value, while its numbers are at
    hand; ``by_torch`` is the same in torch's own operations.

    >>> import torch
    >>> cross_entropy(torch.tensor([[[0.0, 0.0]], [[0.0, 100.0]]]), torch.tensor([[1], [1]]))
    tensor([0.6931, 0.0000])
    """
    if logits.device.type != "cpu" or torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return by_torch(logits, targets)
    if logits.dtype in (torch.bfloat16, torch.float16):
        logits = logits.float()
    return _CrossEntropy.apply(logits.flatten(1, -2), targets.flatten(1))


def by_torch(logits: Tensor, targets: Tensor) -> Tensor:
    """``cross_entropy`` by ``torch.nn.functional``."""
    if logits.shape[-1] < 64:  # torch's kernel for the last axis is slow on short rows, that for an inner axis is not
        each = F.cross_entropy(logits.flatten(1, -2).transpose(1, 2), targets.flatten(1), reduction="none")
    else:
        each = F.cross_entropy(logits.flatten(0, -2), targets.flatten(), reduction="none")
    return each.view(len(logits), -1).mean(1)


class _CrossEntropy(torch.autograd.Function):
    """logits [R, N, C], targets [R, N]."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor) -> Tensor:
        places = targets.unsqueeze(-1)
        if logits.shape[-1] < 64:  # torch's softmax over a short last axis takes ten times as long as these
            shares = logits - logits.amax(-1, keepdim=True)
            hit = shares.gather(-1, places)
            total = shares.exp_().sum(-1, keepdim=True)
            each = total.log().sub_(hit)
        else:
            shares = logits.log_softmax(-1)
            each = shares.gather(-1, places).neg_()
            total = None
        if ctx.needs_input_grad[0]:
            shares = shares.exp_() if total is None else shares.div_(total)
            shares.scatter_add_(-1, places, each.new_full((), -1.0).expand_as(places))
            ctx.save_for_backward(logits, targets, shares)
        return each.squeeze(-1).mean(1)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        (gradient,) = grad_outputs
        logits, targets, shares = ctx.saved_tensors
        if torch.is_grad_enabled():  # somebody will differentiate the gradient
            return torch.autograd.grad(by_torch(logits, targets), logits, gradient, create_graph=True)[0], None
        return shares * (gradient / targets.shape[1]).view(-1, 1, 1), None
