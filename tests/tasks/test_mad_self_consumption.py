"""The self-consumption page: by-hand values, loops that really draw their data, every experiment in little."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from suite.claims import Tier
from suite.seeds import Seed
from tasks.mad_self_consumption import TASK, flow, gaussian, mixture, real_data
from tasks.mad_self_consumption.pools import late, next_pool

SEEDS = [Seed("mad-tests/r1", "verdict", number) for number in range(3)]


def tier(experiment, name="smoke", **sizes):
    return Tier(seeds=3, sizes={**experiment.tiers[name].sizes, **sizes})


# --- the Gaussian loop ------------------------------------------------------------------------------------


def drawn_loop(rng, chains, n, d, lam, generations):
    """The loop as the post has it: real data, then samples of the fit, again and again. (mu, S) of every generation."""
    found = []
    x = rng.standard_normal((chains, n, d))
    for _ in range(generations):
        mu = x.mean(1)
        centred = x - mu[:, None]
        s = np.einsum("cni,cnj->cij", centred, centred) / (n - 1)
        found.append((mu, s))
        lower = np.linalg.cholesky(lam * s)
        x = mu[:, None] + rng.standard_normal((chains, n, d)) @ lower.transpose(0, 2, 1)
    return found


@pytest.mark.parametrize(("d", "lam"), [(1, 1.0), (3, 0.8)])
def test_sufficient_statistics_walk_as_drawn_data_do(d, lam):
    n, chains, generations = 12, 4000, 4
    rng = SEEDS[0].numpy("data")
    drawn = drawn_loop(rng, chains, n, d, lam, generations)
    lower, mu = np.broadcast_to(np.eye(d), (chains, d, d)), np.zeros((chains, d))
    for t in range(1, generations + 1):
        past = math.sqrt(lam) if t > 1 else 1.0
        mu = mu + past * (lower @ rng.standard_normal((chains, d, 1)))[..., 0] / math.sqrt(n)
        lower = past * lower @ gaussian.bartlett(rng, chains, n, d) / math.sqrt(n - 1)
        s = lower @ lower.transpose(0, 2, 1)
        for mine, theirs in (
            (mu[:, 0], drawn[t - 1][0][:, 0]),
            (np.linalg.slogdet(s)[1], np.linalg.slogdet(drawn[t - 1][1])[1]),
            (s[:, -1, 0], drawn[t - 1][1][:, -1, 0]),
        ):
            assert stats.ks_2samp(mine, theirs).pvalue > 1e-4


def test_drift_and_spread_are_moments_of_a_step():
    rng, n, d = SEEDS[0].numpy("steps"), 15, 4
    steps = sum(np.log(rng.chisquare(n - i, 200_000) / (n - 1)) for i in range(1, d + 1))
    assert gaussian.drift(n, d, 1.0) == pytest.approx(steps.mean(), abs=5 * steps.std() / 450)
    assert gaussian.spread(n, d) == pytest.approx(steps.var(), rel=0.02)
    assert gaussian.drift(n, d, 0.5) - gaussian.drift(n, d, 1.0) == pytest.approx(d * math.log(0.5))
    assert gaussian.drift(1000, 8, 1.0) == pytest.approx(-8 * 9 / (2 * 999), rel=0.01)  # the first order


def test_what_c6_expects_follows_from_the_drift():
    assert gaussian.drift(100, 1, 0.9) / gaussian.drift(100, 1, 1.0) == pytest.approx(11.4, rel=0.002)


def test_crossing_a_level():
    assert gaussian.crossing([-0.5, -1.5], -1.0) == 1.5
    assert gaussian.crossing([-2.0], -1.0) == 0.5
    assert math.isnan(gaussian.crossing([-0.1, -0.2], -1.0))


def test_the_law_of_the_mean_is_that_of_drawn_means():
    n, t = 10, 20
    rng = SEEDS[1].numpy("law")
    mu, s, total = np.zeros(20_000), np.ones(20_000), np.zeros(20_000)
    for _ in range(t):
        total = total + s / n
        mu = mu + np.sqrt(s / n) * rng.standard_normal(20_000)
        s = s * rng.chisquare(n - 1, 20_000) / (n - 1)
    assert gaussian.mixed_median(total) == pytest.approx(np.median(np.abs(mu)), rel=0.03)
    places = np.array([-1.0, 0.0, 0.5, 2.0])
    assert gaussian.mixed(places, total) == pytest.approx([(mu <= x).mean() for x in places], abs=0.015)


def test_students_law_and_its_median():
    x = np.linspace(-5, 5, 11)
    assert gaussian.student(x) == pytest.approx(stats.t.cdf(x, 2))
    assert stats.t.ppf(0.75, 2) == pytest.approx(gaussian.STUDENT_MEDIAN, abs=1e-6)
    assert stats.norm.ppf(0.75) == pytest.approx(gaussian.NORMAL_MEDIAN, abs=1e-6)


def test_dufresne_the_sum_of_variances_is_one_over_an_exponential():
    found = gaussian.law(SEEDS[:1], tier(gaussian.LAW, chains=2000), n=100)
    assert found["last_median"][0] == pytest.approx(gaussian.STUDENT_MEDIAN, rel=0.06)
    assert found["last_distance"][0] < 0.03
    assert found["at_five_distance"][0] > 0.1  # far from normal


# --- Gaussian loops with real data ----------------------------------------------------------------------


def test_two_pools_merge_like_their_points():
    rng = SEEDS[0].numpy("points")
    a, b = rng.standard_normal((3, 7)), 2 + rng.standard_normal((3, 5))

    def pool(x):
        return real_data.Pool(number=x.shape[1], mean=x.mean(1), squares=((x - x.mean(1)[:, None]) ** 2).sum(1))

    both, expected = pool(a) + pool(b), pool(np.concatenate([a, b], 1))
    assert both.number == 12
    assert both.mean == pytest.approx(expected.mean)
    assert both.squares == pytest.approx(expected.squares)
    assert both.variance == pytest.approx(np.concatenate([a, b], 1).var(1, ddof=1))


def test_the_error_of_a_fit_to_real_points():
    rng, one = SEEDS[0].numpy("pools"), np.ones(200_000)
    for n in (5, 50):
        assert real_data.drawn(rng, n, 0 * one, one).error == pytest.approx(real_data.of_real(n), rel=0.02)
        assert real_data.worth(real_data.of_real(n)) == pytest.approx(n)
    assert real_data.of_real(10_000) == pytest.approx(1 / 10_000 + 2 / (4 * 10_000), rel=1e-3)


def test_the_fresh_loops_moments_follow_the_exact_recursion():
    """Q = E mu^2 and S = E of the variance, one generation after the other (the page's catalogue of formulas)."""
    n_r, n_s, lam, chains = 30, 60, 0.9, 200_000
    n, q, s = n_r + n_s, 0.0, 1.0
    rng, one = SEEDS[0].numpy("chains"), np.ones(chains)
    pool = real_data.Pool(number=n, mean=0 * one, squares=(n - 1) * one)
    for _ in range(5):
        between = n_r * n_s / n * (1 / n_r + q + lam * s / n_s)
        q, s = (n_r + n_s * lam * s + n_s**2 * q) / n**2, ((n_r - 1) + (n_s - 1) * lam * s + between) / (n - 1)
        made = real_data.drawn(rng, n_s, pool.mean, lam * pool.variance)
        pool = real_data.drawn(rng, n_r, 0 * one, one) + made
        assert (pool.mean**2).mean() == pytest.approx(q, rel=0.02)
        assert pool.variance.mean() == pytest.approx(s, rel=0.005)


def test_diets_end_where_theory_has_them():
    few = tier(real_data.EXPERIMENT_DIETS, chains=20_000, generations=24)
    found = {diet: real_data.diets(SEEDS[:1], few, diet=diet, lam=1.0)["ratio"][0] for diet in real_data.DIETS}
    assert found["fixed"] == pytest.approx(4 / 3, abs=0.05)
    assert found["growing"] == pytest.approx(sum(1 / t**2 for t in range(1, 25)), abs=0.06)
    assert found["fresh"] == pytest.approx(2 / 3, abs=0.03)
    assert found["synthetic"] > 15


def test_the_number_of_points_that_help():
    assert real_data.crossing_formula(0.95) == pytest.approx((1 + 5) / 0.05**2, rel=0.1)
    found = real_data.crossing(SEEDS[:2], tier(real_data.CROSSING, chains=400), lam=0.5)
    assert found["crossing"] == pytest.approx([32, 32], rel=0.1)
    assert real_data.first_root((1, 2), (1.0, 2.0)) == 1.0
    assert real_data.first_root((1, 2), (-1.0, -2.0)) == 2.0


def test_regression_takes_off_chance_and_nothing_else():
    rng = SEEDS[0].numpy("controls")
    controls = rng.standard_normal((5000, 3))
    values = 0.01 + controls @ np.array([1.0, -2.0, 0.5]) + 0.01 * rng.standard_normal(5000)
    assert real_data.without_chance(values, controls) == pytest.approx(0.01, abs=0.001)
    assert abs(values.mean() - 0.01) > 0.003


# --- pools ------------------------------------------------------------------------------------------------


def test_what_each_diet_eats():
    first, fresh, before, made = (torch.full((1, 2, 1), float(i)) for i in range(4))
    found = {d: next_pool(d, first, fresh, before, made).flatten().tolist() for d in real_data.DIETS}
    assert found == {
        "synthetic": [3, 3],
        "fixed": [0, 0, 3, 3],
        "growing": [2, 2, 3, 3],
        "fresh": [1, 1, 3, 3],
    }
    with pytest.raises(ValueError, match="a diet is synthetic"):
        next_pool("vegan", first, fresh, before, made)


def test_late_compares_thirds():
    assert late([9.0, 1.0, 1.0, 2.0, 2.0, 4.0, 4.0]) == 8 / 4


# --- the mixture on digits ----------------------------------------------------------------------------------


def little(name, **sizes):
    arms = {a.name: a for e in (mixture.ALONE, mixture.GENERATORS, mixture.FED) for a in e.arms}
    return mixture.measure(SEEDS, tier(mixture.FED, **sizes), **arms[name].fixed)


def test_every_arm_begins_with_the_same_generation():
    ones = [little(name) for name in ("synthetic", "fixed", "growing", "fresh", "twice as many")]
    for name in ("frechet", "precision", "recall"):
        firsts = [[row[0] for row in found[name]] for found in ones]
        assert all(first == firsts[0] for first in firsts)
    assert len({str(found["frechet"]) for found in ones}) == 5


def test_a_seed_does_not_depend_on_its_company():
    settings = mixture.ALONE.arms[0].fixed
    together = mixture.measure(SEEDS, tier(mixture.FED), **settings)
    alone = mixture.measure(SEEDS[1:2], tier(mixture.FED), **settings)
    for name in ("frechet", "recall"):
        assert alone[name][0] == pytest.approx(together[name][1], rel=1e-6)


def test_changes_are_last_less_first():
    found = little("synthetic")
    for row in range(3):
        assert found["recall_change"][row] == pytest.approx(found["recall"][row][-1] - found["recall"][row][0])
        assert found["recall_changes"][row][1] == pytest.approx(found["recall_change"][row])
        assert found["ratio"][row] == pytest.approx(found["frechet"][row][-1] / found["frechet"][row][0])


def test_true_images_to_learn_from_and_to_judge_by_are_not_the_same():
    world = mixture.world(SEEDS, tier(mixture.IMAGES), True)
    for row in range(3):
        assert float(torch.cdist(world.first[row], world.held_out[row]).min()) > 0
    assert not world.fresh


def test_pictures_are_grey_levels():
    settings = mixture.PICTURES.arms[0].fixed
    found = np.array(mixture.pictured(SEEDS[:1], tier(mixture.PICTURES), **settings)["pictures"])
    assert found.shape == (1, 4, 4, 64)
    assert found.min() >= 0
    assert found.max() <= 15


# --- the flow -------------------------------------------------------------------------------------------------


def test_arms_of_a_stack_are_what_they_are_alone():
    few = tier(flow.FLOW, steps=8)
    settings = {"diet": ["synthetic", "fixed", "synthetic"], "lam": [1.0, 1.0, 0.7], "lr": [4e-3] * 3}
    together = flow.measure([SEEDS[0]] * 3, few, **settings)
    for row in range(3):
        alone = flow.measure([SEEDS[0]], few, **{name: values[row : row + 1] for name, values in settings.items()})
        assert alone["distance"][0] == pytest.approx(together["distance"][row], rel=1e-3)
    assert together["distance"][0][0] == together["distance"][1][0]  # the same first generation
    assert together["distance"][0] != together["distance"][1]


def test_a_trained_flow_finds_the_ring():
    """More steps, a better flow: what tuning looks at falls, and so does the distance."""
    few, more = tier(flow.FLOW, steps=10), tier(flow.FLOW, steps=150, batch=128)
    losses = [flow.first_generation(SEEDS[:1], each, lr=[8e-3])["loss"][0] for each in (few, more)]
    assert losses[1] < losses[0] - 0.2


def test_points_are_counted_on_a_grid():
    found = flow.picture(torch.tensor([[-2.9, 2.9], [2.9, -2.9], [9.0, 0.0]])).view(flow.SIDE, flow.SIDE)
    assert found.nonzero().tolist() == [[0, 0], [23, 23]]  # upper left, lower right; outside does not count


# --- tiers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [e.name for e in TASK.experiments if "gpu" in e.tiers and e.name != "images"])
def test_the_gpu_tier_in_little(name):
    experiment = TASK.experiment(name)
    small = {
        "chains": {"10": 20, "100": 20, "1000": 20} if name == "walk" else 20,
        "steps": {"10": 3, "100": 3, "1000": 3} if name == "walk" else 2,
        "generations": 6 if name not in ("flow", "flow-pictures", "flow-more") else 3,
        "points": 60, "judged": 40, "batch": 8, "iterations": 2, "pictured": (1, 3), "pictures": 2, "flow_steps": 2,
        "averaged": 2, "burn": 2, "times": (1, 5, 6), "n_r": 100,
    }  # fmt: skip
    own = experiment.tiers["gpu"].sizes
    sizes = {**own, **{k: v for k, v in small.items() if k in own and (name, k) != ("moments", "times")}}
    at = {key: values[0] for key, values in experiment.conditions.items()}
    arm = experiment.arms[-1]
    settings = {k: [v] * 2 if k in experiment.columns else v for k, v in arm.fixed.items()}
    if name.startswith("flow"):
        settings["lr"] = [1e-3] * 2
    found = experiment.measure(SEEDS[:2], Tier(seeds=2, sizes=sizes), **at, **settings)
    assert all(len(column) == 2 for column in found.values())
