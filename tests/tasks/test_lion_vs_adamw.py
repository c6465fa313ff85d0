"""The Lion page: identities by hand, training against a plain loop, the toy against sums, large tiers in little."""

import importlib
import inspect
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from suite.blocks.optim import adamw, lion, tiger
from suite.claims import Experiment, Tier
from suite.seeds import Seed
from tasks.lion_vs_adamw import TASK, characters, decay, digits, embedding, identities, robustness, step_time
from tests.compiler import needs_a_compiler
from tests.wikitext_copy import copy_of_wikitext


def seeds(*numbers: int) -> list[Seed]:
    return [Seed("lion-tests/r1", "tune", number) for number in numbers]


def sized(experiment: Experiment, tier: str, sizes: dict[str, Any]) -> Tier:
    """A tier of the page with some of its sizes made small."""
    given = experiment.tiers[tier]
    assert sizes.keys() <= given.sizes.keys()
    return replace(given, sizes={**given.sizes, **sizes})


# --- The page as a whole --------------------------------------------------------------------------


def test_every_claim_of_the_posts_is_there() -> None:
    ids = {claim.id.split("_")[0] for claim in TASK.claims}
    assert ids == {f"c{number}" for number in range(1, 18)}


@pytest.mark.parametrize(
    "experiment", [digits.EXPERIMENT, characters.EXPERIMENT, characters.PROXY], ids=lambda e: e.name
)
def test_lions_grid_is_adamws_times_a_tenth_and_ten(experiment: Experiment) -> None:
    grids = {arm.name: arm.tuned for arm in experiment.arms}
    assert grids["lion"]["lr"] == pytest.approx([rate / 10 for rate in grids["adamw"]["lr"]])
    assert grids["lion"]["decay"] == pytest.approx([10 * value for value in grids["adamw"]["decay"]])
    steps = np.diff(np.log10(grids["adamw"]["lr"]))
    assert len(steps) == 6
    assert steps == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("mutant", TASK.mutants, ids=lambda mutant: mutant.says)
def test_a_mutant_can_stand_in(mutant: Any) -> None:
    module, _, name = mutant.replaces.partition(":")
    original = getattr(importlib.import_module(module), name)
    assert list(inspect.signature(mutant.by).parameters) == list(inspect.signature(original).parameters)


# --- Identities -----------------------------------------------------------------------------------


def test_lion_by_hand() -> None:
    theta, m = 1.0, 0.0
    weight, momentum = (torch.tensor([value], dtype=torch.float64) for value in (theta, m))
    for g in (2.0, -0.5, -30.0, 0.0, 1.0):
        u = np.sign(0.9 * m + 0.1 * g)
        theta, m = theta - 0.1 * (u + 0.5 * theta), 0.99 * m + 0.01 * g
        lion.update(weight, torch.tensor([g], dtype=torch.float64), momentum, 0.1, 0.5, 0.9, 0.99)
        assert (weight.item(), momentum.item()) == pytest.approx((theta, m), rel=1e-14)


def test_identities_come_out() -> None:
    found = identities.identities(seeds(0, 1), Tier(seeds=2, sizes={"steps": 50}))
    assert found["lion_state"] == [1.0, 1.0]
    assert found["adamw_state"] == [2.0, 2.0]
    assert found["lion_costly"] == [[0.0, 0.0]] * 2
    assert found["adamw_costly"] == [[1.0, 2.0]] * 2
    assert max(found["first_step"]) < 1e-12
    assert max(found["signum"]) == 0.0
    assert max(found["fixed_point"]) < 1e-12
    assert found["lion_rms"] == [[1.0, 1.0]] * 2
    assert found["amos_rate"][0] == pytest.approx(4.0054e-5, abs=5e-10)
    assert found["amos_decay"][0] == pytest.approx(0.015381, abs=5e-7)


def test_signum_notices_a_difference() -> None:
    path = identities.signum_gap(seeds(0)[0], 50)
    with pytest.MonkeyPatch.context() as patch:
        honest = lion.update
        patch.setattr(identities.lion, "update", lambda w, g, m, lr, d, b1, b2: honest(w, g, m, lr, d, b1, 0.99))
        assert identities.signum_gap(seeds(0)[0], 50) > 1e-3 > path


@pytest.mark.parametrize(("beta", "left"), [(0.965, 14), (0.99, 50)])
def test_momentum_never_underflows(beta: float, left: int) -> None:
    m, shrink = np.float32(1e-6), np.float32(1 - beta)
    for _ in range(20_000):  # m + (1 - beta) (0 - m), rounded to float32 after every operation
        m = np.float32(m + np.float32(shrink * np.float32(-m)))
    assert m / 2.0**-149 == left == identities.stall(beta) == identities.underflow(beta, 1e-6, 20_000)[0]


def test_flushed_momentum_dies_and_the_flag_is_put_back() -> None:
    assert identities.flushed(0.965, 1e-6) == 2064
    assert (torch.tensor([1e-40]) * 0.5).item() > 0


def test_adam_under_noise() -> None:
    sizes = {"coordinates": 5_000, "steps": 300, "early": (1, 2, 4, 8, 16), "late": 100}
    found = identities.drift(seeds(0, 1, 2, 3), Tier(seeds=4, sizes=sizes))
    assert np.mean(found["late_cosine"]) == pytest.approx(math.sqrt(2 / math.pi), abs=0.005)
    assert np.mean(found["rms"]) == pytest.approx(math.sqrt(0.1 / 1.9), rel=0.02)
    assert np.asarray(found["cosine"])[:, 0] == pytest.approx(1.0)
    assert (np.mean(found["fall"], 0) > 0).all()
    # The second step in closed form: u = (0.09 g1 + 0.1 g2) / 0.19 over the root of (0.999 g1^2 + g2^2) / 1.999.
    g1, g2 = np.random.default_rng(0).standard_normal((2, 400_000))
    u = (0.09 * g1 + 0.1 * g2) / 0.19 / np.sqrt((0.999 * g1**2 + g2**2) / 1.999)
    assert np.mean(found["cosine"], 0)[1] == pytest.approx(np.abs(u).mean() / np.sqrt((u**2).mean()), abs=0.004)


# --- Digits ---------------------------------------------------------------------------------------


def test_a_seeds_world_is_its_own() -> None:
    alone, together = digits.world(seeds(3)), digits.world(seeds(5, 3, 3))
    assert together.row.tolist() == [0, 1, 1]
    for step in (0, 7):
        for ours, theirs in zip(alone.batch(step, 8), together.batch(step, 8), strict=True):
            assert torch.equal(ours[0], theirs[1])
            assert torch.equal(theirs[1], theirs[2])
            assert not torch.equal(theirs[0], theirs[1])
    assert torch.equal(alone.batch(2, 8)[0], alone.batch(2, 8)[0])
    assert [part[1].shape[1] for part in (alone.train, alone.validation, alone.test)] == [900, 8 * 400, 8 * 497]


def test_a_tenth_of_the_training_labels_is_wrong() -> None:
    from suite.blocks.data.digits import digits as plain

    data = plain()
    image = {x.numpy().round(4).tobytes(): int(y) for x, y in zip(data.train[0], data.train[1], strict=True)}
    for x, y in (data.validation, data.test):
        image |= {row.numpy().round(4).tobytes(): int(label) for row, label in zip(x, y, strict=True)}
    wrong = 0
    for seed in seeds(*range(6)):
        world = digits.world([seed])
        labels = [image[row.numpy().round(4).tobytes()] for row in world.train[0][0]]
        wrong += int((torch.tensor(labels) != world.train[1][0]).sum())
    assert wrong / 5400 == pytest.approx(0.1 * 0.9, abs=0.015)  # a tenth of the random labels is right by chance


def plain_loop(seed: Seed, rule: str, lr: float, weight_decay: float, batch: int, steps: int) -> float:
    """The digits' training without the suite: one model, a list of tensors, torch's AdamW or Lion in four lines."""
    world, network = digits.world([seed]), digits.network([seed])
    weights = [p.detach()[0].clone().requires_grad_() for p in network.parameters()]

    def forward(x: Tensor) -> Tensor:
        for i in range(0, len(weights), 2):
            x = x @ weights[i] + weights[i + 1]
            x = x.relu() if i + 2 < len(weights) else x
        return x

    groups = [
        {"params": [w for w in weights if w.ndim > 1], "weight_decay": weight_decay},
        {"params": [w for w in weights if w.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=lr)
    momenta = [torch.zeros_like(w) for w in weights]
    rise = round(0.1 * steps)
    for step in range(steps):
        x, y = world.batch(step, batch)
        gradients = torch.autograd.grad(F.cross_entropy(forward(x[0]), y[0]), weights)
        norm = torch.cat([g.flatten() for g in gradients]).norm()
        gradients = [g * min(1.0, 1.0 / float(norm)) for g in gradients]
        rate = lr * ((step + 1) / rise if step < rise else (1 + math.cos(math.pi * (step - rise) / (steps - rise))) / 2)
        if rule == "adamw":
            for group in optimizer.param_groups:
                group["lr"] = rate
            for w, g in zip(weights, gradients, strict=True):
                w.grad = g
            optimizer.step()
            continue
        with torch.no_grad():
            for w, g, m in zip(weights, gradients, momenta, strict=True):
                u = (0.9 * m + 0.1 * g).sign()
                w -= rate * (u + (weight_decay if w.ndim > 1 else 0.0) * w)
                m.copy_(0.99 * m + 0.01 * g)
    x, y = world.test
    return F.cross_entropy(forward(x[0]), y[0]).item()


@pytest.mark.parametrize("rule", ["lion", "adamw"])
def test_digits_equal_a_plain_loop(rule: str) -> None:
    stack = seeds(0, 1, 0)
    lr, weight_decay = [1e-3, 3e-3, 3e-3], [1.0, 0.3, 3.0]
    tier = Tier(seeds=3, sizes={"steps": 25})
    found = digits.measure(stack, tier, batch=16, rule=rule, lr=lr, decay=weight_decay)
    for r, seed in enumerate(stack):
        slow = plain_loop(seed, rule, lr[r], weight_decay[r], 16, 25)
        assert found["test"][r] == pytest.approx(slow, rel=2e-4)


def test_the_least_loss_of_a_square() -> None:
    rates, decays = (0.01, 0.1, 1.0), (0.01, 0.1, 1.0, 10.0)
    x, y = torch.log10(torch.tensor(rates)), torch.log10(torch.tensor(decays))
    bowl = (x[:, None] + 1.2).square() + (y - 0.3).square()
    rate, best = decay.least(bowl, rates, decays, 0)
    assert (math.log10(rate), math.log10(best)) == pytest.approx((-1.2, 0.3), abs=1e-6)
    assert decay.least(y.expand(3, -1), rates, decays, 0)[1] == 0.01  # beyond the end that may be open
    assert math.isnan(decay.least(y.expand(3, -1), rates, decays, -1)[1])
    bowl[2, 3] = math.nan
    assert decay.least(bowl, rates, decays, 0) == (rate, best)


def test_the_square_is_run_for_every_seed() -> None:
    found = decay.measure(seeds(0, 1), Tier(seeds=2, sizes={"steps": 5}), rule="adamw")
    assert np.shape(found["loss"]) == (2, 4, 6)
    pair = digits.measure(seeds(1), Tier(seeds=1, sizes={"steps": 5}), batch=64, rule="adamw", lr=[1e-2], decay=[0.316])
    expected = (400 * pair["validation"][0] + 497 * pair["test"][0]) / 897
    assert found["loss"][1][1][3] == pytest.approx(expected, rel=1e-5)


def test_noise_on_the_weights_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    tier = Tier(seeds=2, sizes={"steps": 10, "draws": 2})
    settings = {"rule": "lion", "lr": [1e-3, 1e-3], "decay": [1.0, 1.0]}
    monkeypatch.setattr(robustness, "SIGMAS", (0.0, 0.3))
    found = robustness.flatness(seeds(0, 1), tier, **settings)
    assert [row[0] for row in found["rise"]] == pytest.approx([0.0, 0.0], abs=1e-6)
    again = robustness.flatness(seeds(1), tier, rule="lion", lr=[1e-3], decay=[1.0])
    assert again["rise"][0][1] == pytest.approx(found["rise"][1][1], rel=1e-3)  # noise belongs to the seed
    assert found["rise"][0][1] != found["rise"][1][1]


def test_three_models_per_seed_of_which_one_starts_cold() -> None:
    tier = Tier(seeds=2, sizes={"steps": 20})
    found = robustness.warmup(seeds(0, 1), tier, rule="adamw", lr=[1e-2, 1e-2], decay=[0.1, 0.1])
    data = digits.world(seeds(0, 1))
    at = {"rule": "adamw", "decay": [0.1, 0.1]}
    best = digits.trained(data, digits.network(seeds(0, 1)), 64, tier, lr=[1e-2, 1e-2], **at).final("test")
    cold = digits.trained(data, digits.network(seeds(0, 1)), 64, tier, lr=[3e-2, 3e-2], warmup=0.0, **at).final("test")
    assert found["best"] == pytest.approx(best.tolist(), rel=1e-4)
    assert found["cold"] == pytest.approx(cold.tolist(), rel=1e-4)
    assert found["cost_of_cold"][0] == pytest.approx(math.log(found["cold"][0] / found["warm"][0]), abs=1e-6)


# --- The embedding toy ----------------------------------------------------------------------------


def test_lazy_tiger_row_by_row() -> None:
    stream = seeds(0)[0].stream("lazy")
    weight, momentum = torch.randn(2, 5, 3, generator=stream), torch.zeros(2, 5, 3)
    slow, average = weight.clone(), momentum.clone()
    for step in range(6):
        gradient = torch.randn(2, 5, 3, generator=stream)
        gradient[torch.rand(2, 5, generator=stream) < 0.5] = 0
        embedding.LazyTiger()(weight, gradient, (momentum,), torch.tensor(0.1), 0.2, step + 1)
        for r in range(2):
            for row in range(5):
                if gradient[r, row].any():
                    average[r, row] = 0.965 * average[r, row] + 0.035 * gradient[r, row]
                    slow[r, row] -= 0.1 * (average[r, row].sign() + 0.2 * slow[r, row])
    assert torch.allclose(weight, slow, atol=1e-6)
    assert torch.allclose(momentum, average, atol=1e-7)


def test_each_model_of_the_toy_follows_its_rule() -> None:
    groups = embedding.groups(["tiger", "tiger", "adam-on-embedding", "lazy-tiger", "lion", "adamw"], 0.01)

    def rule(row: int, name: str) -> type:
        return type(next(group for group in groups if group.fits(row, name)).rule)

    table, head = "embedding.weight", "head.weight"
    assert [rule(row, table) for row in range(6)] == [
        tiger.Rule, tiger.Rule, adamw.Rule, embedding.LazyTiger, lion.Rule, adamw.Rule,
    ]  # fmt: skip
    assert [rule(row, head) for row in range(6)] == [tiger.Rule] * 4 + [lion.Rule, adamw.Rule]


def test_pairs_follow_the_known_distribution() -> None:
    seed = seeds(0)[0]
    x, y = embedding.pairs(seed, 4_000).reshape(2, -1)
    counts = torch.bincount(x, minlength=embedding.TOKENS) / len(x)
    assert (counts - embedding.frequencies()).abs().max() < 0.01
    after_first = torch.bincount(y[x == 0], minlength=embedding.TOKENS) / (x == 0).sum()
    assert (after_first - embedding.transitions(seed)[0]).abs().max() < 0.02


def test_the_exact_loss_is_the_mean_over_many_pairs() -> None:
    seed = seeds(1)[0]
    model = embedding.Bigram([seed.stream("weights")], False)
    with torch.no_grad():
        exact = float(embedding.exact_loss(model, [seed])[0])
        x, y = embedding.pairs(seed, 8_000).reshape(2, 1, -1)
        each = F.cross_entropy(model(x)[0], y[0], reduction="none")
    assert exact == pytest.approx(float(each.mean()), abs=4 * float(each.std()) / math.sqrt(each.numel()))


def test_rare_tokens_run_away_under_the_sign_alone() -> None:
    rules = [rule for rule in ("tiger", "lion", "adamw", "lazy-tiger", "adam-on-embedding") for _ in range(2)]
    found = embedding.measure(seeds(0, 1) * 5, Tier(seeds=2, sizes={"steps": 700, "eta": 0.1}), rule=rules, tied=False)
    assert min(found["peak"][:4]) > 0.95
    assert max(found["peak"][4:6] + found["peak"][8:]) < 0.5
    assert min(found["rare_excess"][:4]) > 0
    assert found["saturated"][4:] == [0.0] * 6
    inside = [sum(counts) for counts in found["counts_rare"]]
    assert len(set(inside)) == 1
    assert inside[0] % embedding.WIDTH == 0


# --- Characters, the Hub, the large tiers ---------------------------------------------------------


@pytest.fixture
def local_wikitext(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    copy_of_wikitext(tmp_path / "wikitext")
    return tmp_path / "wikitext"


def test_the_hub_tier_in_little(local_wikitext: Path) -> None:
    sizes = {"folder": str(local_wikitext), "characters": 3_000, "steps": 3, "held_out": 8, "batch": 4}
    found = one_step(characters.EXPERIMENT, "hub", sizes)
    assert all(math.isfinite(value) for column in found.values() for value in column)


def one_step(experiment: Experiment, tier: str, sizes: dict[str, Any]) -> Any:
    small = sized(experiment, tier, sizes)
    return experiment.measure(seeds(0, 1), small, rule="lion", lr=[1e-3, 1e-3], decay=[1.0, 3.0])


TINY = {"characters": 20_000, "width": 16, "depth": 2, "heads": 2, "context": 8, "batch": 4, "steps": 3, "held_out": 8}


@pytest.mark.parametrize("experiment", [characters.EXPERIMENT, characters.PROXY, characters.GPT2], ids=lambda e: e.name)
def test_the_gpu_tier_in_little(experiment: Experiment) -> None:
    assert experiment.tiers["gpu"]["precision"] == "bf16"
    found = one_step(experiment, "gpu", TINY)
    assert all(3 < value < 7 for column in found.values() for value in column)  # ln 96 = 4.56


def test_characters_keep_a_model_apart_from_its_company() -> None:
    tier = sized(characters.EXPERIMENT, "cpu", TINY)
    pair = characters.measure(seeds(0, 1), tier, rule="adamw", lr=[1e-2, 1e-3], decay=[0.1, 0.3])
    alone = characters.measure(seeds(1), tier, rule="adamw", lr=[1e-3], decay=[0.3])
    assert pair["test"][1] == pytest.approx(alone["test"][0], rel=1e-5)


def test_gpt2_has_the_weights_of_gpt2_smalls_blocks() -> None:
    def weights(tier: Tier) -> int:
        tier = replace(tier, sizes={**tier.sizes, "width": tier["width"] // 16, "heads": 2})
        return sum(
            p.numel() for block in characters.network(seeds(0), tier).blocks for p in block.parameters() if p.ndim > 2
        )

    assert 256 * weights(characters.GPT2.tiers["gpu"]) == 84_934_656
    assert 256 * weights(characters.PROXY.tiers["gpu"]) == 25_165_824


# --- Step times -----------------------------------------------------------------------------------


def everything(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """Weights, gradients and state."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    return [t for p in parameters for t in (p, p.grad, *optimizer.state[p].values())]


def test_the_contestants_take_the_same_step() -> None:
    contest = step_time.contestants(800, seeds(0)[0], False)
    moved = {}
    for name in ("lion_forloop", "lion_foreach"):
        optimizer, step = contest[name]
        step()
        moved[name] = torch.cat([p.detach() for p in optimizer.param_groups[0]["params"]])
    assert torch.allclose(moved["lion_forloop"], moved["lion_foreach"], atol=1e-7)


def test_moving_changes_places_and_no_numbers() -> None:
    """Steps go on as if nothing had happened, and the places within a page are the stream's."""
    moved, left = (step_time.contestants(800, seeds(0)[0], False) for _ in range(2))
    for name, (optimizer, step) in moved.items():
        step()
        before, places = [t.clone() for t in everything(optimizer)], [t.data_ptr() for t in everything(optimizer)]
        step_time.move(optimizer, seeds(0)[0].stream("memory"))
        after = everything(optimizer)
        assert all(map(torch.equal, before, after))
        large = [(t.data_ptr() != place) for t, place in zip(after, places, strict=True) if t.numel() > 1]
        assert large.count(False) == 0
        assert len(large) >= 16
        assert len({t.storage_offset() for t in after}) > 10
        step()
        for _ in range(2):
            left[name][1]()
        assert all(map(torch.equal, everything(optimizer), everything(left[name][0])))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")
@needs_a_compiler
def test_a_compiled_step_stands_when_its_tensors_have_moved() -> None:
    contest = step_time.contestants(800, seeds(0)[0], True)
    compiled = {name: pair for name, pair in contest.items() if name.endswith("_compiled")}
    step_time.warm_up({name: step for name, (_, step) in compiled.items()})
    frames = torch._dynamo.utils.counters["frames"]["total"]
    for optimizer, step in compiled.values():
        for number in range(10):
            step_time.move(optimizer, seeds(number)[0].stream("memory"))
            step()
    assert torch._dynamo.utils.counters["frames"]["total"] == frames


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")
@needs_a_compiler
def test_every_size_is_compiled_as_if_it_were_the_first() -> None:
    """Compiled after another one, a size would get a kernel that serves any size."""
    with torch._dynamo.config.patch(error_on_recompile=True):
        for weights in (800, 1600, 800):
            contest = step_time.contestants(weights, seeds(0)[0], True)
            compiled = {name: step for name, (_, step) in contest.items() if name.endswith("_compiled")}
            torch._dynamo.utils.counters.clear()
            step_time.warm_up(compiled)
            assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0


def test_step_times_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_time.compiler, "present", lambda: False)
    sizes = {"weights": (800, 1600), "rounds": 2, "width": 16, "depth": 1, "batch": 2, "context": 8}
    found = step_time.measure(seeds(0, 1, 2), sized(step_time.EXPERIMENT, "gpu", sizes))
    assert np.shape(found["foreach_over_fused"]) == (3, 2)
    assert np.shape(found["steps_per_second"]) == (3,)
    assert np.isnan(found["compiled"]).all()
    assert np.asarray(found["forloop"]).min() > 0
    assert "lion_compiled_ms" not in found
