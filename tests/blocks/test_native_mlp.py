"""The native step against the stack's optimizer over torch's own operations, number by number."""

import os
import platform
import re
import subprocess
import sys

import pytest
import torch
from torch.nn import functional as F

from suite.blocks.losses.cross_entropy import by_torch
from suite.blocks.models import native_mlp
from suite.blocks.models.mlp import mlp
from suite.blocks.optim import adamw
from suite.fit import drive
from suite.seeds import Seed
from suite.stack import Group, StackOptimizer
from suite.subnormals import flushed
from tests.compiler import needs_a_compiler

pytestmark = needs_a_compiler
# One layer; fewer numbers than a vector has; more, and no multiple; the benchmark's.
SIZES = [[5, 2], [3, 7, 4], [33, 100, 40, 17, 3], [64, 64, 64, 10]]


def streams(models, name="weights", first=0):
    return [Seed("test/r1", "verdict", number).stream(name) for number in range(first, first + models)]


def data(sizes, models, batch, steps=1, first=0):
    """[steps] of x [R, B, I] and targets [R, B], row r from stream r."""
    found = []
    sources = streams(models, "data", first)
    for _ in range(steps):
        x = torch.stack([torch.randn(batch, sizes[0], generator=source) for source in sources])
        found.append((x, torch.stack([torch.randint(sizes[-1], (batch,), generator=source) for source in sources])))
    return found


@pytest.mark.parametrize("batch", [1, 8, 13])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_steps_equal_those_of_the_stack_in_double_precision(sizes, batch):
    lr, decay, shrinking = [0.01, 0.003, 0.02], [0.0, 0.1, 1.0], [1.0, 0.5, 0.25, 2.0]
    model, twin = mlp(sizes, streams(3)), mlp(sizes, streams(3)).double()
    training = native_mlp.Training(model, lr=lr, decay=decay, betas=(0.8, 0.95), eps=1e-3)
    optimizer = StackOptimizer(
        twin, Group(adamw.Rule(betas=(0.8, 0.95), eps=1e-3), lr=lr, decay=decay), schedule=lambda step: shrinking[step]
    )
    for (x, targets), multiplier in zip(data(sizes, 3, batch, steps=4), shrinking, strict=True):
        losses = training.step(x, targets, multiplier)
        expected = by_torch(twin(x.double()), targets)
        expected.sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        torch.testing.assert_close(losses.double(), expected.detach(), rtol=1e-5, atol=1e-5)
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours.detach().double(), theirs.detach(), rtol=1e-4, atol=1e-5)


def trained(model, batches, threads=1, **settings):
    """Losses of the last step and all parameters, a row each."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        training = native_mlp.Training(model, **settings)
        for x, targets in batches:
            losses = training.step(x, targets)
    finally:
        torch.set_num_threads(before)
    return [losses, *(parameter.detach() for parameter in model.parameters())]


def test_a_model_is_bitwise_the_same_alone_in_company_and_on_two_threads():
    sizes, batches = SIZES[2], data(SIZES[2], 5, 9, steps=3)
    many = trained(mlp(sizes, streams(5)), batches, lr=0.01)
    for one, two in zip(many, trained(mlp(sizes, streams(5)), batches, threads=2, lr=0.01), strict=True):
        assert torch.equal(one, two)
    for row in range(5):
        alone = trained(mlp(sizes, streams(1, first=row)), data(sizes, 1, 9, steps=3, first=row), lr=0.01)
        for one, other in zip(alone, many, strict=True):
            assert torch.equal(one[0], other[row])


def test_every_thread_treats_subnormal_numbers_as_the_calling_one_does():
    """Inputs of 1e-30 and weights of 1e-10: the logits are subnormal, or 0."""

    def gradient_of_zero(threads):
        model = mlp([4, 3], streams(4))
        for parameter in model.parameters():
            parameter.data.mul_(1e-10)
        x = torch.full((4, 2, 4), 1e-30)
        return trained(model, [(x, torch.zeros(4, 2, dtype=torch.int64))], threads=threads, lr=1e-3, eps=1e-38)

    kept = gradient_of_zero(2)
    with flushed():
        one, two = gradient_of_zero(1), gradient_of_zero(2)
    for ours, theirs in zip(one, two, strict=True):
        assert torch.equal(ours, theirs)
    assert any(not torch.equal(ours, theirs) for ours, theirs in zip(kept, two, strict=True))
    assert float(torch.tensor(1e-40) * 1) > 0  # nobody's mode has changed


def test_a_lost_model_stays_lost_and_loses_nobody_else():
    sizes = SIZES[1]
    ((x, targets),) = data(sizes, 3, 4)
    spoiled = x.clone()
    spoiled[1, 2, 0] = torch.nan
    many, healthy = (trained(mlp(sizes, streams(3)), [(inputs, targets)] * 3, lr=0.1) for inputs in (spoiled, x))
    for ours, theirs in zip(many, healthy, strict=True):
        assert torch.equal(ours[::2], theirs[::2])
    assert many[0][1].isnan()


def test_a_driven_training_resumes_bitwise():
    sizes, batches = SIZES[2], data(SIZES[2], 2, 4, steps=6)

    def start():
        return native_mlp.Training(mlp(sizes, streams(2)), lr=0.01, decay=0.1)

    whole = start()
    found = drive(lambda step: whole.step(*batches[step]), whole, steps=6, record=6)
    assert found.trainer_steps == 6
    first = start()
    drive(lambda step: first.step(*batches[step]), first, steps=3)
    second = start()
    second.load_state_dict(first.state_dict())
    rest = drive(lambda step: second.step(*batches[step + 3]), second, steps=3, record=3)
    assert torch.equal(found.losses[:, 3:], rest.losses)
    for ours, theirs in zip(whole.model.parameters(), second.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_bad_input_gets_one_line_and_changes_nothing():
    model = mlp([3, 4, 2], streams(2))
    training = native_mlp.Training(model, lr=0.1)
    before = [parameter.clone() for parameter in model.parameters()]
    x, targets = torch.randn(2, 5, 3), torch.zeros(2, 5, dtype=torch.int64)
    outside = targets.clone()
    outside[1, 4] = 2
    for wrong, message in [
        ((x[:1], targets[:1]), "x is [2, B, 3] and targets [2, B]; got (1, 5, 3) and (1, 5)"),
        ((x[..., :2], targets), "x is [2, B, 3]"),
        ((x.double(), targets), "x is float32 and targets int64; got torch.float64"),
        ((x, targets.int()), "got torch.float32 and torch.int32"),
        ((x, outside), "targets are classes from 0 to 1; got 0 to 2"),
        ((x, -targets - 1), "got -1 to -1"),
    ]:
        with pytest.raises(ValueError, match=re.escape(message)) as caught:
            training.step(*wrong)
        assert "\n" not in str(caught.value)
    assert training.steps == 0
    for ours, theirs in zip(model.parameters(), before, strict=True):
        assert torch.equal(ours, theirs)


def test_models_that_it_cannot_train_are_refused():
    for model in (mlp([3, 4, 2], streams(2), activation=F.gelu), mlp([3, 4, 2], streams(2)).double()):
        with pytest.raises(ValueError, match=r"a native step takes perceptrons .* train others by fit\(\)"):
            native_mlp.Training(model, lr=0.1)
    with pytest.raises(ValueError, match="lr= takes one number or 2, one per model; got 3"):
        native_mlp.Training(mlp([3, 2], streams(2)), lr=[0.1, 0.2, 0.3])


WITH_VECTORS_OF = """
import sys, torch, torch._inductor.config as inductor
inductor.cpp.simdlen = int(sys.argv[1])
from suite.blocks.models import native_mlp
from tests.blocks.test_native_mlp import SIZES, data, mlp, streams, trained
batches = data(SIZES[2], 3, 13, steps=2)
found = trained(mlp(SIZES[2], streams(3)), batches, lr=0.01)
print(f"{sum(float(part.double().abs().sum()) for part in found):.10g}")
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="names vectors of x86")
def test_processors_with_narrower_vectors_find_the_same_up_to_rounding():
    found = [
        float(subprocess.check_output([sys.executable, "-c", WITH_VECTORS_OF, bits], text=True))
        for bits in ("512", "256", "1")  # 512 where the processor has them; 1: none
    ]
    assert found == pytest.approx([found[0]] * 3, rel=1e-6)


@pytest.mark.slow
def test_without_a_compiler_it_says_what_is_missing():
    script = "from suite.blocks.models import native_mlp\nnative_mlp.library()"
    found = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "CXX": "/no/such/compiler"},
        capture_output=True,
        text=True,
        check=False,
    )
    last = found.stderr.strip().splitlines()[-1]
    assert last.startswith("RuntimeError: a native step needs a C++ compiler, and none was found; install g++")
