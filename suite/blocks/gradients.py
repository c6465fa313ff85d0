"""Where a backward pass may leave a gradient: in the memory from which an optimizer will read it.

Gradients that autograd keeps elsewhere must be copied there first, which for small models takes as long as a layer.
"""

import torch
from torch import Tensor

_PLACES = "places_for_a_gradient"


def offer(parameter: Tensor, place: Tensor) -> None:
    """Let the next backward pass write the gradient of ``parameter`` to ``place``, of its shape and contiguous."""
    setattr(parameter, _PLACES, [place.view_as(place)])  # autograd adopts a tensor that nobody else holds


def withdraw(parameter: Tensor) -> None:
    """Take back what was offered and not taken."""
    if hasattr(parameter, _PLACES):
        delattr(parameter, _PLACES)


def place_for(parameter: Tensor) -> Tensor:
    """Memory for a gradient of ``parameter``: what was offered, the first time; then fresh memory.

    >>> weight, buffer = torch.nn.Parameter(torch.ones(2)), torch.zeros(2)
    >>> offer(weight, buffer)
    >>> place_for(weight).data_ptr() == buffer.data_ptr(), place_for(weight).data_ptr() == buffer.data_ptr()
    (True, False)
    """
    places = getattr(parameter, _PLACES, None)
    return places.pop() if places else torch.empty(parameter.shape, dtype=parameter.dtype, device=parameter.device)
