"""ReRoPE: what the page's functions give on cases known by hand, and its dear experiments at tiny sizes."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from suite.blocks.attention.blockwise import Blockwise
from suite.blocks.attention.rotary import NoPositions, Rotary
from suite.blocks.attention.two_step import TwoStep
from suite.blocks.models.pluggable import Pluggable
from suite.claims import Tier
from suite.seeds import Seed
from suite.trained import shelf
from tasks.length_extrapolation.networks import accuracies
from tasks.rerope import TASK, eightfold, identities, lengths, networks, own, published, step_time, windows

TINY = {"length": 16, "keys": 2, "width": 16, "depth": 2, "heads": 1, "batch": 4, "steps": 3, "tokens": 256}


def seeds(number: int = 2) -> list[Seed]:
    return [Seed("rerope-tests/r1", "verdict", n) for n in range(number)]


def tier(**sizes: Any) -> Tier:
    return Tier(seeds=2, sizes={**TINY, **sizes})


@pytest.fixture(scope="module", autouse=True)
def kept() -> Any:
    with shelf(None) as found:
        yield found


@pytest.fixture
def model() -> Pluggable:
    return networks.stack(seeds(), tier(), "none")


# --- Networks and examination ------------------------------------------------------------------------


def test_accuracies_are_those_of_the_other_page(model: Pluggable) -> None:
    attention = networks.treated("ReRoPE", 1 / 4, "test", tier())
    ours = networks.examined(model, attention, seeds(), tier())
    theirs = accuracies(model, attention, seeds(), 128, 2, far=16)
    for name, column in theirs.items():
        assert torch.equal(ours[name], column), name


def test_the_loss_is_that_of_a_loop(model: Pluggable) -> None:
    attention = networks.treated("RoPE", 0.0, "none", tier())
    ours = networks.examined(model, attention, seeds(), tier(), 2)["loss"]
    asked = networks.examination(seeds(), networks.language_of(model), 32, 8)
    logits = model(asked.tokens, attention).double().log_softmax(-1)
    for row in range(2):
        kinds: dict[bool, list[float]] = {True: [], False: []}
        for batch in range(8):
            for place in range(32):
                label = int(asked.labels[row, batch, place])
                if label >= 0:
                    kinds[bool(asked.local[row, batch, place])].append(-float(logits[row, batch, place, label]))
        slow = sum(math.fsum(each) / len(each) for each in kinds.values()) / 2
        assert float(ours[row]) == pytest.approx(slow, rel=1e-5)


def test_treatments_are_what_they_are_called() -> None:
    rope, mixed, yarn = (networks.treated(name, 1.0, "none", tier())[0] for name in ("RoPE", "NTK-mixed", "YaRN"))
    assert isinstance(rope, Rotary)
    assert isinstance(mixed, Rotary)
    assert isinstance(yarn, Rotary)
    assert rope.scale is None
    assert float(mixed.frequencies[-1]) == pytest.approx(float(rope.frequencies[-1]) / 8)  # interpolation by 8
    assert float(yarn.frequencies[-1]) == pytest.approx(float(rope.frequencies[-1]) / 8)
    leaky = networks.treated("Leaky 8", 1 / 4, "trained", tier())[1]
    assert isinstance(leaky, Blockwise)
    assert (leaky.window, leaky.k) == (4, 8.0)
    assert leaky.scale is not None
    assert leaky.scale(torch.tensor([16.0, 256.0])).tolist() == [1.0, 2.0]
    assert len(networks.treated("ReRoPE", 1 / 4, "none", tier(depth=3))) == 3


@pytest.mark.parametrize("method", ["RoPE", "NTK-mixed", "YaRN", "ReRoPE", "Leaky 16"])
def test_at_n_with_factor_one_every_treatment_is_rope(model: Pluggable, method: str) -> None:
    """ReRoPE only with a window that covers the text, the others with nothing to stretch."""
    x = networks.examination(seeds(), networks.language_of(model), 16, 2).tokens
    plain = model(x, networks.treated("RoPE", 0.0, "none", tier()))
    knob = 2.0 if method == "YaRN" else 1.0
    assert torch.allclose(model(x, networks.treated(method, knob, "none", tier(), 1)), plain, atol=1e-5)


def test_rows_come_back_in_order() -> None:
    def measured(some: list[Seed], setting: str) -> dict[str, Tensor]:
        return {"number": torch.tensor([100 * (setting == "b") + seed.number for seed in some])}

    answer = networks.row_by_row([seeds(3)[n] for n in (2, 0, 1)], ["b", "a", "b"], measured)
    assert answer == {"number": [102, 0, 101]}


# --- Experiments ------------------------------------------------------------------------------------


def test_eightfold_in_little() -> None:
    found = eightfold.measure(
        [seeds()[0]] * 3, tier(), method=["RoPE", "ReRoPE", "YaRN"], scale=["none", "trained", "test"], knob=[0, 0.5, 2]
    )
    assert found["cost"][0] == 0  # RoPE less RoPE
    assert found["percent"] == pytest.approx([100 * x for x in found["mean"]])
    assert all(len(column) == 3 for column in found.values())


def test_every_method_has_the_same_number_of_choices() -> None:
    assert {len(grid) for grid in eightfold.GRIDS.values()} == {9}
    assert {arm.budget for arm in eightfold.EXPERIMENT.arms if arm.tuned} == {9}


def test_windows_in_little() -> None:
    found = windows.windows(seeds(), tier(), scale=["none", "trained"])
    for row in range(2):
        mean = dict(zip(windows.SHARES, found["mean"][row], strict=True))
        assert found["table"][row] == [mean[share] for share in windows.TABLE]
        assert found["half_less_whole"][row] == pytest.approx(mean[1 / 2] - mean[1.0])
        assert found["middle_less_others"][row][1] == pytest.approx((mean[1 / 4] + mean[1 / 2]) / 2 - mean[3 / 4])
        assert found["whole_less_rope"][row] == pytest.approx(mean[1.0] - found["rope"][row][0])


def test_leaky_in_little() -> None:
    found = windows.leaky(seeds(), tier(), scale=["none", "none"])
    grid = torch.tensor(found["mean"], dtype=torch.float64)
    assert grid.shape == (2, len(windows.LEAKY_SHARES), len(windows.STEPS))
    assert found["leaky_less_rerope"] == pytest.approx((grid[:, 1, 2] - grid[:, 1, 4]).tolist())
    assert found["sixteen_less_eight"] == pytest.approx((grid[:, 1, 2] - grid[:, 1, 1]).tolist())


def test_lengths_in_little() -> None:
    found = lengths.measure(seeds(), tier(), method=["ReRoPE"] * 2, scale=["trained"] * 2, knob=[1 / 4] * 2)
    mean = found["mean"][0]
    assert len(mean) == len(lengths.TIMES)
    assert found["lost_beyond_8"][0] == pytest.approx([mean[0] - mean[4], mean[0] - mean[5]])
    assert found["lost_inside_16"][0] == pytest.approx([mean[0] - mean[1], mean[0] - mean[2]])


@pytest.mark.parametrize("name", ["smoke", "cpu", "gpu"])
def test_the_sides_of_the_reach_are_the_same_at_every_tier(name: str) -> None:
    length = int(networks.SIZES[name]["length"])
    assert lengths.sides(length, 8.0) == ([2], [16, 32])
    assert lengths.sides(length, 16.0) == ([2, 4], [32])


def test_identities_hold() -> None:
    found = identities.measure(seeds(1), Tier(seeds=1, sizes={"tokens": 28}))
    assert max(*found["two_matrices"][0], *found["limits"][0], *found["decoding"][0]) < 1e-12
    assert found["maximum_is_off"][0] > 1
    assert (found["jump"], found["largest_is_off"]) == ([0], [0])


def test_a_step_of_each_form_gives_the_same_gradients() -> None:
    steps = step_time.contestants(
        24, Tier(seeds=1, sizes={"width": 16, "heads": 2, "depth": 1, "tokens": 48}), seeds()[0]
    )
    assert set(steps) == {"one_matrix", "two_matrices", "fused", "blockwise"}
    for run in steps.values():
        run()
    theta = networks.theta(16, 2)
    q, k, v = torch.randn(3, 2, 2, 24, 8, generator=seeds()[0].stream("heads"))
    assert torch.allclose(step_time.one_matrix(theta)(q, k, v), Rotary(theta)(q, k, v), atol=1e-5)


def test_step_time_in_little() -> None:
    sizes = {"width": 16, "heads": 2, "depth": 1, "lengths": (8, 16), "tokens": 32, "rounds": 1}
    found = step_time.measure(seeds(), Tier(seeds=2, sizes=sizes))
    assert all(len(row) == 2 and min(row) > 0 for column in found.values() for row in column)


# --- Trainings of its own, those of the gpu tier at tiny size -----------------------------------------


def test_layers_in_training_and_at_the_test() -> None:
    shape = {"length": 64, "width": 64, "depth": 4, "heads": 2}
    rest = {"share": 1 / 4, "full": 2, "by": 16.0}
    throughout = [own.layers("rerope", test=test, **shape, **rest)[0] for test in (False, True)]
    assert isinstance(throughout[0], TwoStep)
    assert isinstance(throughout[1], Blockwise)
    assert throughout[0].window == throughout[1].window == 16
    assert throughout[0].k == throughout[1].k == math.inf
    inverse = own.layers("inverse", test=False, **shape, **rest)[0]
    assert isinstance(inverse, TwoStep)
    assert inverse.k == 1 / 16
    assert isinstance(own.layers("inverse", test=True, **shape, **rest)[0], Rotary)
    hwfa = own.layers("hwfa", test=True, **shape, **rest)
    assert [type(layer) for layer in hwfa] == [Rotary, Rotary, Rotary, NoPositions]
    hybrid = own.layers("hwfa2", test=True, **shape, **rest)
    assert [type(layer) for layer in hybrid] == [Rotary, Blockwise, Blockwise, Rotary]
    assert [layer.window for layer in hybrid] == [16, 32, 32, 16]  # type: ignore[attr-defined]
    before = own.layers("hwfa2", test=False, **shape, **rest)
    assert [layer.window for layer in before] == [16, None, None, 16]  # type: ignore[attr-defined]


def test_full_layers_of_the_published_models() -> None:
    """floor(24 j / (f + 1)), counted from 0."""
    assert own.full_layers(24, 1) == [12]
    assert own.full_layers(24, 3) == [6, 12, 18]


def test_throughout_in_little() -> None:
    found = own.throughout(seeds(), tier(), train_with=["rope", "rerope"])
    plain = networks.examined(
        networks.stack(seeds(), tier(), "none"), networks.treated("ReRoPE", 1 / 4, "none", tier()), seeds(), tier()
    )
    assert found["mean"][0] == pytest.approx(float(plain["mean"][0]))


def test_the_inverse_in_little() -> None:
    found = own.inverse(seeds() * 2, tier(), method=["RoPE", "HWFA", "inverse", "ReRoPE"])
    assert len(found["mean"]) == 4
    grid = own.inverse_grid(seeds(), tier())
    cells = torch.tensor(grid["mean"])
    assert cells.shape == (2, 3, 3)
    above = torch.tensor(grid["above"])
    assert above.shape == (2, 8)
    assert torch.allclose(above.sum(1), cells.sum((1, 2)) - 9 * cells[:, 1, 1], atol=1e-6)


def test_the_hybrid_in_little() -> None:
    names = ["ReRoPE", *own.HYBRIDS]
    found = own.hybrid([seeds()[0]] * 4, tier(depth=4), method=names)
    assert (found["above"][0], found["above_at_n"][0]) == (0, 0)
    assert found["above"][2] == pytest.approx(found["mean"][2] - found["mean"][0])


def test_gpu_tiers_reach_every_claim() -> None:
    for claim in TASK.claims:
        if claim.reason_untested("gpu") is None:
            for clause in claim.clauses:
                for experiment, _ in clause.quantity.reads():
                    assert "gpu" in TASK.experiment(experiment).tiers, claim.id


def test_published_numbers_keep_their_order() -> None:
    """ReRoPE above NTK-mixed above RoPE in all columns; log n above its dagger above none."""
    for column in (0, 1):
        for scale in ("none", "trained"):
            rows = [published.METHODS[method, scale][column] for method in ("RoPE", "NTK-mixed", "ReRoPE")]
            assert rows == sorted(rows)
        by_scale = [published.METHODS["ReRoPE", scale][column] for scale in ("none", "test", "trained")]
        assert by_scale == sorted(by_scale)
