"""Gradients of a node that will themselves be differentiated."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


def once_more(
    ctx: Any, function: Callable[..., Tensor], inputs: Sequence[Tensor | None], gradient: Tensor
) -> tuple[Tensor | None, ...]:
    """What the backward pass of a node returns where grad mode is on: the gradients of ``function``, as a graph.

    function  the node's value in operations that can be differentiated again
    inputs    the node's first inputs; those that need no gradient, and those that are None, get None
    gradient  of the node's output
    """
    pairs = list(zip(inputs, ctx.needs_input_grad, strict=False))
    wanted = [tensor for tensor, asked in pairs if asked and tensor is not None]
    found = iter(torch.autograd.grad(function(*inputs), wanted, gradient, create_graph=True))
    return tuple(next(found) if asked and tensor is not None else None for tensor, asked in pairs)
