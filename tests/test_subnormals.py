"""Subnormal numbers are zero within, and themselves outside, however one leaves."""

from dataclasses import dataclass, field

import pytest
import torch
from torch import nn

from suite import fit
from suite.blocks.optim import lion, sgd
from suite.stack import Group
from suite.subnormals import flushed, kept

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
def test_kept_is_an_exception_within():
    with flushed():
        with kept():
            assert product() > 0
        assert product() == 0
        with pytest.raises(RuntimeError), kept():
            raise RuntimeError
        assert product() == 0
    assert product() > 0


@dataclass(frozen=True)
class Watched(sgd.Rule):
    """Notes what an update sees."""

    seen: list[float] = field(default_factory=list, kw_only=True)

    def __call__(self, *arguments):
        self.seen.append(product())
        super().__call__(*arguments)


@needs
def test_a_training_is_within_and_neither_its_updates_nor_the_page():
    seen, rule = [], Watched()

    def batch(step):
        seen.append(product())
        return (torch.ones(1),)

    model = nn.Module()
    model.weight = nn.Parameter(torch.ones(1, 1))
    fit.fit(model, loss=lambda m, x: m.weight[:, 0] * x, batch=batch, steps=3, optimizer=Group(rule, lr=0.1))
    assert seen == [0.0, 0.0, 0.0]
    assert len(rule.seen) == 3
    assert min(rule.seen) > 0
    assert product() > 0


@needs
def test_a_momentum_fades_below_the_smallest_normal_number():
    """Lion moves a weight without gradients until its momentum is zero: at 0.5 a step, after 149 halvings, not 126."""
    model = nn.Module()
    model.weight = nn.Parameter(torch.zeros(1, 1))
    found = fit.fit(
        model,
        loss=lambda m, x: m.weight[:, 0] * x,
        batch=lambda step: (torch.full((1,), float(step == 0)),),
        steps=200,
        optimizer=Group(lion.Rule(betas=(0.5, 0.5)), lr=1.0),
        evaluate=lambda m: {"weight": m.weight[:, 0]},
        every=1,
    )
    moving = found.curves["weight"][0].diff().nonzero()
    assert 140 < int(moving.max()) < 155
