"""The page's mathematics against numbers by hand, slower twins and other libraries."""

import itertools
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import torch

from suite.blocks.models.halves import before_attention
from suite.claims import Tier
from suite.seeds import Seed
from tasks.attention_rank import TASK, certificates, depth, exact, floats, matrices, order, raising, spectra, trained


def seed(number: int = 0) -> Seed:
    return Seed("attention-rank-tests/r1", "verdict", number)


def whole(n: int, d: int, number: int = 0) -> np.ndarray:
    u, v = exact.grid(seed(number), n, d)
    return u @ v.T


# --- Matrices -------------------------------------------------------------------------------------


def test_the_uniform_triangle() -> None:
    """C_ij = 1/i: determinant 1/n!, an inverse of two diagonals, and the smallest singular value of the catalogue."""
    c = matrices.attention(torch.zeros(128, 128, dtype=torch.float64), "lower")
    assert float(c[:6, :6].det()) == pytest.approx(1 / math.factorial(6), rel=1e-12)
    inverse = torch.linalg.inv(c)
    i = torch.arange(1, 129, dtype=torch.float64)
    assert torch.allclose(inverse, torch.diag(i) - torch.diag(i[:-1], -1), atol=1e-9)
    assert float(torch.linalg.svdvals(c)[-1]) == pytest.approx(4.0767537592e-3, rel=1e-10)


@pytest.mark.parametrize("mask", ["none", "lower", "upper"])
def test_attention_entry_by_entry(mask: str) -> None:
    q, k = (part[0, 0] for part in matrices.queries_and_keys([seed()], 7, 3))
    logits = matrices.logits(q, k, 1.7)
    soft, plain = matrices.attention(logits, mask), matrices.linear_attention(q, k, 1.7, mask)
    for i in range(7):
        seen = [j for j in range(7) if mask == "none" or (j <= i if mask == "lower" else j >= i)]
        weight = {
            j: math.exp(1.7 * sum(float(a * b) for a, b in zip(q[i], k[j], strict=True)) / math.sqrt(3)) for j in seen
        }
        other = {
            j: sum(
                phi(math.sqrt(1.7) * float(a)) * phi(math.sqrt(1.7) * float(b)) for a, b in zip(q[i], k[j], strict=True)
            )
            for j in seen
        }
        for j in range(7):
            assert float(soft[i, j]) == pytest.approx(weight.get(j, 0) / sum(weight.values()), abs=1e-14)
            assert float(plain[i, j]) == pytest.approx(other.get(j, 0) / sum(other.values()), abs=1e-14)


def phi(x: float) -> float:
    return x + 1 if x > 0 else math.exp(x)


def test_the_scale_of_the_logits_is_their_deviation() -> None:
    q, k = matrices.queries_and_keys([seed()], 400, 32)
    assert float(matrices.logits(q, k, 0.7).std()) == pytest.approx(0.7, rel=0.02)


def test_ranks_of_known_spectra() -> None:
    s = torch.tensor([4.0, 2.0, 1.0, 1e-6, 0.0], dtype=torch.float64)
    p = [4 / 7.000001, 2 / 7.000001, 1 / 7.000001, 1e-6 / 7.000001]
    assert float(matrices.effective_rank(s)) == pytest.approx(math.exp(-sum(x * math.log(x) for x in p)))
    assert float(matrices.stable_rank(s)) == pytest.approx(21 / 16)
    assert int(matrices.numerical_rank(s, matrices.FLOAT32)) == 3
    assert int(matrices.numerical_rank(s, matrices.FLOAT64)) == 4
    a = torch.randn(30, 9, generator=seed().stream("a"), dtype=torch.float64)
    a = a @ torch.randn(9, 30, generator=seed().stream("b"), dtype=torch.float64)
    assert (
        int(matrices.numerical_rank(torch.linalg.svdvals(a), matrices.FLOAT64)) == int(torch.linalg.matrix_rank(a)) == 9
    )


# --- Certificates ---------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", ["none", "lower", "upper"])
@pytest.mark.parametrize(("d", "sd"), [(1, 0.1), (2, 1.0), (4, 4.0)])
def test_determinants_against_mpmath(d: int, sd: float, mask: str) -> None:
    n, w = 10, whole(10, d)
    found = certificates.determinant(w, sd, d, mask)
    with mpmath.workdps(300):
        c = mpmath.mpf(sd) / (mpmath.sqrt(d) * certificates.GRID**2)
        sees = {"none": lambda i, j: True, "lower": lambda i, j: j <= i, "upper": lambda i, j: j >= i}[mask]
        a = mpmath.matrix(n, n)
        for i in range(n):
            row = [mpmath.exp(c * int(w[i, j])) if sees(i, j) else mpmath.mpf(0) for j in range(n)]
            for j in range(n):
                a[i, j] = row[j] / sum(row)
        det = mpmath.det(a)
        assert found.sign == int(mpmath.sign(det))
        assert abs(mpmath.mpf(str(found.log)) - mpmath.log(abs(det))) < 1e-14


def test_a_vanishing_determinant_is_seen() -> None:
    w = whole(5, 2)
    w[3] = w[1]  # two equal queries
    assert certificates.determinant(w, 1.0, 2, "none", most=300).sign == 0
    assert not certificates.nonsingular(w)


def sums_of_permutations(w: np.ndarray) -> list[int]:
    n = len(w)
    return sorted((sum(int(w[i, p[i]]) for i in range(n)) for p in itertools.permutations(range(n))), reverse=True)


@pytest.mark.parametrize("number", range(40))
def test_unique_assignments_against_all_permutations(number: int) -> None:
    """Small whole numbers, so that ties are frequent."""
    w = seed(number).numpy("small").integers(-4, 5, size=(5, 5))
    best, second, *_ = sums_of_permutations(w)
    assert certificates.nonsingular(w) == (best > second)


def test_ties_and_single_ones_both_occur() -> None:
    found = {certificates.nonsingular(seed(n).numpy("small").integers(-4, 5, size=(5, 5))) for n in range(40)}
    assert found == {True, False}


def test_numbers_too_large_for_float64_are_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        certificates.nonsingular(np.array([[2**53, 0], [0, 1]]))


def fraction_rank(matrix: np.ndarray) -> int:
    """Rank of float64 numbers as fractions."""
    rows, rank = [[Fraction(float(x)) for x in row] for row in matrix], 0
    for column in range(matrix.shape[1]):
        found = next((i for i in range(rank, len(rows)) if rows[i][column]), None)
        if found is None:
            continue
        rows[rank], rows[found] = rows[found], rows[rank]
        for i in range(rank + 1, len(rows)):
            factor = rows[i][column] / rows[rank][column]
            rows[i] = [a - factor * b for a, b in zip(rows[i], rows[rank], strict=True)]
        rank += 1
    return rank


@pytest.mark.parametrize("number", range(12))
def test_ranks_modulo_a_prime_against_fractions(number: int) -> None:
    stream = seed(number).numpy("rank")
    rank = int(stream.integers(1, 7))
    small = stream.integers(-9, 10, size=(7, rank)) @ stream.integers(-9, 10, size=(rank, 6))
    for matrix in (
        small * 2.0 ** stream.integers(-60, 60),
        stream.standard_normal((7, 6)),
        np.tril(np.ones((6, 6)) / 3),
    ):
        assert certificates.rank_modulo(certificates.remainders(matrix)) == fraction_rank(matrix)


def test_repeated_tokens() -> None:
    w, tokens = whole(6, 3), np.array([0, 4, 4, 1, 0, 4, 1, 1])
    assert certificates.repeated_rank(w, tokens) == 3
    a = torch.softmax(torch.tensor(w[np.ix_(tokens, tokens)] / certificates.GRID**2), dim=-1)
    assert int(torch.linalg.matrix_rank(a)) == 3
    assert certificates.determinant(w[np.ix_(tokens, tokens)], 1.0, 3, "lower").sign == 1


def test_linear_attention_in_decimals() -> None:
    u, v = exact.grid(seed(), 6, 2)
    found = certificates.linear(u, v, 4.0, 40)
    q, k = (torch.tensor(part / certificates.GRID) for part in (u, v))
    assert np.allclose(np.array(found, dtype=float), matrices.linear_attention(q, k, 4.0, "lower").numpy(), atol=1e-15)
    sign, log = certificates.eliminate(found, 40)
    assert sign == 1
    assert abs(log - certificates.log_diagonal(found, 40)) < Decimal("1e-30")


def test_the_order_of_numbers() -> None:
    for p in itertools.permutations(range(4)):
        swaps = sum(p[i] > p[j] for i in range(4) for j in range(i + 1, 4))
        assert exact.order_sign(np.array(p)) == (-1) ** swaps


def test_the_exact_experiment() -> None:
    [row] = [{name: column[0] for name, column in exact.measure([seed()], Tier(seeds=1)).items()}]
    assert row["deficit"] == [0.0] * len(exact.SHAPES)
    assert row["vanishing"] == [0] * len(exact.HEADS)
    assert row["wrong_signs"] == row["not_positive"] == row["causal_deficit_of_repeats"] == 0
    assert max(row["lower_error"], row["upper_error"], row["linear_error"]) < 1e-40
    assert row["flip_error"] <= 1e-15
    assert row["deficit_of_repeats"] >= 12


# --- Floats and maps ------------------------------------------------------------------------------


def test_what_float64_says() -> None:
    row = floats.one_seed(seed(), 64)
    assert row["deficit"] == 0
    assert row["lost"][0] >= 1
    assert max(row["transposed"]) < -10
    assert max(row["pivoted"][:2]) < -10
    assert row["pivoted"][-1] > 0


def test_the_smallest_singular_value_is_right_where_it_is_reported() -> None:
    tier = Tier(seeds=1, sizes={"draws": 3})
    found = spectra.measure([seed()], tier, n=24, d=8, sd=0.5, mask="lower")
    q, k = matrices.queries_and_keys([seed()], 24, 8, 3)
    a = matrices.attention(matrices.logits(q, k, 0.5), "lower")[0]
    s = [np.sqrt(np.linalg.eigvalsh(x.T @ x)[::-1].clip(0)) for x in a.numpy()]
    ranks = [math.exp(-sum(p * math.log(p) for p in x / x.sum() if p > 0)) for x in s]
    assert float(found["effective_rank"][0]) == pytest.approx(math.prod(ranks) ** (1 / 3), rel=1e-6)
    norms = [np.linalg.norm(x, 2) * np.linalg.norm(np.linalg.inv(x), 2) for x in a.numpy()]
    assert float(found["smallest"][0]) == pytest.approx(-np.log10(norms).mean(), rel=1e-6)
    assert int(found["full64"][0]) == 1


def test_the_turn_on_a_known_curve() -> None:
    scales = order.SCALES
    assert order.crossing(scales, [math.log(0.6 / x) for x in scales]) == pytest.approx(0.6, rel=1e-12)
    assert order.crossing(scales, [1.0] * len(scales)) == scales[-1]
    table = torch.tensor([[[math.log(t / x) for x in scales] for t in (0.05, 0.25)]])
    assert torch.allclose(order.turns(table), torch.tensor([[0.05, 0.25]], dtype=torch.float64), rtol=1e-6)


def test_the_map_has_the_shape_of_its_labels() -> None:
    tier = Tier(seeds=1, sizes={"lengths": (32, 64), "heads": order.HEADS})
    found = order.measure([seed(), seed(1)], tier)
    assert found["by_head"].shape == (2, len(order.HEADS), len(order.SCALES))
    assert found["crossing"].shape == (2, 2, len(order.HEADS))
    assert found["exponent_in_d"].shape == (2, 2)
    assert found["exponent_in_n"].shape == (2, len(order.LAW))
    for d, ratios in order.RATIOS.items():
        assert found[f"by_ratio_{d}"].shape == (2, len(ratios), len(order.SCALES))
    assert float(found["by_head"].abs().max()) <= order.SHOWN
    assert order.long([seed()], tier)["crossing"].shape == (1, 2, len(order.HEADS))


def test_a_seed_does_not_depend_on_its_company() -> None:
    tier = Tier(seeds=1, sizes={"draws": 2})
    alone = spectra.measure([seed(1)], tier, n=32, d=8, sd=1.0, mask="none")
    together = spectra.measure([seed(0), seed(1)], tier, n=32, d=8, sd=1.0, mask="none")
    assert all(float(alone[name][0]) == float(together[name][1]) for name in alone)


def test_softmax_raises_and_linear_does_not() -> None:
    tier = Tier(seeds=1)
    assert int(raising.measure([seed()], tier, n=64)["excess"].min()) >= 1
    found = raising.linear([seed()], tier, n=40, d=8, sd=1.0, kind="linear")
    assert int(found["excess"][0]) == found["exact_excess"][0] == 0
    assert float(found["determinant_error"][0]) < 1e-10
    softmax = raising.linear([seed()], tier, n=40, d=8, sd=1.0, kind="softmax")
    assert float(softmax["effective_rank"][0]) > float(found["effective_rank"][0])


# --- Depth ----------------------------------------------------------------------------------------


def test_residuals_in_thousands_of_digits() -> None:
    """X <- A X as it stands, in mpmath, down to where float64 has nothing left."""
    n, d, layers = 5, 2, 8
    start = depth.network([seed()], n, d, layers)
    found = depth.centred(start)[0].tolist()
    with mpmath.workdps(6000):
        x = mpmath.matrix(start.x[0].tolist())
        for layer in range(layers):
            y = mpmath.matrix(n, d)
            for i in range(n):
                size = mpmath.sqrt(sum(x[i, c] ** 2 for c in range(d)) / d)
                for c in range(d):
                    y[i, c] = x[i, c] / size
            logits = (y * mpmath.matrix(start.query[0, layer].tolist())) * (
                y * mpmath.matrix(start.key[0, layer].tolist())
            ).T
            a = (logits / mpmath.sqrt(d)).apply(mpmath.exp)
            for i in range(n):
                total = sum(a[i, j] for j in range(n))
                for j in range(n):
                    a[i, j] /= total
            x = a * x
            means = [sum(x[i, c] for i in range(n)) / n for c in range(d)]
            rest = mpmath.sqrt(sum((x[i, c] - means[c]) ** 2 for i in range(n) for c in range(d)))
            known = mpmath.log10(rest / mpmath.sqrt(sum(x[i, c] ** 2 for i in range(n) for c in range(d))))
            assert found[layer] == pytest.approx(float(known), rel=1e-9), layer
    assert found[-1] < -300  # far below the smallest double


def test_both_ways_agree_where_float64_still_sees() -> None:
    start = depth.network([seed(0), seed(1)], 32, 8, 4)
    plain, _ = depth.plain(start, ["none"] * 4)
    assert torch.allclose(depth.centred(start)[:, :3], plain[:, :3], rtol=1e-8)


def test_the_second_eigenvalue_of_the_uniform_triangle() -> None:
    c = matrices.attention(torch.zeros(6, 6, dtype=torch.float64), "lower")
    assert torch.allclose(
        torch.linalg.eigvals(c).real.sort(descending=True).values, 1 / torch.arange(1, 7, dtype=torch.float64)
    )
    tier = Tier(seeds=1, sizes={"n": 16, "d": 8, "layers": 40})
    found = depth.measure([seed()], tier, mask="causal")
    assert float(found["step"][0]) == pytest.approx(-math.log10(2), rel=0.01)


# --- Trained models -------------------------------------------------------------------------------

TINY = {
    "characters": 20_000,
    "width": 8,
    "heads": 2,
    "depth": 2,
    "inputs": 6,
    "outputs": 3,
    "batch": 2,
    "steps": 3,
    "windows": 2,
}


@pytest.mark.parametrize("kind", trained.KINDS)
def test_who_sees_whom(kind: str) -> None:
    found = trained.visible(kind, 4, 3, 5)
    for head, i, j in itertools.product(range(4), range(5), range(5)):
        seen = {
            "gpt": j <= i,
            "unilm": j <= i or (i < 3 and j < 3),
            "full": True,
            "half": j <= i if head < 2 else j >= i,
        }[kind]
        assert bool(found[head, i, j]) == seen


@pytest.mark.parametrize("kind", trained.KINDS)
def test_blocks_attend_as_their_logits_say(kind: str) -> None:
    model = trained.Model(
        [seed(0).stream("w"), seed(1).stream("w")], Tier(seeds=1, sizes=TINY), trained.visible(kind, 2, 6, 9)
    )
    tokens = torch.randint(trained.HOLE, (2, 3, 9), generator=seed().stream("tokens"))
    block, x = model.blocks[0], model.embedding(tokens)
    a = torch.softmax(block.logits(x, model.turn).masked_fill(~block.seen, -torch.inf), dim=-1)
    qkv = before_attention(x, block.attention_norm, block.query_key_value, model.turn)
    v = qkv[..., 16:].unflatten(-1, (2, 4)).transpose(2, 3).double()
    slow = (a @ v).transpose(2, 3).flatten(-2)
    assert torch.allclose(block.attend(qkv).double(), slow, atol=1e-5)
    assert torch.equal(model.attention_logits(tokens)[0], block.logits(x, model.turn))


def test_targets() -> None:
    text, holes = torch.arange(10).view(1, 1, 10), torch.ones(1, 1, 9)
    tokens, targets = trained.task_of("gpt", text, holes, 6)
    assert tokens.tolist() == [[list(range(9))]]
    assert targets.tolist() == [[[-1] * 5 + [6, 7, 8, 9]]]
    holes[0, 0, 4] = 0.0
    tokens, targets = trained.task_of("full", text, holes, 6)
    assert tokens.tolist() == [[[0, 1, 2, 3, trained.HOLE, 5, 6, 7, 8]]]
    assert targets.tolist() == [[[-1, -1, -1, -1, 4, -1, -1, -1, -1]]]
    model = torch.nn.Module()
    model.forward = lambda tokens: torch.zeros(*tokens.shape, 20)
    assert trained.loss(model, tokens, targets).tolist() == pytest.approx([math.log(20)])


@pytest.mark.parametrize("kind", ["unilm", "half"])
def test_training_in_little(kind: str) -> None:
    found = trained.measure([seed(0), seed(1)], Tier(seeds=2, sizes=TINY), kind=kind)
    assert all(torch.isfinite(column).all() and column.shape == (2,) for column in found.values())
    assert torch.allclose(found["mask_effect"], (found["triangle"] / found["open"]).log())
    assert float(found["effective_rank"].max()) <= 6
    assert torch.allclose(found["effective_rank"], found["open"]) == (kind == "unilm")  # on the input part


# --- The gpu tier in little -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "small", "settings"),
    [
        ("spectra", {}, {"n": 16, "d": 4, "sd": 1.0}),
        ("profiles", {"n": 40, "d": 4}, {"sd": 0.5}),
        ("linear", {}, {"n": 16, "d": 4, "sd": 1.0}),
        ("map", {"lengths": (8, 16)}, {}),
        ("long-map", {"lengths": (16, 32), "heads": (2, 4)}, {}),
        ("depth", {"n": 16, "d": 4}, {}),
        ("trained", {**TINY, "heads": 2}, {}),
    ],
)
def test_the_gpu_tier_in_little(name: str, small: dict[str, Any], settings: dict[str, Any]) -> None:
    experiment = TASK.experiment(name)
    sizes = experiment.tiers["gpu"].sizes
    assert set(small) <= set(sizes)
    for arm in experiment.arms:
        found = experiment.measure([seed(0), seed(1)], Tier(seeds=2, sizes={**sizes, **small}), **settings, **arm.fixed)
        assert all(len(column) == 2 for column in found.values())
