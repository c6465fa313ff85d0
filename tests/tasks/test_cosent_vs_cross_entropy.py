"""The CoSENT page: metrics by hand, training against a plain loop, the source's tables, large tiers in little."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.nn import functional as F

from suite.claims import Tier
from suite.seeds import Seed
from tasks.cosent_vs_cross_entropy import TASK, binary, identities, published, training, worlds
from tasks.cosent_vs_cross_entropy.metrics import accuracy, ranks, spearman, threshold

SIZES = {
    "flips": 0.05,
    "concepts": 16,
    "synonyms": 2,
    "pairs": 60,
    "validation": 40,
    "test": 50,
    "batch": 8,
    "hidden": 6,
    "steps": 10,
    "steps_swapped": 10,
}


def seed(number: int = 0) -> Seed:
    return Seed("cosent-tests/r1", "tune", number)


def tier(**sizes: Any) -> Tier:
    return Tier(seeds=1, sizes={**SIZES, **sizes})


# --- The page as a whole --------------------------------------------------------------------------


def test_every_claim_of_the_posts_is_there() -> None:
    ids = {claim.id.split("_")[0] for claim in TASK.claims if claim.id.startswith("c")}
    assert ids == {f"c{number}" for number in range(1, 12)}


def test_both_losses_are_tuned_alike() -> None:
    for experiment in TASK.experiments:
        assert len({tuple(sorted((k, v) for k, v in arm.tuned.items())) for arm in experiment.arms}) == 1
        assert len({arm.budget for arm in experiment.arms}) == 1
        for given in experiment.tiers.values():
            assert given.sizes.get("batch", 32) in (16, 32)  # one size of a tier, hence the same for both arms


def test_both_arms_meet_the_same_pairs_and_weights() -> None:
    """Two models of one seed in a stack are the same but for their loss; a third seed is not."""
    stack = [seed(0), seed(0), seed(1)]
    data = worlds.world(stack, tier(), "replaced", 0.5, 0.3)
    model = training.interaction(stack, tier(), data)
    for part in (*data.batch(3), data.table, *(p.detach() for p in model.parameters() if p.ndim > 2)):
        assert torch.equal(part[0], part[1])
        assert not torch.equal(part[0], part[2])


# --- Metrics --------------------------------------------------------------------------------------


def test_ranks_and_correlation_against_scipy() -> None:
    stream = seed().numpy("metrics")
    for _ in range(20):
        x, y = stream.integers(0, 9, 30).astype(float), stream.integers(0, 3, 30).astype(float)
        assert ranks(torch.tensor(x)).numpy() == pytest.approx(stats.rankdata(x))
        found = spearman(torch.tensor(x).unsqueeze(0), torch.tensor(y).unsqueeze(0))
        assert float(found) == pytest.approx(100 * stats.spearmanr(x, y).statistic, rel=1e-9)


def test_the_threshold_against_all_of_them() -> None:
    stream = seed().stream("cuts")
    scores, labels = torch.randn(6, 15, generator=stream), torch.randint(2, (6, 15), generator=stream).float()
    cut = threshold(scores, labels)
    found = accuracy(scores, labels, cut)
    for row in range(6):
        line = scores[row].sort().values
        cuts = [float(line[0]) - 1, *((line[1:] + line[:-1]) / 2).tolist(), float(line[-1]) + 1]
        best = max(float(((scores[row] > c).float() == labels[row]).float().mean()) for c in cuts)
        assert float(found[row]) == pytest.approx(100 * best)


def test_a_perfect_scorer_stays_perfect() -> None:
    y = torch.tensor([[0.0, 1.0, 1.0, 0.0]])
    assert float(accuracy(y, y, threshold(y, y))) == 100.0
    assert float(spearman(y, y)) == pytest.approx(100.0)


# --- Training -------------------------------------------------------------------------------------


def test_losses_go_to_their_rows() -> None:
    names = ["ce", "cosent", "ce", "mse"]
    stack = [seed(n) for n in range(4)]
    data = worlds.world(stack, tier(), "replaced", 0.5, 0.3)
    model = training.interaction(stack, tier(), data)
    a, b, y = data.batch(0)
    found, f = training.losses(model, names, a, b, y), model(a, b)
    for row, name in enumerate(names):
        assert torch.allclose(found[row], training.ON_SCORES[name](f, y)[row], atol=1e-6)
    z = torch.stack([torch.zeros_like(f[0]), f[0]], 1)
    assert float(found[0].detach()) == pytest.approx(float(F.cross_entropy(z, y[0].long()).detach()), rel=1e-5)


def test_embedding_losses_by_hand() -> None:
    stack = [seed(0)]
    data = worlds.world(stack, tier(), "replaced", 0.5, 0.3)
    model = training.representation(stack, tier(), data)
    a, b, y = data.batch(0)
    u, v = model(a)[0], model(b)[0]
    cosines = F.cosine_similarity(u, v)
    known = {
        "cosine": torch.where(y[0] > 0.5, 1 - cosines, 1 + cosines).mean(),
        "sbert": F.binary_cross_entropy_with_logits(
            torch.cat([u, v, (u - v).abs()], 1) @ model.head.weight[0, :, 0] + model.head.bias[0], y[0]
        ),
        "cosent": torch.stack(
            [torch.zeros(())]
            + [20 * (cosines[k] - cosines[i]) for i in range(8) for k in range(8) if y[0, i] > y[0, k]]
        ).logsumexp(0),
    }
    for name, value in known.items():
        assert float(training.losses(model, [name], a, b, y).detach()) == pytest.approx(float(value.detach()), rel=1e-4)
    assert torch.allclose(training.scores(model, a, b)[0], cosines, atol=1e-6)


def test_training_against_a_plain_loop() -> None:
    small, names = tier(), ["ce", "cosent"]
    stack = [seed(0)] * 2
    data = worlds.world(stack, small, "replaced", 0.5, 0.3)
    found = training.train(training.interaction(stack, small, data), data, names, [1e-2, 3e-3], 10)
    for row, (name, lr) in enumerate(zip(names, (1e-2, 3e-3), strict=True)):
        alone = worlds.world([seed(0)], small, "replaced", 0.5, 0.3)
        model = training.interaction([seed(0)], small, alone)
        optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        curve = []
        for step in range(10):
            optimizer.param_groups[0]["lr"] = lr * training.linear(10)(step)
            optimizer.zero_grad()
            training.losses(model, [name], *alone.batch(step)).sum().backward()
            optimizer.step()
            if (step + 1) % 2 == 0:
                with torch.no_grad():
                    curve.append(training.judged(model, alone))
        validation = [float(point["validation"][0]) for point in curve]
        best = max(range(5), key=validation.__getitem__)
        assert found["curve"][row].tolist() == pytest.approx(validation, abs=0.5)
        assert float(found["validation"][row]) == pytest.approx(max(validation), abs=0.5)
        assert float(found["spearman"][row]) == pytest.approx(float(curve[best]["test"][0]), abs=0.5)


def test_the_schedule() -> None:
    multiplier = training.linear(1000)
    assert [multiplier(t) for t in (0, 24, 49, 50, 525, 999)] == pytest.approx([1 / 50, 0.5, 1.0, 1.0, 0.5, 1 / 950])


def test_noise_parts_synonyms() -> None:
    for noise, known in ((0.3, 1 / 1.09), (4.0, 1 / 17)):
        table = worlds.embeddings(seed(), tier(concepts=400), noise)
        cosines = F.cosine_similarity(table[0::2], table[1::2])
        assert float(cosines.mean()) == pytest.approx(known, abs=0.05)


# --- Identities and tables ------------------------------------------------------------------------


def test_identities_come_out() -> None:
    found = identities.measure([seed(0), seed(1)], Tier(seeds=2))
    assert max(found["softmax_value"]) < 1e-12
    assert max(found["softmax_gradient"]) < 1e-12
    assert max(found["relabelled"]) == 0.0
    assert 0 < max(found["shifted"]) < 1e-12
    assert max(found["area"]) < 1e-12
    assert max(found["factored"]) < 1e-10
    assert max(found["sketched"]) < 1
    assert found["smallest"][0] == pytest.approx(1 - math.sqrt(2))


@pytest.mark.parametrize(
    ("name", "by", "metric"),
    [
        ("cosent", lambda f, y: (f * y).sum(1), "shifted"),
        ("cosent", lambda f, y: (f.tanh() * y).mean(1), "relabelled"),
        ("logistic", lambda f, y: F.softplus(f).mean(1), "softmax_value"),
    ],
)
def test_identities_notice_another_loss(
    name: str, by: Callable[[Tensor, Tensor], Tensor], metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identities, name, by)
    assert identities.measure([seed()], Tier(seeds=1))[metric][0] > 1e-3


def test_area_by_counting() -> None:
    f, y = torch.tensor([0.1, 0.4, 0.4, 0.9]), torch.tensor([0.0, 0.0, 1.0, 1.0])
    assert identities.area_under_curve(f, y) == pytest.approx((1 + 0.5 + 1 + 1) / 4)


def test_the_generator_keeps_its_word() -> None:
    found = identities.generator([seed(n) for n in range(4)], Tier(seeds=4, sizes={"number": 4000}))
    assert np.mean(found["above_ceiling"], 0) == pytest.approx(0, abs=1.5)
    assert np.mean(found["bag"]) == pytest.approx(50, abs=1.5)


def test_what_the_tables_say() -> None:
    assert published.repeats() == [-0.11, -0.31, 0.30, 0.15, -0.07, 1.05, -0.08, -0.48]
    found = published.measure([seed()], Tier(seeds=1))
    assert found["by_repeat"][0] == pytest.approx(0.319, abs=5e-4)
    assert found["by_loss"][0] == pytest.approx(0.2025, abs=1e-9)
    assert found["p"][0] == pytest.approx([0.318, 0.617], abs=5e-4)
    assert found["mean_difference"][0] == pytest.approx([0.12, 0.05], abs=0.01)
    t = np.asarray(published.differences(published.SPEARMAN))
    assert t.mean() / (t.std(ddof=1) / math.sqrt(8)) == pytest.approx(1.07, abs=5e-3)


# --- The gpu tier in little -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pairs", "rare", "graded", "embeddings", "encoders"])
def test_the_gpu_tier_in_little(name: str) -> None:
    experiment = TASK.experiment(name)
    given = experiment.tiers["gpu"]
    small = replace(given, sizes={k: SIZES[k] for k in given.sizes})
    at = {name: values[-1] for name, values in experiment.conditions.items()}
    for arm in experiment.arms:
        fixed = {k: [v] * 2 if k in experiment.columns else v for k, v in arm.fixed.items()}
        found = experiment.measure([seed(0), seed(1)], small, **at, **fixed, lr=[1e-2] * 2)
        assert all(len(column) == 2 for column in found.values())
        assert all(torch.isfinite(column).all() for column in found.values())
        assert found["curve"].shape == (2, training.CHECKPOINTS)
        assert ("accuracy" in found) == (name != "graded")


def test_regimes_differ_in_their_embeddings_alone() -> None:
    strong, weak = (worlds.world([seed()], tier(), "swapped", 0.45, noise) for noise in (binary.STRONG, binary.WEAK))
    assert all(torch.equal(a, b) for a, b in zip(strong.batch(1), weak.batch(1), strict=True))
    assert not torch.equal(strong.table, weak.table)
