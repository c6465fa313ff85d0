"""Seeds differ, and the same seed is bitwise itself, whatever its company and its place in the stack.

Streams are functions of (task, purpose, seed number, name), and different ones are unrelated.
"""

import importlib
import subprocess
import sys

import numpy
import pytest
import torch

from suite import doctor, registry
from suite.canonical import canonical
from suite.plan import Plan, Trial, Unit
from suite.rehearse import Rehearsal, rehearse
from suite.seeds import Seed

SEED = Seed("lion-vs-adamw/r1", "verdict", 3)


def test_a_stream_is_repeatable_and_fresh_on_every_call():
    first = torch.randn(5, generator=SEED.stream("weights"))
    assert torch.equal(first, torch.randn(5, generator=SEED.stream("weights")))
    assert (SEED.numpy("weights").random(5) == SEED.numpy("weights").random(5)).all()


@pytest.mark.parametrize(
    "other",
    [
        Seed("lion-vs-adamw/r2", "verdict", 3).stream("weights"),
        Seed("lion-vs-adamw/r1", "tune", 3).stream("weights"),
        Seed("lion-vs-adamw/r1", "verdict", 4).stream("weights"),
        SEED.stream("batches"),
    ],
    ids=["revision", "purpose", "number", "name"],
)
def test_whatever_differs_gives_another_stream(other):
    assert not torch.equal(torch.randn(5, generator=SEED.stream("weights")), torch.randn(5, generator=other))


def test_the_first_numbers_stay_what_they_are():
    """A change here would silently change every result: it needs new revisions of all tasks."""
    assert SEED.bits("weights") == 3260481506176334489
    assert torch.randint(1000, (3,), generator=SEED.stream("weights")).tolist() == [268, 782, 394]
    assert SEED.numpy("weights").integers(1000, size=3).tolist() == [161, 587, 353]


def test_streams_of_neighbouring_seeds_are_uncorrelated():
    draws = torch.stack([torch.randn(4000, generator=Seed("t/r1", "verdict", n).stream("x")) for n in range(20)])
    off = torch.corrcoef(draws)[~torch.eye(20, dtype=torch.bool)]
    assert off.abs().max() < 5 / 4000**0.5
    assert abs(float(draws.mean())) < 5 / 80_000**0.5


def test_a_stream_does_not_touch_the_global_generators():
    before = torch.get_rng_state(), numpy.random.get_state()[1].tolist()  # noqa: NPY002 - read, not drawn from
    torch.randn(5, generator=SEED.stream("weights"))
    SEED.numpy("weights").random(5)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == numpy.random.get_state()[1].tolist()  # noqa: NPY002


def test_naming_seeds_needs_no_torch():
    code = "import sys, suite.seeds; suite.seeds.Seed('a/r1', 'tune', 0).bits('x'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- Through a whole page -----------------------------------------------------------------------------

WALK = "tests.pages.toy_walk"


def table(found: Rehearsal) -> dict[str, str]:
    """{experiment, arm and seed: metrics}, whatever the order in which they were measured."""
    return {
        canonical([t["experiment"], t["arm"], t["at"], t["setting"], t["seed"]]): canonical(t["metrics"])
        for t in found.trials
    }


@pytest.fixture(scope="module")
def whole() -> Rehearsal:
    return rehearse(WALK)


def test_the_same_seeds_repeat_bitwise_and_others_differ(whole: Rehearsal) -> None:
    assert table(rehearse(WALK)) == table(whole)
    fresh = table(rehearse(WALK, root="fresh/r1"))
    differing = {name for name, metrics in table(whole).items() if fresh.get(name) != metrics}
    assert {name.split('"')[1] for name in differing} == {"walk", "nets"}
    walks = [metrics for name, metrics in table(whole).items() if "walk" in name]
    assert len(set(walks)) == len(walks)


@pytest.mark.parametrize("order", ["one by one", "reversed", "in pairs"])
def test_company_and_order_change_nothing(whole: Rehearsal, monkeypatch: pytest.MonkeyPatch, order: str) -> None:
    units = Plan.units

    def regrouped(self: Plan, trials: list[Trial]) -> list[Unit]:
        if order == "reversed":
            return units(self, trials[::-1])
        by = {"one by one": 1, "in pairs": 2}[order]
        return [unit for i in range(0, len(trials), by) for unit in units(self, trials[i : i + by])]

    monkeypatch.setattr(Plan, "units", regrouped)
    assert table(rehearse(WALK)) == table(whole)


def test_the_doctor_finds_seeds_that_are_dead_or_look_at_their_company(monkeypatch: pytest.MonkeyPatch) -> None:
    page = registry.Page("toy_sums", "tests.pages.toy_sums", ())
    module = importlib.import_module(page.module)

    def verdicts() -> dict[str, bool]:
        rows = list(doctor.task_checks(page))
        return {name.removeprefix("toy-sums: "): good for name, good, _ in rows}

    assert all(verdicts().values())
    load = module.load

    def dead(eyes, by):
        return 0 * eyes + by + 1

    monkeypatch.setattr(module, "load", dead)
    monkeypatch.setattr(Seed, "bits", lambda self, name: 7)
    assert not verdicts()["other seeds give other numbers"]
    monkeypatch.undo()
    seen: list[float] = []

    def sociable(eyes, by):
        seen.append(float(eyes.mean()))
        return load(eyes, by) + 0.001 * len(seen)

    monkeypatch.setattr(module, "load", sociable)
    found = verdicts()
    assert not found["the same seeds repeat bit for bit"]
    assert not found["a trial does not depend on its company"]
