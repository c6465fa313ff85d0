"""The RoPE base page: the proof against 40 digits and brute force, experiments against plain twins, the gpu tier in
little.
"""

import inspect
import itertools
import math
from dataclasses import replace
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from suite import fit
from suite.blocks.positions.rope import cosine_sum, frequencies
from suite.claims import Tier
from suite.seeds import Seed
from tasks.rope_base_lower_bound import (
    MUTANTS,
    TASK,
    asymptotics,
    gap,
    grid,
    interpolation,
    islands,
    partial,
    retrieval,
    sweep,
    table,
)
from tasks.rope_base_lower_bound.sweep import Rotary, Sweep, evaluate, infima, lowest, sums

# b* for d = 128 from an independent compiled program, which takes first-order steps from base to base.
KNOWN = {
    1024: 4293.437569,
    2048: 11587.244303,
    4096: 26952.339228,
    8192: 83763.841015,
    16384: 231643.646807,
    32768: 629978.262856,
}
HEADS = {32: 58153.15, 64: 7752.98, 256: 2967.51, 512: 2204.18}


def seeds(number: int) -> list[Seed]:
    return [Seed("rope-tests/r1", "tune", n) for n in range(number)]


def sized(name: str, tier: str, sizes: dict[str, Any]) -> Tier:
    given = TASK.experiment(name).tiers[tier]
    assert sizes.keys() <= given.sizes.keys()
    return replace(given, sizes={**given.sizes, **sizes})


def exact(s: float, m: float, width: int = 128, rotated: int | None = None) -> Any:
    """f at b = e^s, to 40 digits."""
    turning = rotated or width
    with mpmath.workdps(40):
        theta = [mpmath.exp(-mpmath.mpf(2 * i) / turning * mpmath.mpf(s)) for i in range(turning // 2)]
        return mpmath.fsum(mpmath.cos(mpmath.mpf(m) * t) for t in theta) + (width - turning) // 2


# --- The page --------------------------------------------------------------------------------------


def test_every_claim_of_the_catalogue_is_there() -> None:
    ids = {claim.id for claim in TASK.claims}
    assert {f"c{number}" for number in range(1, 13)} <= ids


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.says)
def test_a_mutant_can_stand_in(mutant: Any) -> None:
    original = getattr(sweep, mutant.replaces.partition(":")[2])
    assert list(inspect.signature(mutant.by).parameters) == list(inspect.signature(original).parameters)


def test_the_marks_of_the_figure_are_where_they_are_measured() -> None:
    figure = next(f for f in islands.FIGURES if f.title == "Islands of feasible bases")
    [(first, _), (bisection, _)] = figure.vertical
    assert first == pytest.approx(KNOWN[2048], abs=0.01)
    assert bisection == pytest.approx(islands.bisected(Rotary(128), 2048), abs=0.01)


# --- What a step of the proof rests on ---------------------------------------------------------------


@given(
    s=some.floats(0, 20),
    m=some.integers(0, 1 << 20),
    width=some.sampled_from([8, 64, 128, 256]),
    whole=some.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_errors_are_inside_their_bounds(s: float, m: int, width: int, whole: bool) -> None:
    turning = width if whole else width // 2
    rope = Rotary(width, turning)
    found = evaluate(rope, s, torch.tensor([float(m)], dtype=torch.float64))
    truth = exact(s, m, width, turning)
    assert abs(float(mpmath.mpf(float(found.f)) - truth)) <= float(found.error)
    with mpmath.workdps(40):
        u = [mpmath.mpf(2 * i) / turning for i in range(turning // 2)]
        phase = [m * mpmath.exp(-x * mpmath.mpf(s)) for x in u]
        slope = mpmath.fsum(x * p * mpmath.sin(p) for x, p in zip(u, phase, strict=True))
        bend = mpmath.fsum(-x * x * p * (mpmath.sin(p) + p * mpmath.cos(p)) for x, p in zip(u, phase, strict=True))
    assert abs(float(mpmath.mpf(float(found.slope)) - slope)) <= float(found.slope_error) + 1e-300
    assert abs(float(bend)) <= float(found.bend)


def test_the_bound_of_the_error_is_not_idle() -> None:
    """Above the errors that occur, though not by orders of magnitude: at a million some phases are off by 1e-9."""
    m = torch.arange(1e6, 1e6 + 40, dtype=torch.float64)
    found = evaluate(Rotary(128), 17.0, m)
    errors = [abs(float(mpmath.mpf(float(f)) - exact(17.0, float(k)))) for f, k in zip(found.f, m, strict=True)]
    assert 1e-11 < max(errors) < float(found.error.min()) < 1e-7


@given(s=some.floats(1, 15), m=some.integers(1, 4096))
@settings(max_examples=100, deadline=None)
def test_a_proved_stretch_holds_its_sign(s: float, m: int) -> None:
    rope, distance = Rotary(128), torch.tensor([float(m)], dtype=torch.float64)
    found = evaluate(rope, s, distance)
    below, above = float(found.negative_for()), float(found.positive_for())
    assert not (below > 0 and above > 0)
    reach = max(below, above)
    for part in np.linspace(0, 1, 23):
        f = float(cosine_sum(distance, frequencies(128, math.exp(s + part * reach))))
        assert f <= 1e-9 if below > 0 else f >= -1e-9 if above > 0 else abs(f) < 1e-9


@pytest.mark.parametrize(("length", "rotated"), [(1, 128), (2, 128), (37, 128), (1024, 128), (1500, 64)])
def test_all_sums_at_once_are_the_sums_one_by_one(length: int, rotated: int) -> None:
    rope, s = Rotary(128, rotated), math.log(5e5)
    plain = cosine_sum(torch.arange(length), frequencies(128, 5e5, rotated=rotated))
    torch.testing.assert_close(sums(rope, s, length), plain, rtol=0, atol=1e-9)
    torch.testing.assert_close(sums(rope, s, length, torch.float32).double(), plain, rtol=0, atol=1e-3)
    least, where = lowest(rope, s, length)
    assert least == pytest.approx(float(plain.min()), abs=1e-9)
    assert where == int(plain.argmin())


# --- The proof ---------------------------------------------------------------------------------------


def recorded(width: int, lengths: tuple[int, ...]) -> tuple[Sweep, list[tuple[float, float, float]]]:
    """A sweep with a note of every step: from where, to where, and one distance that was proved negative."""
    notes: list[tuple[float, float, float]] = []

    class Noting(Sweep):
        def __setattr__(self, name: str, value: Any) -> None:
            if name == "s" and hasattr(self, "pool"):
                reach = evaluate(self.rope, self.s, self.pool).negative_for()
                notes.append((self.s, value, float(self.pool[reach.argmax()])))
            super().__setattr__(name, value)

    walk = Noting(Rotary(width), lengths)
    walk.advance(math.inf)
    return walk, notes


def test_the_steps_join_and_each_is_negative_to_forty_digits() -> None:
    walk, notes = recorded(128, (1024, 4096))
    assert walk.holes == 0
    assert notes[0][0] == 0.0
    assert notes[-1][1] == walk.low[-1]
    for (_, end, _), (start, _, _) in itertools.pairwise(notes):
        assert end == start
    rng = Seed("rope-tests/r1", "tune", 0).numpy("steps")
    for start, end, m in (notes[i] for i in rng.choice(len(notes), 40, replace=False)):
        assert start < end
        assert m < 4096
        assert all(exact(s, m) < 0 for s in (start, (start + end) / 2, end))


def test_known_bases() -> None:
    proof = infima(Rotary(128), tuple(KNOWN))
    assert proof.holes == 0
    for bracket, known in zip(proof.brackets, KNOWN.values(), strict=True):
        assert bracket.low == pytest.approx(known, abs=1.5e-6 * max(1, known / 1e5))
        assert bracket.low < bracket.high < bracket.low * (1 + 1e-11)


@pytest.mark.parametrize("width", HEADS)
def test_known_heads(width: int) -> None:
    assert infima(Rotary(width), (1024,)).brackets[0].low == pytest.approx(HEADS[width], abs=0.005)


def test_the_bracket_holds_a_root_to_forty_digits() -> None:
    """f changes its sign inside the bracket, at the distance that is the last to give way."""
    [bracket] = infima(Rotary(128), (2048,)).brackets
    s = math.log(bracket.high)
    m = lowest(Rotary(128), s, 2048)[1]
    with mpmath.workdps(40):
        ends = [exact(mpmath.log(mpmath.mpf(b)), m) for b in (bracket.low, bracket.high)]  # type: ignore[arg-type]
    assert ends[0] < 0 < ends[1]


@pytest.mark.parametrize(("width", "length"), [(8, 40), (16, 100), (32, 64), (64, 300)])
def test_no_random_base_below_is_feasible_and_the_base_itself_is(width: int, length: int) -> None:
    [bracket] = infima(Rotary(width), (length,)).brackets
    rng = Seed("rope-tests/r1", "tune", 1).numpy(f"bases {width}")
    distances = torch.arange(length)
    below = [*np.exp(rng.uniform(0, math.log(bracket.low), 3000)).tolist(), bracket.low * (1 - 1e-9)]
    assert all(float(cosine_sum(distances, frequencies(width, b)).min()) < 0 for b in below)
    assert float(cosine_sum(distances, frequencies(width, bracket.high)).min()) >= -1e-12


def test_a_shorter_context_is_served_by_the_base_of_a_longer_one() -> None:
    alone = [infima(Rotary(64), (n,)).brackets[0] for n in (256, 512, 1024)]
    together = infima(Rotary(64), (256, 512, 1024)).brackets
    for one, other in zip(alone, together, strict=True):
        assert one.low <= other.high
        assert other.low <= one.high


def test_a_sweep_stops_where_it_is_told() -> None:
    walk = Sweep(Rotary(128), (4096,))
    walk.advance(math.log(20_000))
    assert not walk.done
    assert math.log(20_000) <= walk.s < math.log(21_000)


def test_a_search_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two pairs that hardly heed the base are negative at m = 2 whatever it is."""
    monkeypatch.setattr(sweep, "exponents", lambda rotated: torch.tensor([0.0, 1e-3], dtype=torch.float64))
    with pytest.raises(ArithmeticError, match="no base"):
        infima(Rotary(4), (4,))


def test_a_sweep_that_was_interrupted_goes_on_bitwise() -> None:
    straight, first, second = (Sweep(Rotary(128), (1024, 2048)) for _ in range(3))
    straight.advance(math.inf)
    first.advance(9.0)
    second.load_state_dict(first.state_dict())
    second.advance(math.inf)
    assert (second.low, second.high, second.steps) == (straight.low, straight.high, straight.steps)


def test_progress_is_told_and_the_end_is_reached() -> None:
    told: list[dict[str, Any]] = []
    token = fit.CONTEXT.set(fit.Context(report=told.append))
    try:
        infima(Rotary(64), (1024,))
    finally:
        fit.CONTEXT.reset(token)
    assert told
    assert told[-1]["step"] == told[-1]["steps"]


def test_lengths_must_rise() -> None:
    with pytest.raises(ValueError, match="rise"):
        Sweep(Rotary(128), (2048, 1024))


# --- Islands ------------------------------------------------------------------------------------------


def test_islands_against_a_fine_grid() -> None:
    """Every base of a fine grid is feasible just where an island says so."""
    length, rope = 256, Rotary(32)
    found = islands.islands(rope, length, 1000.0 * length)
    bases = np.exp(np.linspace(0, math.log(1000 * length), 20_000))[:-1]
    least = np.array([float(sums(rope, math.log(b), length).min()) for b in bases])
    inside = np.zeros(len(bases), dtype=bool)
    for island in found:
        inside |= (bases >= island.enter) & (bases < island.leave)
    sure = np.abs(least) > 1e-9
    assert len(found) > 1
    assert ((least >= 0) == inside)[sure].all()


def test_known_islands() -> None:
    found = islands.islands(Rotary(128), 1024, 1_024_000.0)
    edges = [(round(i.enter, 2), round(i.leave, 2)) for i in found]
    assert edges == [(4293.44, 4330.32), (5602.18, 5644.35), (6018.28, 1_024_000.0)]
    assert islands.bisected(Rotary(128), 1024) == pytest.approx(6018.28, abs=0.01)
    assert islands.bisected(Rotary(128), 4096) == pytest.approx(45820.81, abs=0.01)


# --- The other experiments ----------------------------------------------------------------------------


def test_the_grid_as_the_post_writes_it() -> None:
    """Base by base, all distances each, on small numbers."""

    def plain(length: int) -> float:
        base, m = 1000.0 * length, np.arange(length)[:, None]
        for k in range(1, 4):
            for b in base * np.arange(1, 10**k + 1) / 10**k:
                if (np.cos(m * b ** (-np.arange(64) / 64)).sum(1) >= 0).all():
                    base = b
                    break
        return base

    length, base = 128, 1000.0 * 128
    for k in range(1, 4):
        base = grid.first_feasible(base * torch.arange(1, 10**k + 1, dtype=torch.float64) / 10**k, length)
    assert base == pytest.approx(plain(length), rel=1e-12)
    assert grid.search(1024, torch.float64) == pytest.approx(4293.453565, abs=1e-6)
    with pytest.raises(ArithmeticError, match="no base"):
        grid.first_feasible(torch.tensor([2.0, 3.0], dtype=torch.float64), 100)


@pytest.mark.parametrize(("law", "centre"), list(itertools.product(("normal", "uniform"), (0.0, 1.0))))
def test_components_have_the_moments_that_they_should(law: str, centre: float) -> None:
    drawn = gap.components(seeds(1)[0].stream(law), law, centre, 4000)
    assert float(drawn.mean()) == pytest.approx(centre, abs=0.01)
    assert float(drawn.std()) == pytest.approx(gap.DEVIATION[centre], rel=0.01)
    assert float((drawn - centre).pow(4).mean() / drawn.var() ** 2) == pytest.approx(
        3.0 if law == "normal" else 1.8, abs=0.1
    )


def test_the_expected_gap_written_out() -> None:
    [seed] = seeds(1)
    found = gap.measure([seed], Tier(seeds=1, sizes={"draws": 6}), law="normal", centre=1.0)
    q, k = (gap.components(seed.stream(f"normal {name}"), "normal", 1.0, 6).double() for name in ("q", "k"))
    noise = gap.components(seed.stream("normal noise"), "normal", 1.0, 6).double() - 1.0
    theta = frequencies(128, 1e4).tolist()
    for place, m in enumerate(gap.DISTANCES):
        total = 0.0
        for row, i in itertools.product(range(6), range(64)):
            pair = slice(2 * i, 2 * i + 2)
            (a, b), (c, d) = q[row, pair].tolist(), (q + noise - k)[row, pair].tolist()
            cos, sin = math.cos(m * theta[i]), math.sin(m * theta[i])
            total += a * (c * cos - d * sin) + b * (c * sin + d * cos)
        assert found["gap"][0][place] == pytest.approx(total / 6 / (2 * 0.25), abs=1e-3)


def test_the_cosine_integral() -> None:
    for x in (0.1, 0.6165, 1.0, 10.0, 1e4):
        assert asymptotics.cosine_integral(x) == pytest.approx(float(mpmath.ci(x)), abs=1e-14)
    assert asymptotics.zero_of_ci() == pytest.approx(float(mpmath.findroot(mpmath.ci, 0.6)), abs=1e-15)
    assert pytest.approx(asymptotics.zero_of_ci(), abs=1e-10) == table.X0
    plain = float(mpmath.quad(lambda u: mpmath.cos(10 * mpmath.mpf(1e4) ** (-u)), [0, 0.25, 0.5, 1]))
    assert asymptotics.limit(10, 1e4) == pytest.approx(plain, abs=1e-12)


@pytest.mark.parametrize("base", interpolation.BASES)
def test_first_zeros_by_brute_force(base: float) -> None:
    theta, step = frequencies(128, base), 1 / 64
    zero, whole = interpolation.first_zero(base), interpolation.first_negative(base)
    t = torch.arange(0, zero, step, dtype=torch.float64)
    assert float(cosine_sum(t, theta).min()) > 0
    with mpmath.workdps(30):
        root = mpmath.findroot(
            lambda t: mpmath.fsum(mpmath.cos(t * mpmath.mpf(base) ** (-mpmath.mpf(i) / 64)) for i in range(64)), zero
        )
    assert zero == pytest.approx(float(root), abs=1e-6)
    f = cosine_sum(torch.arange(whole + 1), theta)
    assert bool((f[:-1] >= 0).all())
    assert float(f[-1]) < 0


def test_the_contexts_of_known_bases() -> None:
    assert [interpolation.first_negative(b) for b in (1e4, 5e5, 1e6)] == [1707, 18438, 27115]


def test_half_is_enough_and_one_pair_more_is_not() -> None:
    assert partial.least_over_grid(16, 8, 40) >= 0
    assert partial.least_over_grid(16, 10, 40) < 0
    [bracket] = infima(Rotary(128, 96), (1024,)).brackets
    distances = torch.arange(1024)
    assert float(cosine_sum(distances, frequencies(128, bracket.low * (1 - 1e-9), rotated=96)).min()) < 0
    assert float(cosine_sum(distances, frequencies(128, bracket.high, rotated=96)).min()) >= -1e-12


def test_numbers_as_they_are_printed() -> None:
    assert [table.two_digits(b) for b in (4293.44, 629_978.3, 58_496_173.8, 65_374_955.1)] == [
        4.3e3,
        6.3e5,
        5.8e7,
        6.5e7,
    ]
    for printed in (*table.POST, *table.PAPER):
        assert table.digit(printed) == pytest.approx(10 ** math.floor(math.log10(printed)) / 10)
        assert table.two_digits(printed) == printed
    exponent, coefficient = table.power_law(table.LENGTHS, table.PAPER)
    assert exponent == pytest.approx(1.62835, abs=1e-5)
    assert coefficient == pytest.approx(0.042347, abs=1e-6)


# --- Retrieval, the gpu tier in little ----------------------------------------------------------------

TINY = {
    "characters": 20_000,
    "context": 256,
    "facts": 4,
    "asked": 2,
    "width": 16,
    "heads": 2,
    "depth": 1,
    "batch": 2,
    "rounds": 1,
    "steps": 3,
    "precision": "fp32",
}


@pytest.mark.parametrize("where", ["anywhere", "far", "near"])
def test_planted_facts_can_be_looked_up(where: str) -> None:
    text = torch.randint(96, (5, 257), generator=seeds(1)[0].stream("text"))
    found, plain, asked = retrieval.planted(text, 2, where, seeds(1)[0].stream(where))
    assert torch.equal(found[plain], text[plain])
    assert int((~plain).sum()) == 5 * 2 * 6
    for row, places in zip(found.tolist(), asked.tolist(), strict=True):
        marked = {row[i + 1]: (i + 2, row[i + 2]) for i, symbol in enumerate(row) if symbol == retrieval.MARK}
        assert len(marked) == 2
        for place in places:
            assert row[place - 2] == retrieval.ASK
            stands, answer = marked[row[place - 1]]
            assert row[place] == answer >= retrieval.VALUE
            assert stands < place
            if where == "far":
                assert place - stands >= 0.75 * 256
            if where == "near":
                assert place - stands < 0.25 * 256


def test_the_rotary_base_of_the_network() -> None:
    tier = sized("retrieval", "gpu", TINY)
    model = retrieval.network(seeds(2), tier, 500.0)
    assert model.turn is not None
    assert model.turn.shape == (256, 24)
    angle = torch.angle(model.turn[3, :4])
    torch.testing.assert_close(angle.double(), 3 * frequencies(8, 500.0), rtol=0, atol=1e-6)


def test_losses_written_out() -> None:
    tier = sized("retrieval", "gpu", TINY)
    model = retrieval.network(seeds(2), tier, 500.0)
    parts = [retrieval.sequences(torch.arange(3000) % 96, seed, "x", tier, 2, "anywhere") for seed in seeds(2)]
    text, plain, asked = (torch.stack(same) for same in zip(*parts, strict=True))
    on_text, on_values, right = retrieval.losses(model, text, plain, asked)
    chance = model(text[..., :-1]).log_softmax(-1)
    for r in range(2):
        each = [
            (-chance[r, b, t - 1, text[r, b, t]].item(), bool(plain[r, b, t]), t in asked[r, b].tolist())
            for b, t in itertools.product(range(2), range(1, 257))
        ]
        assert on_text[r].item() == pytest.approx(np.mean([loss for loss, is_text, _ in each if is_text]), rel=1e-5)
        assert on_values[r].item() == pytest.approx(np.mean([loss for loss, _, is_asked in each if is_asked]), rel=1e-5)
        hits = [
            chance[r, b, t - 1].argmax().item() == text[r, b, t].item() for b in range(2) for t in asked[r, b].tolist()
        ]
        assert right[r].item() == pytest.approx(np.mean(hits))


def test_the_gpu_tier_in_little() -> None:
    tier = sized("retrieval", "gpu", TINY)
    together = retrieval.measure([*seeds(2), seeds(1)[0]], tier, base=500.0, lr=[1e-3, 1e-3, 2e-3])
    assert set(together) == {"validation", "far_recall", "far_text_loss", "near_recall", "near_text_loss"}
    alone = retrieval.measure(seeds(2)[1:], tier, base=500.0, lr=[1e-3])
    for name, column in together.items():
        assert all(map(math.isfinite, column))
        assert column[1] == pytest.approx(alone[name][0], rel=1e-5, abs=1e-6)
    assert together["validation"][0] != together["validation"][2]
    other = retrieval.measure(seeds(1), tier, base=12_000.0, lr=[1e-3])
    assert other["validation"][0] != together["validation"][0]
