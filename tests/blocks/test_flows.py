"""Flow matching on fields that are known, the sampler's order, and stacked fields against single ones."""

import itertools

import pytest
import torch
from scipy.integrate import solve_ivp
from torch.nn import functional as F

from suite.blocks.data.digits_teacher import SCALE, digits_teacher
from suite.blocks.data.ring import centres, ring, within_modes
from suite.blocks.flows.matching import matching_loss, midpoint
from suite.blocks.flows.planar import VelocityMLP
from suite.blocks.flows.unet import Convolution, UNet
from suite.seeds import Seed

SEEDS = [Seed("test/r1", "verdict", number) for number in range(3)]


def streams(name, rows=range(3)):
    return [SEEDS[row].stream(name) for row in rows]


def normal(name, *shape):
    return torch.randn(*shape, generator=SEEDS[0].stream(name), dtype=torch.float64)


def close(a, b, tolerance=1e-9):
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


# --- matching -----------------------------------------------------------------------------------------


def test_the_loss_equals_its_loop_in_value_and_gradient():
    data, noise = normal("data", 2, 5, 3), normal("noise", 2, 5, 3)
    times = torch.rand(2, 5, generator=SEEDS[0].stream("times"), dtype=torch.float64)
    weight = normal("weight", 2, 3, 3).requires_grad_()

    def field(x, t):
        return x @ weight * t.unsqueeze(-1)

    found = matching_loss(field, data, noise, times)
    (gradient,) = torch.autograd.grad(found.sum(), weight)
    twin = weight.detach().clone().requires_grad_()
    for r in range(2):
        total = 0.0
        for b in range(5):
            t = times[r, b]
            x = (1 - t) * noise[r, b] + t * data[r, b]
            total = total + ((x @ twin[r] * t - (data[r, b] - noise[r, b])) ** 2).sum() / 3
        close(found[r], (total / 5).detach())
        (total / 5).backward()
    close(gradient, twin.grad)


def test_the_loss_takes_images_too():
    data, noise = normal("data", 2, 4, 8, 8), normal("noise", 2, 4, 8, 8)
    found = matching_loss(lambda x, t: torch.zeros_like(x), data, noise, torch.rand(2, 4, generator=streams("t")[0]))
    close(found, (data - noise).square().flatten(1).mean(1))


def test_the_midpoint_rule_is_of_second_order():
    """dx/dt = (1 + t) sin x; the error falls fourfold as the steps double, towards scipy's solution."""
    start = torch.tensor([[[0.3], [1.1]]], dtype=torch.float64)
    exact = solve_ivp(
        lambda t, x: (1 + t) * torch.sin(torch.tensor(x)).numpy(), (0, 1), [0.3, 1.1], rtol=1e-11, atol=1e-12
    ).y[:, -1]
    errors = [
        float(
            (midpoint(lambda x, t: (1 + t)[..., None] * x.sin(), start, n).flatten() - torch.tensor(exact)).abs().max()
        )
        for n in (8, 16, 32)
    ]
    for coarse, fine in itertools.pairwise(errors):
        assert coarse / fine == pytest.approx(4, rel=0.15)


def test_the_best_field_of_two_gaussians_carries_one_to_the_other():
    """Noise N(0, 1) to N(m, s^2): E[data - noise | x_t] is linear in x, and its flow ends at m + s z."""
    m, s = 2.0, 0.5

    def best(x, t):
        t = t.unsqueeze(-1)
        variance = (1 - t) ** 2 + t**2 * s**2
        return m + (t * s**2 - (1 - t)) / variance * (x - t * m)

    start = normal("start", 1, 50, 1)
    close(midpoint(best, start, 400), m + s * start, 1e-4)
    data = m + s * normal("data", 1, 20_000, 1)
    noise, times = normal("noise", 1, 20_000, 1), torch.rand(1, 20_000, generator=streams("t")[0]).double()
    at_best = float(matching_loss(best, data, noise, times))
    for shift in (0.2, -0.2):
        assert at_best < float(matching_loss(lambda x, t, shift=shift: best(x, t) + shift, data, noise, times))


# --- fields -------------------------------------------------------------------------------------------


def test_a_planar_field_sees_point_and_time():
    field = VelocityMLP(2, [8], streams("weights")).double()
    x, t = normal("x", 3, 5, 2), torch.rand(3, 5, generator=SEEDS[0].stream("t"), dtype=torch.float64)
    first, last = field.inner.layers
    for r in range(3):
        inner = F.silu(torch.cat([x[r], t[r, :, None]], -1) @ first.weight[r] + first.bias[r])
        close(field(x, t)[r], inner @ last.weight[r] + last.bias[r])


@pytest.mark.parametrize("stride", [1, 2])
def test_a_stacked_convolution_is_each_models_own(stride):
    layer = Convolution(streams("weights"), 4, 6).double()
    layer.bias.data.copy_(normal("bias", 3, 6))
    x = normal("x", 3, 2, 4, 8, 8).requires_grad_()
    y, weight = layer(x, stride), normal("gradient", 3, 2, 6, 8 // stride, 8 // stride)
    (y * weight).sum().backward()
    for r in range(3):
        alone, kernel = x[r].detach().clone().requires_grad_(), layer.weight[r].detach().clone().requires_grad_()
        expected = F.conv2d(alone, kernel, layer.bias[r].detach(), stride=stride, padding=1)
        close(y[r], expected)
        (expected * weight[r]).sum().backward()
        close(x.grad[r], alone.grad)
        close(layer.weight.grad[r], kernel.grad)


def test_a_unet_is_the_same_alone_and_in_company():
    x, t = normal("x", 3, 2, 8, 8).float(), torch.rand(3, 2, generator=SEEDS[0].stream("t"))
    together = UNet(4, streams("weights"))(x, t)
    assert together.shape == x.shape
    close(UNet(4, streams("weights", [1]))(x[1:2], t[1:2]), together[1:2], 1e-5)
    later = UNet(4, streams("weights"))(x, (t + 0.5) % 1)
    assert float((later - together).detach().abs().max()) > 1e-4  # it sees the time


# --- where the data come from -----------------------------------------------------------------------------


def test_the_ring_has_its_modes():
    points = ring(SEEDS[0].stream("ring"), 20_000)
    nearest = torch.cdist(points, centres()).argmin(1)
    assert torch.bincount(nearest, minlength=8).float().div(20_000).sub(1 / 8).abs().max() < 0.01
    assert float(within_modes(points)) == pytest.approx(0.2, rel=0.02)
    assert float(within_modes(torch.stack([points, centres().repeat(2500, 1)]))[1]) == pytest.approx(0, abs=1e-6)


def test_the_teacher_draws_from_the_density_whose_moments_it_tells():
    teacher = digits_teacher()
    points = teacher.draw(SEEDS[0].stream("teacher"), 100_000)
    mean, covariance = teacher.moments()
    close(points.mean(0), mean, 0.05)
    close(torch.cov(points.T), covariance, 0.12)


def test_the_teachers_bandwidth_is_the_likeliest():
    teacher = digits_teacher()
    squares = torch.cdist(teacher.points, teacher.points).square().fill_diagonal_(float("inf"))
    grid = [round(0.05 * i, 2) for i in range(4, 17)]
    scores = [float((-squares / (2 * h * h)).logsumexp(1).mean() - 16 * torch.tensor(h).log()) for h in grid]
    assert grid[max(range(len(grid)), key=scores.__getitem__)] == teacher.bandwidth


def test_pictures_give_the_digits_back():
    from sklearn.datasets import load_digits

    teacher = digits_teacher()
    pixels = torch.from_numpy(load_digits().data / 16).unflatten(-1, (8, 8))
    lost = (teacher.images(teacher.points) - pixels).square().sum() / (pixels - pixels.mean(0)).square().sum()
    assert float(lost) == pytest.approx(0.15, abs=0.01)
    close(teacher.basis @ teacher.basis.T, torch.eye(16, dtype=torch.float64))
    assert SCALE == 3.0
