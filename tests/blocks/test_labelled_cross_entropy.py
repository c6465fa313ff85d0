"""Cross-entropy over labelled tokens alone against torch's over all of them, bit for bit."""

import pytest
import torch
from torch.nn import functional as F

from suite.blocks.losses.labelled_cross_entropy import labelled_cross_entropy
from suite.seeds import Seed

STREAM = Seed("test/r1", "verdict", 0)


def slowly(logits, targets):
    each = F.cross_entropy(logits.flatten(0, -2), targets.flatten(), ignore_index=-1, reduction="none")
    return each.view(len(targets), -1).sum(1) / (targets >= 0).flatten(1).sum(1)


@pytest.mark.parametrize("share", [0.15, 0.9, 1.0])
@pytest.mark.parametrize("symbols", [5, 97])
def test_it_is_torchs(symbols, share):
    logits = torch.randn(3, 4, 10, symbols, generator=STREAM.stream("logits")).requires_grad_()
    targets = torch.randint(symbols, (3, 4, 10), generator=STREAM.stream("targets"))
    targets[torch.rand(3, 4, 10, generator=STREAM.stream("holes")) > share] = -1
    found, slow = labelled_cross_entropy(logits, targets), slowly(logits, targets)
    assert torch.equal(found, slow)
    weight = torch.tensor([1.0, -2.0, 0.5])
    assert torch.equal(torch.autograd.grad(found, logits, weight)[0], torch.autograd.grad(slow, logits, weight)[0])


def test_a_model_without_a_label_has_no_loss():
    """And says so, whatever its company."""
    targets = torch.tensor([[0, 1], [-1, -1]])
    found = labelled_cross_entropy(torch.zeros(2, 2, 4), targets)
    assert found[0] == torch.tensor(4.0).log()
    assert found[1].isnan()
