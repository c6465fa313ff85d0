"""Update rules against their algorithms, number by number; the Lion class in its three implementations; schedules."""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from suite.blocks.optim import adamw, fused, lion, schedules, sgd, tiger
from suite.blocks.optim.lion import Lion
from suite.seeds import Seed
from tests.naive_rules import NaiveAdamW, NaiveLion, NaiveTiger

STREAM = Seed("test/r1", "verdict", 0)
STEPS = 30


def start():
    return torch.randn(4, 5, generator=STREAM.stream("weights"), dtype=torch.float64)


def gradients(steps=STEPS):
    """[steps, 4, 5] with a component that is always zero and one of constant sign."""
    drawn = torch.randn(steps, 4, 5, generator=STREAM.stream("gradients"), dtype=torch.float64)
    drawn[:, 0, 0] = 0.0
    drawn[:, 0, 1].abs_()
    return drawn


def run_rule(rule, lr=1e-2, decay=0.1, weight=None):
    weight = start() if weight is None else weight
    state = tuple(torch.zeros_like(weight) for _ in rule.state)
    for step, gradient in enumerate(gradients(), 1):
        rule(weight, gradient.to(weight.dtype), state, lr, decay, step)
    return weight


def run_optimizer(make, dtype=torch.float64):
    parameter = nn.Parameter(start().to(dtype))
    optimizer = make([{"params": [parameter]}])
    for gradient in gradients():
        parameter.grad = gradient.to(dtype)
        optimizer.step()
    return parameter.detach()


TWINS = {
    "lion": (lion.Rule(betas=(0.8, 0.95)), lambda p: NaiveLion(p, lr=1e-2, decay=0.1, beta1=0.8, beta2=0.95)),
    "tiger": (tiger.Rule(beta=0.9), lambda p: NaiveTiger(p, lr=1e-2, decay=0.1, beta=0.9)),
    "adamw": (adamw.Rule(), lambda p: NaiveAdamW(p, lr=1e-2, decay=0.1, beta1=0.9, beta2=0.999, eps=1e-8)),
    "adamw-torch": (
        adamw.Rule(betas=(0.8, 0.9), eps=1e-3),
        lambda p: torch.optim.AdamW(p, lr=1e-2, weight_decay=0.1, betas=(0.8, 0.9), eps=1e-3),
    ),
    "sgd-torch": (
        sgd.Rule(momentum=0.8, nesterov=True),
        lambda p: torch.optim.SGD(p, lr=1e-2, weight_decay=0.1, momentum=0.8, nesterov=True),
    ),
}


@pytest.mark.parametrize("name", TWINS)
def test_a_rule_equals_its_algorithm(name):
    rule, make = TWINS[name]
    torch.testing.assert_close(run_rule(rule), run_optimizer(make), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", TWINS)
def test_rates_as_columns_equal_rates_as_numbers(name):
    """Bitwise: a tensor of rates [R, 1] moves row r as its own number would."""
    rule, rates, decays = TWINS[name][0], [1e-3, 1e-2, 1e-1, 0.0], [0.0, 0.1, 1.0, 0.5]
    columns = [torch.tensor(v, dtype=torch.float64).view(-1, 1) for v in (rates, decays)]
    together = run_rule(rule, *columns)
    for row, (lr, decay) in enumerate(zip(rates, decays, strict=True)):
        torch.testing.assert_close(run_rule(rule, lr, decay)[row], together[row], rtol=1e-13, atol=1e-14)


FUSED = {
    "adamw": (
        2,
        lambda w, g, s, lr, decay: (w, g, *s, lr, decay, 3, 0.8, 0.95, 1e-6),
        (adamw.update, adamw.by_passes),
    ),
    "sgd": (0, lambda w, g, s, lr, decay: (w, g, None, lr, decay, 0.9), (sgd.update, sgd.by_passes)),
    "momentum": (1, lambda w, g, s, lr, decay: (w, g, *s, lr, decay, 0.9), (sgd.update, sgd.by_passes)),
    "nesterov": (1, lambda w, g, s, lr, decay: (w, g, *s, lr, decay, 0.9, True), (sgd.update, sgd.by_passes)),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", FUSED)
def test_the_fused_kernel_equals_the_passes(name, dtype):
    """To rounding, with rates and decays that some rows share, on rows that are slices of longer ones; others stay."""
    states, arguments, (fast, slow) = FUSED[name]
    stream = STREAM.stream("fused")
    buffers = [torch.rand(5, 96, generator=stream, dtype=dtype) + 0.1 for _ in range(2 + states)]
    lr = torch.tensor([1e-2, 1e-3, 1e-2, 0.0, 1.0], dtype=dtype).view(-1, 1)
    decay = torch.tensor([0.1, 0.1, 0.1, 0.2, 0.0], dtype=dtype).view(-1, 1)
    for decays in (decay, 0.3, 0.0):
        ones, others = [buffer.clone() for buffer in buffers], [buffer.clone() for buffer in buffers]
        for update, tensors in ((fast, ones), (slow, others)):
            w, g, *state = [tensor[:, 16:80] for tensor in tensors]
            assert fused.serves(w, lr, g, *state)
            update(*arguments(w, g, state, lr, decays))
        for one, other, before in zip(ones, others, buffers, strict=True):
            torch.testing.assert_close(
                one, other, rtol=2e-6 if dtype == torch.float32 else 1e-14, atol=torch.finfo(dtype).eps
            )
            assert torch.equal(one[:, :16], before[:, :16])
            assert torch.equal(one[:, 80:], before[:, 80:])


@pytest.mark.parametrize("name", FUSED)
def test_the_fused_kernel_does_not_care_who_shares_the_call(name):
    """Bitwise, and on any number of threads."""
    states, arguments, (fast, _) = FUSED[name]
    lr = torch.tensor([1e-2, 1e-3, 1e-2, 1e-2]).view(-1, 1)

    def run(places, threads=1):
        stream = STREAM.stream("fused")
        tensors = [torch.rand(4, 4096, generator=stream)[places] for _ in range(2 + states)]
        torch.set_num_threads(threads)
        try:
            fast(*arguments(tensors[0], tensors[1], tensors[2:], lr[places], 0.1))
        finally:
            torch.set_num_threads(1)
        return tensors[0]

    together = run([0, 1, 2, 3])
    assert torch.equal(run([0, 1, 2, 3], threads=2), together)
    for places in ([2], [3, 0], [1, 2]):
        assert torch.equal(run(places), together[places])


def test_the_fused_kernel_knows_what_it_cannot_do():
    w, lr = torch.ones(2, 8), torch.ones(2, 1)
    assert fused.serves(w, lr, torch.ones(2, 8))
    assert not fused.serves(w, 0.1)
    assert not fused.serves(w, lr, torch.ones(8, 2).T)
    assert not fused.serves(w, lr, torch.ones(2, 8, dtype=torch.float64))
    assert not fused.serves(w.bfloat16(), lr)
    assert not fused.serves(torch.ones(2, 2, 4), torch.ones(2, 1, 1))


@pytest.mark.parametrize("name", TWINS)
def test_a_compiled_rule_equals_the_eager_one(name):
    """The rules hold nothing that the compiler cannot trace, and a further step needs no further graph."""
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    rule = TWINS[name][0]
    weight, state = start(), tuple(torch.zeros(4, 5, dtype=torch.float64) for _ in rule.state)
    lr, decay = torch.full((4, 1), 1e-2, dtype=torch.float64), torch.full((4, 1), 0.1, dtype=torch.float64)
    traced = torch.compile(rule.__call__, backend="eager", fullgraph=True, dynamic=True)
    for step, gradient in enumerate(gradients(), 1):
        traced(weight, gradient, state, lr, decay, step)
    torch.testing.assert_close(weight, run_rule(rule), rtol=1e-12, atol=1e-13)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] <= 2


def test_the_sign_of_zero_is_zero():
    for rule in (lion.Rule(), tiger.Rule()):
        assert run_rule(rule, decay=0.0)[0, 0] == start()[0, 0]


def test_adams_first_step_is_the_sign():
    weight = run = start()
    run = weight.clone()
    adamw.Rule(eps=0.0)(run, gradients()[1], (torch.zeros_like(run), torch.zeros_like(run)), 1.0, 0.0, 1)
    moved = (weight - run)[gradients()[1] != 0]
    torch.testing.assert_close(moved, gradients()[1][gradients()[1] != 0].sign(), rtol=0, atol=1e-12)


def test_signum_is_lion_with_equal_betas_and_no_decay():
    """To 1e-12 over the whole path, with SIGNUM written out: m <- b m + (1 - b) g, theta <- theta - lr sign(m)."""
    weight, momentum = start(), torch.zeros(4, 5, dtype=torch.float64)
    for gradient in gradients():
        momentum = 0.9 * momentum + (1 - 0.9) * gradient
        weight = weight - 1e-2 * momentum.sign()
    torch.testing.assert_close(run_rule(lion.Rule(betas=(0.9, 0.9)), decay=0.0), weight, rtol=0, atol=1e-12)
    torch.testing.assert_close(run_rule(tiger.Rule(beta=0.9), decay=0.0), weight, rtol=0, atol=1e-12)


def test_a_constant_sign_runs_to_one_over_decay():
    """theta_t = theta* + (theta_0 - theta*) (1 - lr decay)^t with theta* = -sign / decay."""
    weight = start()
    momentum = torch.zeros_like(weight)
    for _ in range(200):
        tiger.update(weight, torch.ones_like(weight), momentum, 0.05, 0.5, 0.9)
    torch.testing.assert_close(weight, -2 + (start() + 2) * (1 - 0.05 * 0.5) ** 200, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("over", ["parameter", "row"])
def test_relative_rates_follow_the_weights(over):
    weight = torch.randn(3, 4, 5, generator=STREAM.stream("x"), dtype=torch.float64)
    lr = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64).view(3, 1, 1)
    rate = tiger.relative_rate(weight, lr, over)
    for r in range(3):
        for row in range(4):
            numbers = weight[r].flatten() if over == "parameter" else weight[r, row]
            expected = (r + 1) * math.sqrt(sum(float(x) ** 2 for x in numbers) / len(numbers))
            assert float(rate.expand(3, 4, 1)[r, row]) == pytest.approx(expected, rel=1e-12)
    assert tiger.relative_rate(weight[:, 0], 4.0, over) == 2.0


# --- the torch optimizer ----------------------------------------------------------------------------


@pytest.mark.parametrize("implementation", ["forloop", "foreach"])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_lion_equals_its_algorithm(implementation, decay):
    def fast(p):
        return Lion(p, lr=1e-2, betas=(0.8, 0.95), weight_decay=decay, implementation=implementation)

    def naive(p):
        return NaiveLion(p, lr=1e-2, decay=decay, beta1=0.8, beta2=0.95)

    torch.testing.assert_close(run_optimizer(fast), run_optimizer(naive), rtol=1e-12, atol=1e-13)


@pytest.mark.slow
def test_compiled_lion_equals_the_loop():
    """Also when the rate changes, without compiling anew."""
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    models = {name: nn.Linear(7, 5) for name in ("forloop", "compiled")}
    models["compiled"].load_state_dict(models["forloop"].state_dict())
    optimizers = {
        name: Lion(model.parameters(), lr=1e-2, weight_decay=0.1, implementation=name) for name, model in models.items()
    }
    for step in range(6):
        for name, optimizer in optimizers.items():
            for parameter in models[name].parameters():
                stream = STREAM.stream(f"gradient {step} {parameter.numel()}")
                parameter.grad = torch.randn(parameter.shape, generator=stream)
            optimizer.param_groups[0]["lr"] = 1e-2 / (step + 1)
            optimizer.step()
    for one, other in zip(models["forloop"].parameters(), models["compiled"].parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


@pytest.mark.parametrize("implementation", ["forloop", "foreach"])
def test_lion_keeps_one_tensor_per_parameter(implementation):
    model = nn.Linear(7, 5)
    optimizer = Lion(model.parameters(), implementation=implementation)
    model(torch.ones(2, 7)).sum().backward()
    optimizer.step()
    assert [list(optimizer.state[p]) for p in model.parameters()] == [["momentum"], ["momentum"]]
    assert sum(t.numel() for state in optimizer.state.values() for t in state.values()) == 7 * 5 + 5


def test_lion_skips_what_has_no_gradient_and_calls_the_closure():
    model = nn.Linear(3, 2)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    optimizer = Lion(model.parameters(), lr=0.5, weight_decay=1.0)

    def closure():
        model.bias.grad = torch.ones(2)
        return 7.0

    assert optimizer.step(closure) == 7.0
    assert torch.equal(model.weight, before[0])
    torch.testing.assert_close(model.bias.detach(), before[1] * 0.5 - 0.5)


def test_lion_saves_and_restores_its_state():
    model, twin = nn.Linear(3, 2), nn.Linear(3, 2)
    twin.load_state_dict(model.state_dict())
    one, other = Lion(model.parameters(), lr=1e-2), Lion(twin.parameters(), lr=1e-2)
    for optimizer, net in ((one, model), (other, twin)):
        for parameter in net.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()
    fresh = Lion(twin.parameters(), lr=1e-2)
    fresh.load_state_dict(other.state_dict())
    for optimizer, net in ((one, model), (fresh, twin)):
        for parameter in net.parameters():
            parameter.grad = torch.full_like(parameter, -0.05)
        optimizer.step()
    for a, b in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    "wrong", [{"implementation": "fused"}, {"lr": -1.0}, {"betas": (0.9, 1.0)}, {"weight_decay": -0.1}]
)
def test_lion_refuses_wrong_settings(wrong):
    with pytest.raises(ValueError, match=r"Lion takes|implementation= is one of forloop, foreach, compiled"):
        Lion([nn.Parameter(torch.zeros(1))], **wrong)


# --- schedules --------------------------------------------------------------------------------------


def test_cosine_rises_falls_and_stays_positive():
    values = [schedules.cosine(100, warmup=0.1)(step) for step in range(100)]
    assert values[:10] == [pytest.approx((step + 1) / 10) for step in range(10)]
    assert values[10] == 1.0
    assert all(a > b > 0 for a, b in pairwise(values[10:]))
    assert values[55] == pytest.approx(0.5)
    assert values[-1] < 0.002


def test_cosine_without_warm_up_starts_at_one_and_ends_at_its_floor():
    assert schedules.cosine(10, warmup=0.0)(0) == 1.0
    assert schedules.cosine(10, warmup=0.0, floor=0.1)(10) == pytest.approx(0.1)
    assert schedules.constant()(0) == 1.0


def test_a_sequence_of_warm_ups_gives_a_vector():
    multiplier = schedules.cosine(40, warmup=[0.0, 0.25, 0.5])
    for step in range(40):
        expected = [schedules.cosine(40, warmup=share)(step) for share in (0.0, 0.25, 0.5)]
        assert multiplier(step).tolist() == expected
