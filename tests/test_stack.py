"""A stack is its models: equal to training one by one, whatever their company, order and neighbours' misfortune."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from suite.blocks.losses.cross_entropy import cross_entropy
from suite.blocks.models.mlp import mlp
from suite.blocks.models.transformer import transformer
from suite.blocks.optim import adamw, lion, schedules, sgd, tiger
from suite.seeds import Seed
from suite.stack import ALIGN, Group, StackOptimizer, models_of, row_hashes
from tests.naive_models import NaiveMLP
from tests.naive_rules import NaiveAdamW, NaiveLion, NaiveTiger

SIZES, STEPS = [13, 7, 5], 12
LR = [1e-3, 3e-3, 1e-2, 3e-2]
DECAY = [0.0, 0.1, 0.01, 1.0]
CLIP = [0.5, math.inf, 0.05, 2.0]


def seeds(numbers):
    return [Seed("test/r1", "verdict", number) for number in numbers]


def stack_of(numbers, sizes=SIZES):
    return mlp(sizes, [seed.stream("weights") for seed in seeds(numbers)])


def batches(numbers, steps=STEPS, size=11, sizes=SIZES):
    """x [R, steps, size, I] and y [R, steps, size]; row r depends on its seed alone."""
    x = torch.stack([torch.randn(steps, size, sizes[0], generator=s.stream("x")) for s in seeds(numbers)])
    y = torch.stack([torch.randint(sizes[-1], (steps, size), generator=s.stream("y")) for s in seeds(numbers)])
    return x, y


def pick(values, numbers):
    return [values[number] for number in numbers]


def train(model, optimizer, x, y, steps=STEPS):
    for step in range(steps):
        optimizer.zero_grad()
        cross_entropy(model(x[:, step]), y[:, step]).sum().backward()
        optimizer.step()
    return model


RULES = {
    "adamw": (
        adamw.Rule(betas=(0.9, 0.99)),
        lambda p: torch.optim.AdamW(p, betas=(0.9, 0.99)),
        "weight_decay",
    ),
    "adamw-naive": (
        adamw.Rule(betas=(0.8, 0.95), eps=1e-3),
        lambda p: NaiveAdamW(p, beta1=0.8, beta2=0.95, eps=1e-3),
        "decay",
    ),
    "sgd": (sgd.Rule(), lambda p: torch.optim.SGD(p), "weight_decay"),
    "momentum": (sgd.Rule(momentum=0.9), lambda p: torch.optim.SGD(p, momentum=0.9), "weight_decay"),
    "nesterov": (
        sgd.Rule(momentum=0.9, nesterov=True),
        lambda p: torch.optim.SGD(p, momentum=0.9, nesterov=True),
        "weight_decay",
    ),
    "lion": (lion.Rule(betas=(0.9, 0.95)), lambda p: NaiveLion(p, beta1=0.9, beta2=0.95), "decay"),
    "tiger": (tiger.Rule(beta=0.9), lambda p: NaiveTiger(p, beta=0.9), "decay"),
    "tiger-relative": (
        tiger.Rule(beta=0.9, relative="parameter"),
        lambda p: NaiveTiger(p, beta=0.9, relative=True),
        "decay",
    ),
}


def one_by_one(rule, schedule):
    """Every model alone, in plain torch: its own optimizer, its own clipping, no decay on biases."""
    _, make, decay_name = RULES[rule]
    stack, (x, y) = stack_of(range(4)).double(), batches(range(4))
    for row in range(4):
        alone = NaiveMLP(SIZES).double()
        for layer, stacked in zip(alone.layers, stack.layers, strict=True):
            layer.weight.data.copy_(stacked.weight[row].T)
            layer.bias.data.copy_(stacked.bias[row])
        matrices, vectors = [layer.weight for layer in alone.layers], [layer.bias for layer in alone.layers]
        optimizer = make([{"params": matrices, decay_name: DECAY[row]}, {"params": vectors, decay_name: 0.0}])
        for step in range(STEPS):
            optimizer.zero_grad()
            F.cross_entropy(alone(x[row, step].double()), y[row, step]).backward()
            nn.utils.clip_grad_norm_(alone.parameters(), CLIP[row])
            for group in optimizer.param_groups:
                group["lr"] = LR[row] * schedule(step)
            optimizer.step()
        yield alone


@pytest.mark.parametrize("rule", RULES)
def test_a_stack_equals_training_one_by_one(rule):
    """To 1e-10 relative in float64, with rate, decay, clip of each model's own and a schedule over all."""
    schedule = schedules.cosine(STEPS, warmup=0.25)
    stack = stack_of(range(4)).double()
    x, y = batches(range(4))
    optimizer = StackOptimizer(stack, Group(RULES[rule][0], lr=LR, decay=DECAY), schedule=schedule, clip=CLIP)
    train(stack, optimizer, x.double(), y)
    for row, alone in enumerate(one_by_one(rule, schedule)):
        for stacked, layer in zip(stack.layers, alone.layers, strict=True):
            torch.testing.assert_close(stacked.weight[row], layer.weight.T, rtol=1e-10, atol=1e-12)
            torch.testing.assert_close(stacked.bias[row], layer.bias, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("rule", ["adamw", "momentum"])
def test_float32_stays_close_to_torch(rule):
    rule, make, decay_name = RULES[rule]
    stack, (x, y) = stack_of([1]), batches([1])
    alone = stack_of([1])
    names = dict(alone.named_parameters())
    plain = make(
        [
            {"params": [p for n, p in names.items() if "weight" in n], decay_name: 0.1, "lr": 3e-3},
            {"params": [p for n, p in names.items() if "bias" in n], decay_name: 0.0, "lr": 3e-3},
        ]
    )
    train(alone, plain, x, y)
    train(stack, StackOptimizer(stack, Group(rule, lr=3e-3, decay=0.1)), x, y)
    for name, parameter in stack.named_parameters():
        torch.testing.assert_close(parameter, names[name], rtol=2e-5, atol=2e-6)


# --- company and order ----------------------------------------------------------------------------


def mlp_case(numbers):
    return stack_of(numbers), *batches(numbers)


def transformer_case(numbers, steps=6, **options):
    streams = [seed.stream("weights") for seed in seeds(numbers)]
    tokens = torch.stack([torch.randint(17, (steps, 3, 10), generator=seed.stream("x")) for seed in seeds(numbers)])
    return transformer(17, 12, 2, 2, 9, streams, **options), tokens[..., :-1], tokens[..., 1:]


CASES = {
    "mlp": mlp_case,
    "transformer": transformer_case,
    "transformer-tied-learned": lambda numbers: transformer_case(numbers, tied=True, rope=False),
    "transformer-no-gain": lambda numbers: transformer_case(numbers, gain=False),
}


@pytest.mark.parametrize("rule", ["adamw", "lion", "momentum", "tiger", "tiger-relative"])
@pytest.mark.parametrize("case", CASES)
def test_a_model_does_not_depend_on_its_company_or_place(case, rule):
    """Bitwise: alone, in pairs, in reverse order, all four."""

    def hashes(numbers):
        model, x, y = CASES[case](numbers)
        group = Group(RULES[rule][0], lr=pick(LR, numbers), decay=pick(DECAY, numbers))
        train(model, StackOptimizer(model, group, clip=pick(CLIP, numbers)), x, y, steps=6)
        return dict(zip(numbers, row_hashes(model), strict=True))

    everybody = hashes([0, 1, 2, 3])
    assert len(set(everybody.values())) == 4
    for numbers in ([0], [2], [3, 1], [3, 2, 1, 0]):
        assert hashes(numbers) == {number: everybody[number] for number in numbers}, numbers


@pytest.mark.parametrize("case", CASES)
def test_the_gradient_of_a_model_is_its_own(case):
    def gradients(numbers):
        model, x, y = CASES[case](numbers)
        cross_entropy(model(x[:, 0]), y[:, 0]).sum().backward()
        return {name: parameter.grad for name, parameter in model.named_parameters()}

    everybody, alone = gradients([0, 1, 2]), gradients([1])
    for name, gradient in alone.items():
        assert torch.equal(gradient[0], everybody[name][1]), name


@pytest.mark.parametrize("rule", ["adamw", "lion", "momentum", "tiger-relative"])
@pytest.mark.parametrize("case", CASES)
def test_a_diverged_model_leaves_the_others_untouched(case, rule):
    def hashes(poisoned):
        model, x, y = CASES[case]([0, 1, 2])
        optimizer = StackOptimizer(model, Group(RULES[rule][0], lr=1e-3, decay=0.1), clip=1.0)
        train(model, optimizer, x, y, steps=2)
        if poisoned:
            with torch.no_grad():
                next(model.parameters())[1].fill_(math.nan)
        train(model, optimizer, x, y, steps=4)
        return row_hashes(model), model

    (well, _), (ill, model) = hashes(False), hashes(True)
    assert (well[0], well[2]) == (ill[0], ill[2])
    assert ill[1] != well[1]
    x, y = CASES[case]([0, 1, 2])[1:]
    losses = cross_entropy(model(x[:, 0]), y[:, 0])
    assert losses.isnan().tolist() == [False, True, False]


@pytest.mark.parametrize("rule", RULES)
def test_a_lost_model_is_lost_under_every_rule(rule):
    """sign(NaN) is 0, so that sign rules would freeze a diverged model at finite weights and hide what happened."""
    model, x, y = mlp_case([0, 1, 2])
    optimizer = StackOptimizer(model, Group(RULES[rule][0], lr=1e-3))
    optimizer.note(torch.tensor([1.0, 2.0, 3.0]))
    for losses in ([1.0, math.nan, 3.0], [1.0, 2.0, 3.0]):
        optimizer.note(torch.tensor(losses))
        train(model, optimizer, x, y, steps=1)
    before = row_hashes(model)
    optimizer.wipe_lost()
    after = row_hashes(model)
    assert (before[0], before[2]) == (after[0], after[2])
    assert all(parameter[1].isnan().all() for parameter in model.parameters())


def test_equal_seeds_with_different_rates_start_equal():
    model = stack_of([0, 0, 0])
    assert len(set(row_hashes(model))) == 1
    train(model, StackOptimizer(model, Group(lion.Rule(), lr=[0.0, 1e-3, 1e-2])), *batches([0, 0, 0]))
    assert len(set(row_hashes(model))) == 3
    assert row_hashes(model)[0] == row_hashes(stack_of([0]))[0]


# --- groups ---------------------------------------------------------------------------------------


def test_two_arms_share_a_stack():
    """Rows with different rules equal two stacks with one rule each, bitwise, also when the arms' rows are mixed."""
    x, y = batches([0, 1, 0, 1])
    mixed = stack_of([0, 1, 0, 1])
    groups = [
        Group(adamw.Rule(), lr=LR, decay=DECAY, models=[0, 3]),
        Group(lion.Rule(), lr=LR, decay=DECAY, models=[1, 2]),
    ]
    train(mixed, StackOptimizer(mixed, groups, clip=1.0), x, y)
    for rule, places in ((adamw.Rule(), [0, 3]), (lion.Rule(), [1, 2])):
        own = stack_of([(0, 1, 0, 1)[place] for place in places])
        group = Group(rule, lr=pick(LR, places), decay=pick(DECAY, places))
        train(own, StackOptimizer(own, group, clip=1.0), x[places], y[places])
        assert row_hashes(own) == pick(row_hashes(mixed), places)


def test_a_rule_for_some_parameters_only():
    """AdamW on the embedding, Lion elsewhere: each parameter moves as its own rule says, given the same gradient."""
    model, x, y = transformer_case([0, 1])
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    groups = [Group(adamw.Rule(), lr=1e-2, only=("embedding.*", "*norm*")), Group(lion.Rule(), lr=1e-3)]
    train(model, StackOptimizer(model, groups), x, y, steps=1)
    for name, parameter in model.named_parameters():
        moved = (parameter - before[name]).abs()
        rate = 1e-2 if name.startswith("embedding") or "norm" in name else 1e-3
        touched = moved[moved > rate / 10]  # a token that did not occur has no gradient
        torch.testing.assert_close(touched, torch.full_like(touched, rate), rtol=1e-3, atol=1e-6)


def test_vectors_do_not_decay_unless_asked():
    for asked in (False, True):
        model = stack_of([0, 1])
        before = {name: parameter.detach().clone().fill_(1.0) for name, parameter in model.named_parameters()}
        for parameter in model.parameters():
            parameter.data.fill_(1.0)
        StackOptimizer(model, Group(lion.Rule(), lr=0.5, decay=[0.5, 0.25], decay_vectors=asked)).step()
        for name, parameter in model.named_parameters():
            factor = torch.tensor([0.75, 0.875]) if asked or "weight" in name else torch.ones(2)
            expected = before[name] * factor.view(-1, *[1] * (parameter.ndim - 1))
            assert torch.equal(parameter.detach(), expected), name


def test_a_parameter_nobody_updates_is_an_error():
    with pytest.raises(
        ValueError, match=r"no group updates parameter 'layers\.0\.weight' of model 0; end the list with"
    ):
        StackOptimizer(stack_of([0]), Group(lion.Rule(), lr=1.0, only=("*.bias",)))
    with pytest.raises(ValueError, match="of model 1"):
        StackOptimizer(stack_of([0, 1]), Group(lion.Rule(), lr=1.0, models=[0]))


@pytest.mark.parametrize("wrong", [{"lr": [1.0, 2.0, 3.0]}, {"lr": 1.0, "decay": [0.1] * 3}])
def test_a_column_of_the_wrong_length_is_an_error(wrong):
    with pytest.raises(ValueError, match="expected one number or 2, one per model; got 3"):
        StackOptimizer(stack_of([0, 1]), Group(lion.Rule(), **wrong))


# --- the buffers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("rates", [1e-2, [1e-2, 1e-2, 2e-2]], ids=["one rate", "several"])
def test_parameters_are_views_of_one_aligned_buffer(rates):
    model = stack_of(range(3))
    optimizer = StackOptimizer(model, Group(adamw.Rule(), lr=rates, decay=0.1))
    buffer = optimizer.weights
    assert len(buffer) == (1 if rates == 1e-2 else 3)
    assert all(p.untyped_storage().data_ptr() == buffer.untyped_storage().data_ptr() for p in model.parameters())
    assert all(p.storage_offset() % ALIGN == 0 and p.stride(0) % ALIGN == 0 for p in model.parameters())
    train(model, optimizer, *batches(range(3)))
    used = sum(p.numel() for p in model.parameters())
    assert int((buffer != 0).sum()) <= used
    assert buffer.numel() < used + 3 * ALIGN * len(list(model.parameters()))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    "change", [{"clip": math.inf}, {"schedule": lambda step: torch.ones(3)}, {"lr": [0.01, 0.01, 0.1]}]
)
def test_the_arrangement_of_the_buffers_does_not_matter(rule, change):
    """Bitwise: one piece of memory for all models, or a row for each."""

    def hashes(lr=1e-2, **others):
        model, x, y = transformer_case([0, 1, 2])
        train(model, StackOptimizer(model, Group(RULES[rule][0], lr=lr, decay=0.1), **others), x, y, steps=6)
        return row_hashes(model)[:2]

    assert hashes() == hashes(**change)


def test_a_schedule_returns_one_kind():
    optimizer = StackOptimizer(
        stack_of([0, 1]), Group(sgd.Rule(), lr=0.1), schedule=lambda step: torch.ones(2) if step else 1.0
    )
    optimizer.step()
    with pytest.raises(ValueError, match="a number for step 0 and now a tensor"):
        optimizer.step()


@pytest.mark.parametrize("block", [32, 64, 96, 1 << 30])
def test_the_blocks_of_the_update_do_not_matter(block, monkeypatch):
    """Bitwise: the buffers are updated in pieces that fit the cache, whatever their size."""

    def hashes():
        model, x, y = transformer_case([0, 1, 2])
        groups = [
            Group(adamw.Rule(), lr=1e-2, decay=0.1, only=("embedding.*",)),
            Group(lion.Rule(), lr=1e-3, decay=0.1),
        ]
        train(model, StackOptimizer(model, groups, clip=1.0), x, y, steps=3)
        return row_hashes(model)

    expected = hashes()
    monkeypatch.setattr("suite.stack.BLOCK", block)
    assert hashes() == expected


def test_gradient_norms_are_per_model():
    model, x, y = stack_of(range(3)), *batches(range(3))
    optimizer = StackOptimizer(model, Group(sgd.Rule(), lr=0.0), clip=[math.inf, 1e-3, math.inf])
    cross_entropy(model(x[:, 0]), y[:, 0]).sum().backward()
    expected = torch.stack([torch.cat([p.grad[r].flatten() for p in model.parameters()]).norm() for r in range(3)])
    optimizer.step()
    torch.testing.assert_close(optimizer.norms, expected)
    torch.testing.assert_close(
        optimizer.gradient_norms(), torch.tensor([expected[0], 1e-3, expected[2]]), rtol=2e-3, atol=0
    )


def test_a_parameter_without_gradient_decays_and_keeps_its_momentum_at_zero():
    model = stack_of([0])
    before = model.layers[0].weight.detach().clone()
    StackOptimizer(model, Group(lion.Rule(), lr=0.5, decay=0.5)).step()
    assert torch.equal(model.layers[0].weight.detach(), before * 0.75)


def test_frozen_parameters_stay():
    model, x, y = stack_of([0, 1]), *batches([0, 1])
    model.layers[0].weight.requires_grad_(False)
    before = model.layers[0].weight.clone()
    train(model, StackOptimizer(model, Group(lion.Rule(), lr=0.1, decay=1.0)), x, y)
    assert torch.equal(model.layers[0].weight, before)


def test_state_is_counted_without_padding():
    size = sum(p[0].numel() for p in stack_of([0]).parameters())

    def count(rule):
        return StackOptimizer(stack_of([0, 1]), Group(rule, lr=1.0)).state_elements()

    assert count(lion.Rule()) == [size, size]
    assert count(adamw.Rule()) == [2 * size, 2 * size]
    assert count(sgd.Rule()) == [0, 0]


@pytest.mark.parametrize("rule", ["adamw", "lion", "tiger-relative"])
def test_state_can_be_saved_and_restored(rule):
    def fresh():
        model = stack_of([0, 1])
        return model, StackOptimizer(model, Group(RULES[rule][0], lr=1e-2, decay=0.1))

    x, y = batches([0, 1])
    straight = train(*fresh(), x, y, steps=8)
    model, optimizer = fresh()
    train(model, optimizer, x, y, steps=5)
    again, resumed = fresh()
    again.load_state_dict(model.state_dict())
    resumed.load_state_dict(optimizer.state_dict())
    train(again, resumed, x[:, 5:], y[:, 5:], steps=3)
    assert row_hashes(again) == row_hashes(straight)


def test_warm_up_may_differ_per_model():
    x, y = batches([0, 0])
    model = stack_of([0, 0])
    schedule = schedules.cosine(STEPS, warmup=[0.0, 0.5])
    train(model, StackOptimizer(model, Group(lion.Rule(), lr=1e-2), schedule=schedule), x, y)
    for row, warmup in enumerate((0.0, 0.5)):
        alone = stack_of([0])
        optimizer = StackOptimizer(alone, Group(lion.Rule(), lr=1e-2), schedule=schedules.cosine(STEPS, warmup=warmup))
        train(alone, optimizer, x[:1], y[:1])
        assert row_hashes(alone)[0] == row_hashes(model)[row]


def test_a_model_without_a_common_leading_axis_is_no_stack():
    with pytest.raises(ValueError, match="share a leading axis"):
        models_of(NaiveMLP([3, 2, 5]))


# --- gradients where they are read ----------------------------------------------------------------


@pytest.mark.parametrize("rates", [1e-2, [1e-2, 2e-2, 3e-2]], ids=["one rate", "several"])
def test_gradients_left_in_the_buffer_are_those_that_autograd_keeps(rates):
    """Bitwise, also for a model that is called twice in a step and for one that is called in one step only."""

    def hashes(expecting):
        model = mlp([32, 8, 10], [seed.stream("weights") for seed in seeds([0, 1, 2])])
        stream = torch.Generator().manual_seed(0)
        x, y = torch.randn(3, 4, 5, 32, generator=stream), torch.randint(10, (3, 4, 5), generator=stream)
        optimizer, used = StackOptimizer(model, Group(adamw.Rule(), lr=rates)), []
        for step in range(4):
            losses = F.cross_entropy(model(x[:, step]).transpose(1, 2), y[:, step], reduction="none").mean(1)
            if step == 2:
                losses = losses + model(x[:, 0]).square().mean((1, 2))
            optimizer.expect() if expecting else optimizer.zero_grad()
            losses.sum().backward()
            optimizer.gather()
            buffer = optimizer.gradients.untyped_storage().data_ptr()
            used.append({p.grad.untyped_storage().data_ptr() == buffer for p in model.parameters()})
            optimizer.update()
        return row_hashes(model), used

    (left, used), (kept, others) = hashes(True), hashes(False)
    assert left == kept
    assert others == [{False}] * 4
    assert used[1] == ({True, False} if rates == 1e-2 else {False})  # what is padded is copied


def test_what_was_offered_is_withdrawn():
    model, x, _ = mlp_case([0, 1, 2])
    optimizer = StackOptimizer(model, Group(adamw.Rule(), lr=1e-2))
    optimizer.expect()
    optimizer.update()
    found = torch.autograd.grad(model(x[:, 0]).sum(), list(model.parameters()))
    assert all(g.untyped_storage().data_ptr() != optimizer.gradients.untyped_storage().data_ptr() for g in found)
