"""Subnormal numbers are zero within, and themselves outside, however one leaves."""

import pytest
import torch
from torch import nn

from suite import fit
from suite.blocks.optim import sgd
from suite.stack import Group
from suite.subnormals import flushed

TINY = 1e-40


def product():
    return float(torch.tensor(TINY) * 1)


def flushes():
    """Whether this processor can."""
    with flushed():
        return product() == 0


needs = pytest.mark.skipif(not flushes(), reason="this processor has no flush to zero")


@needs
def test_within_and_outside():
    assert product() > 0
    with flushed():
        assert product() == 0
        with flushed():
            assert product() == 0
        assert product() == 0  # the inner one left things as it found them
    assert product() > 0
    with pytest.raises(RuntimeError), flushed():
        raise RuntimeError
    assert product() > 0


@needs
def test_a_training_is_within_and_the_page_is_not():
    seen = []

    def batch(step):
        seen.append(product())
        return (torch.ones(1),)

    model = nn.Module()
    model.weight = nn.Parameter(torch.ones(1, 1))
    fit.fit(model, loss=lambda m, x: m.weight[:, 0] * x, batch=batch, steps=3, optimizer=Group(sgd.Rule(), lr=0.1))
    assert seen == [0.0, 0.0, 0.0]
    assert product() > 0
