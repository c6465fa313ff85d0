"""Streams are functions of (task, purpose, seed number, name), and different ones are unrelated."""

import subprocess
import sys

import numpy
import pytest
import torch

from suite.seeds import Seed

SEED = Seed("lion-vs-adamw/r1", "verdict", 3)


def test_a_stream_is_repeatable_and_fresh_on_every_call():
    first = torch.randn(5, generator=SEED.stream("weights"))
    assert torch.equal(first, torch.randn(5, generator=SEED.stream("weights")))
    assert (SEED.numpy("weights").random(5) == SEED.numpy("weights").random(5)).all()


@pytest.mark.parametrize(
    "other",
    [
        Seed("lion-vs-adamw/r2", "verdict", 3).stream("weights"),
        Seed("lion-vs-adamw/r1", "tune", 3).stream("weights"),
        Seed("lion-vs-adamw/r1", "verdict", 4).stream("weights"),
        SEED.stream("batches"),
    ],
    ids=["revision", "purpose", "number", "name"],
)
def test_whatever_differs_gives_another_stream(other):
    assert not torch.equal(torch.randn(5, generator=SEED.stream("weights")), torch.randn(5, generator=other))


def test_the_first_numbers_stay_what_they_are():
    """A change here would silently change every result: it needs new revisions of all tasks."""
    assert SEED.bits("weights") == 3260481506176334489
    assert torch.randint(1000, (3,), generator=SEED.stream("weights")).tolist() == [268, 782, 394]
    assert SEED.numpy("weights").integers(1000, size=3).tolist() == [161, 587, 353]


def test_streams_of_neighbouring_seeds_are_uncorrelated():
    draws = torch.stack([torch.randn(4000, generator=Seed("t/r1", "verdict", n).stream("x")) for n in range(20)])
    off = torch.corrcoef(draws)[~torch.eye(20, dtype=torch.bool)]
    assert off.abs().max() < 5 / 4000**0.5
    assert abs(float(draws.mean())) < 5 / 80_000**0.5


def test_a_stream_does_not_touch_the_global_generators():
    before = torch.get_rng_state(), numpy.random.get_state()[1].tolist()  # noqa: NPY002 - read, not drawn from
    torch.randn(5, generator=SEED.stream("weights"))
    SEED.numpy("weights").random(5)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == numpy.random.get_state()[1].tolist()  # noqa: NPY002


def test_naming_seeds_needs_no_torch():
    code = "import sys, suite.seeds; suite.seeds.Seed('a/r1', 'tune', 0).bits('x'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
