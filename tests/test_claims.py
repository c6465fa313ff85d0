"""The rule on all small worlds, and every mistake a page can make caught where it is made."""

import itertools
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.claims import (
    Arm,
    Claim,
    Clause,
    ContractError,
    Experiment,
    Interval,
    Mutant,
    Outcome,
    Post,
    Source,
    Task,
    Tier,
    Winner,
    at_least,
    at_most,
    decide,
    exactly,
    within,
)
from suite.quantities import paired_gap, value

ends = st.integers(-4, 4)
intervals = st.tuples(ends, ends).map(lambda e: Interval(float(min(e)), float(max(e))))
claims = st.one_of(intervals, ends.map(at_least), ends.map(at_most), ends.map(exactly))
cells = st.lists(intervals, min_size=1, max_size=4)


# --- The rule -----------------------------------------------------------------------------------------


def slow_decide(measured: list[Interval], claimed: Interval, needs: int | None) -> Outcome:
    """Try every combination of truths that the measured intervals allow: what holds in all of them is reproduced."""
    grid = [i / 2 for i in range(-10, 11)]
    fates = [{claimed.low <= truth <= claimed.high for truth in grid if m.low <= truth <= m.high} for m in measured]
    verdicts = {sum(combo) >= (len(measured) if needs is None else needs) for combo in itertools.product(*fates)}
    return {(True,): Outcome.REPRODUCED, (False,): Outcome.REFUTED}.get(tuple(verdicts), Outcome.INCONCLUSIVE)


@given(cells, claims, st.integers(1, 4) | st.none())
@settings(deadline=None)
def test_decide_is_what_holds_in_every_possible_world(
    measured: list[Interval], claimed: Interval, needs: int | None
) -> None:
    assert decide(measured, claimed, needs) == slow_decide(measured, claimed, needs)


@given(cells, claims, st.integers(1, 4) | st.none(), st.data())
@settings(deadline=None)
def test_more_precision_never_turns_a_verdict(measured: Any, claimed: Any, needs: int | None, data: Any) -> None:
    before = decide(measured, claimed, needs)
    sharper = []
    for cell in measured:
        low = data.draw(st.floats(cell.low, cell.high))
        sharper.append(Interval(low, data.draw(st.floats(low, cell.high))))
    if before is not Outcome.INCONCLUSIVE:
        assert decide(sharper, claimed, needs) is before


@given(cells, claims, st.permutations(range(4)))
@settings(deadline=None)
def test_decide_knows_no_order_and_no_direction(measured: Any, claimed: Any, order: Any) -> None:
    outcome = decide(measured, claimed)
    assert decide([measured[i] for i in order if i < len(measured)], claimed) is outcome

    def mirrored(i: Interval) -> Interval:
        return Interval(-i.high, -i.low)

    assert decide([mirrored(m) for m in measured], mirrored(claimed)) is outcome


@given(intervals, claims)
@settings(deadline=None)
def test_inside_and_apart_exclude_each_other(a: Interval, b: Interval) -> None:
    assert not (a.inside(b) and a.apart(b))
    assert a.apart(b) == b.apart(a)
    assert a.apart(b) == (max(a.low, b.low) > min(a.high, b.high))


def test_nothing_measured_is_an_error_and_never_a_verdict() -> None:
    assert decide([], at_least(0)) is Outcome.ERROR
    assert decide([], at_least(0), needs=1) is Outcome.ERROR


def test_ends_belong_to_an_interval() -> None:
    assert decide([exactly(1)], at_least(1)) is Outcome.REPRODUCED
    assert decide([exactly(1)], at_most(1)) is Outcome.REPRODUCED
    assert decide([within(0, 1)], at_least(1)) is Outcome.INCONCLUSIVE  # they touch: not apart
    assert decide([within(0, 1)], at_least(math.nextafter(1, 2))) is Outcome.REFUTED


@pytest.mark.parametrize(("low", "high"), [(1, 0), (math.nan, 1), (0, math.nan), (math.nan, math.nan)])
def test_intervals_that_are_none(low: float, high: float) -> None:
    with pytest.raises(ContractError, match="low <= high"):
        Interval(low, high)


# --- The contract -------------------------------------------------------------------------------------

GAP = paired_gap("loss", "a", minus="b")
SOURCE = Source(posts=(Post(title="t", url="https://example.org", date="2023-02-16"),))


def measure(seeds: Any, tier: Any) -> dict[str, list[float]]:
    return {"loss": [0.0] * len(seeds)}


def a_claim(**changes: Any) -> Claim:
    given = {"id": "c1", "says": "s", "kind": "comparison", "quantity": GAP, "claimed": at_least(0), "headline": True}
    return Claim(**{**given, **changes})


def an_experiment(**changes: Any) -> Experiment:
    given = {"name": "race", "measure": measure, "arms": (Arm("a"), Arm("b")), "tiers": {"cpu": Tier(seeds=8)}}
    return Experiment(**{**given, **changes})


def a_task(**changes: Any) -> Task:
    given = {"title": "t", "family": "diffusion", "source": SOURCE, "claims": (a_claim(),)}
    return Task(**{**given, "experiments": (an_experiment(),), **changes})


def test_a_page_without_mistakes() -> None:
    task = a_task()
    assert task.headline.id == "c1"
    assert task.tiers == ("cpu",)
    assert task.experiment("") is task.experiment("race")


TUNED = (Arm("a", tuned={"lr": (0.1, 1.0)}), Arm("b", tuned={"lr": (0.1, 1.0)}))
MISTAKES = {
    "margin": (lambda: a_claim(claimed=None), "margin is compulsory"),
    "id": (lambda: a_claim(id="claim one"), "id reads"),
    "kind": (lambda: a_claim(kind="vague"), "kind is one of"),
    "sentence": (lambda: a_claim(says=" "), "must hold a sentence"),
    "untested tier": (lambda: a_claim(untested={"cup": "r"}), "names tiers"),
    "untested reason": (lambda: a_claim(untested={"cpu": " "}), "needs a reason"),
    "untested why": (lambda: a_claim(quantity=None, claimed=None, headline=False), "no quantity"),
    "headline untested": (lambda: a_claim(quantity=None, claimed=None, untested={"*": "r"}), "must be testable"),
    "needs none": (lambda: a_claim(needs=0), "counts cells"),
    "claimed a number": (lambda: Clause(quantity=GAP, claimed=0.5), "takes at_least"),  # type: ignore[arg-type]
    "quantity a name": (lambda: Clause(quantity="loss", claimed=at_least(0)), "takes one of suite.quantities"),
    "grid falls": (lambda: Arm("a", tuned={"lr": (1.0, 0.1)}), "must rise"),
    "grid repeats": (lambda: Arm("a", tuned={"lr": (0.1, 0.1)}), "must rise"),
    "grid empty": (lambda: Arm("a", tuned={"lr": ()}), "is empty"),
    "fixed and tuned": (lambda: Arm("a", fixed={"lr": 1}, tuned={"lr": (1.0,)}), "fixed and tuned"),
    "like and tuned": (
        lambda: Arm("a", tuned={"lr": (1.0,)}, like=Winner(experiment="e", arm="a")),
        "exclude each other",
    ),
    "no seeds": (lambda: Tier(seeds=0), "at least one seed"),
    "looks past the end": (lambda: Tier(seeds=16, looks=(6, 10)), "ends at seeds=16"),
    "looks fall": (lambda: Tier(seeds=16, looks=(10, 6, 16)), "rises"),
    "at_most below": (lambda: Tier(seeds=16, at_most=8), "may not lie below"),
    "unknown size": (lambda: Tier(seeds=16, sizes={"steps": 3})["step"], "no size 'step'"),
    "tier": (lambda: an_experiment(tiers={"big": Tier(seeds=8)}), "tiers are"),
    "no tier": (lambda: an_experiment(tiers={}), "has no tier"),
    "name": (lambda: an_experiment(name="The Race"), "lower case"),
    "arms twice": (lambda: an_experiment(arms=(Arm("a"), Arm("a"))), "share a name"),
    "budgets differ": (
        lambda: an_experiment(arms=(TUNED[0], Arm("b", tuned={"lr": (0.1,)})), tune_on="loss"),
        "equal tuning budgets",
    ),
    "tuned on nothing": (lambda: an_experiment(arms=TUNED), "belong together"),
    "nothing tuned": (lambda: an_experiment(tune_on="loss"), "belong together"),
    "too few tuning seeds": (
        lambda: an_experiment(arms=TUNED, tune_on="loss", tiers={"cpu": Tier(seeds=8, tuning_seeds=3)}),
        "at least 4 seeds",
    ),
    "best": (lambda: an_experiment(arms=TUNED, tune_on="loss", best="low"), "'min' or 'max'"),
    "condition is a setting": (
        lambda: an_experiment(arms=TUNED, tune_on="loss", conditions={"lr": (1,)}),
        "condition and a setting",
    ),
    "no headline": (lambda: a_task(claims=(a_claim(headline=False),)), "exactly one claim is the headline"),
    "two headlines": (lambda: a_task(claims=(a_claim(), a_claim(id="c2"))), "exactly one claim is the headline"),
    "ids twice": (lambda: a_task(claims=(a_claim(), a_claim(headline=False))), "share an id"),
    "family": (lambda: a_task(family="gardening"), "family= is one of"),
    "revision": (lambda: a_task(revision=0), "counts from 1"),
    "no experiment": (lambda: a_task(experiments=()), "different names"),
    "arm unknown": (lambda: a_task(experiments=(an_experiment(arms=(Arm("a"),)),)), "no arm 'b'"),
    "experiment unknown": (
        lambda: a_task(claims=(a_claim(quantity=value("x", experiment="rase")),)),
        "no experiment 'rase'",
    ),
    "also unknown": (
        lambda: a_task(claims=(a_claim(also=(Clause(quantity=value("x", "c"), claimed=exactly(0)),)),)),
        "no arm 'c'",
    ),
    "like unknown": (
        lambda: a_task(
            experiments=(an_experiment(arms=(Arm("a"), Arm("b", like=Winner(experiment="race", arm="z")))),)
        ),
        "no arm 'z'",
    ),
    "reading of no tier": (lambda: a_task(readings={"gpu": {"c1": "so"}}), "tier 'gpu', which no experiment has"),
    "reading of no claim": (lambda: a_task(readings={"cpu": {"c9": "so"}}), "'c9'"),
    "date": (lambda: Post(title="t", url="https://e.org", date="16.2.2023"), "YYYY-MM-DD"),
    "url": (lambda: Post(title="t", url="e.org", date="2023-02-16"), "https://"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_on_a_page_is_an_error_that_says_what_is_right(mistake: str) -> None:
    make, words = MISTAKES[mistake]
    with pytest.raises(ContractError, match=words):
        make()


def test_declarations_cannot_be_changed_afterwards() -> None:
    settings = {"lr": (0.1, 1.0)}
    arm = Arm("a", tuned=settings)
    settings["lr"] = (9.0,)
    assert arm.tuned["lr"] == (0.1, 1.0)
    with pytest.raises(TypeError):
        arm.tuned["lr"] = (9.0,)  # type: ignore[index]
    with pytest.raises(AttributeError):
        arm.name = "b"  # type: ignore[misc]


def test_a_claim_gives_the_reason_of_its_tier_before_the_general_one() -> None:
    claim = a_claim(headline=False, untested={"*": "nowhere", "gpu": "no GPU yet"})
    assert [claim.reason_untested(tier) for tier in ("cpu", "gpu")] == ["nowhere", "no GPU yet"]
    assert a_claim().reason_untested("cpu") is None


def test_a_mutant_names_the_outcome_it_turns_to() -> None:
    assert Mutant(says="s", replaces="f", by=measure, turns_to=Outcome.REFUTED).turns_to == "refuted"
