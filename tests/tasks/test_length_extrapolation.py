"""The page on length extrapolation: by-hand values, slow twins, and the gpu tier at tiny size."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from suite.blocks.attention.protocol import Attention
from suite.blocks.attention.rotary import NoPositions, Rotary
from suite.blocks.data.recall_offsets import Language, questions
from suite.blocks.positions import scaling
from suite.claims import Experiment, Tier
from suite.seeds import Seed
from suite.trained import shelf
from tasks.length_extrapolation import biases, formal, hwfa, identities, inference, language, lengths, networks

TINY = {"length": 16, "keys": 3, "width": 16, "depth": 2, "heads": 2, "batch": 4, "steps": 6}


def seeds(*numbers: int) -> list[Seed]:
    return [Seed("length-extrapolation-tests/r1", "verdict", number) for number in numbers]


def sized(experiment: Experiment, name: str, sizes: Mapping[str, Any]) -> Tier:
    """A tier of an experiment with some of its sizes changed, none added."""
    known = experiment.tiers[name].sizes
    return Tier(seeds=2, sizes={**known, **{k: v for k, v in sizes.items() if k in known}})


# --- Examinations ---------------------------------------------------------------------------------


class Knows(torch.nn.Module):
    """Gives the right answer, except where ``wrong``."""

    def __init__(self, labels: Tensor, wrong: Tensor) -> None:
        super().__init__()
        self.answers = torch.where(wrong, (labels + 1) % 8, labels.clamp_min(0))
        self.embedding = torch.nn.Module()
        self.embedding.weight = torch.zeros(1, Language(keys=12).vocab, 1)
        self.done = 0

    def forward(self, tokens: Tensor, attention: Sequence[Attention]) -> Tensor:
        part = self.answers[:, self.done : self.done + tokens.shape[1]]
        self.done += tokens.shape[1]
        return torch.nn.functional.one_hot(part, 8).float()


def test_accuracies_count_right_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    some = seeds(0, 1)
    asked = networks.examination(some, Language(keys=12), 128, 6)
    wrong = asked.distance >= 40
    wrong[1] |= asked.local[1]
    monkeypatch.setattr(networks, "AT_ONCE", 2 * 128 * 4)  # two passes, the second one shorter
    found = networks.accuracies(Knows(asked.labels, wrong), [], some, 128, 6, far=40)  # type: ignore[arg-type]
    near = [
        sum(0 < d < 40 for d in row.flatten().tolist()) / sum(d > 0 for d in row.flatten().tolist())
        for row in asked.distance
    ]
    assert found["recall"].tolist() == pytest.approx(near)
    assert found["far"].tolist() == [0.0, 0.0]
    assert found["local"].tolist() == [1.0, 0.0]
    assert found["mean"].tolist() == pytest.approx([(near[0] + 1) / 2, near[1] / 2])


def test_examinations_depend_on_seed_and_length_alone() -> None:
    both = networks.examination(seeds(0, 1), Language(keys=3), 32, 2)
    alone = networks.examination(seeds(1), Language(keys=3), 32, 2)
    assert torch.equal(both.tokens[1:], alone.tokens)


def test_the_loss_is_the_mean_over_labelled_tokens() -> None:
    [seed] = seeds(0)
    model = networks.network([seed], keys=3, width=16, depth=1, heads=2)
    asked = questions([seed.stream("x")], Language(keys=3), 2, 16)
    logits = model(asked.tokens, [NoPositions()]).detach()
    each = [
        -float(torch.log_softmax(logits[0, b, t].double(), -1)[asked.labels[0, b, t]])
        for b, t in itertools.product(range(2), range(16))
        if asked.labels[0, b, t] >= 0
    ]
    found = networks.loss(model, [NoPositions()], asked.tokens, asked.labels)
    assert found.detach().tolist() == pytest.approx([sum(each) / len(each)], rel=1e-5)
    assert networks.language_of(model) == Language(keys=3)


def test_the_rate_rises_and_falls() -> None:
    rates = [networks.linear(350, 50, step) for step in range(350)]
    assert rates[49] == rates[50] == 1.0
    assert rates[0] == pytest.approx(1 / 50)
    assert rates[-1] == pytest.approx(1 / 300)
    assert all(rate > 0 for rate in (networks.linear(6, 50, step) for step in range(6)))


def test_pages_share_the_networks() -> None:
    tier = Tier(seeds=2, sizes=TINY)
    with shelf(None) as kept:
        plain = networks.networks(seeds(0, 1), tier, log_n=False)
        again = networks.networks([Seed("another-page/r3", "verdict", 1)], tier, log_n=False)
        assert len(kept.memory) == 2
        scaled = networks.networks(seeds(0), tier, log_n=True)
        assert len(kept.memory) == 3
    for name, weights in plain.state_dict().items():
        assert torch.equal(weights[1], again.state_dict()[name][0])
    assert not torch.equal(plain.head.weight[0], scaled.head.weight[0])
    assert not any(parameter.requires_grad for parameter in plain.parameters())


# --- The published table --------------------------------------------------------------------------


def settings(experiment: Experiment, names: Sequence[str]) -> dict[str, list[Any]]:
    chosen = [{"shape": 4.0, **experiment.arm(name).fixed} for name in names]
    return {key: [arm[key] for arm in chosen] for key in ("method", "scale", "shape")}


def test_arms_of_the_table() -> None:
    names = ["RoPE", "RoPE, log n†", "window", "PI", "NTK-fixed", "RoPE"]
    tier = sized(inference.EXPERIMENT, "smoke", {**TINY, "sequences": 3})
    one, two = seeds(0, 1)
    with shelf(None):
        found = inference.measure([one] * 5 + [two], tier, log_n=False, **settings(inference.EXPERIMENT, names))
        model = networks.networks([one, two], tier, log_n=False)
        alone = inference.measure([two], tier, log_n=False, method=["RoPE"], scale=["own"], shape=[0.0])
    columns = {name: [float(x) for x in column] for name, column in found.items()}
    assert columns["tax"][:3] == columns["short"][:3]  # neither dagger nor window is felt at N
    assert len(set(columns["short"][:5])) == 1
    assert {name: column[5] for name, column in columns.items()} == {n: float(c[0]) for n, c in alone.items()}
    theta = networks.theta(16, 2)
    interpolated = [Rotary(scaling.pi(theta, 8.0))] * 2
    by_hand = networks.accuracies(model, interpolated, [one, two], 128, 3, far=16)
    assert columns["mean"][3] == float(by_hand["mean"][0])
    assert columns["local_change"][3] == pytest.approx(columns["local"][3] - columns["short_local"][3])


def test_methods_by_name() -> None:
    theta = networks.theta(64, 2)
    calls = {
        "RoPE": theta,
        "window": theta,
        "PI": theta / 8,
        "NTK-old": scaling.ntk_old(theta, 8),
        "NTK-bloc97": scaling.ntk(theta, 8),
        "NTK-fixed": scaling.ntk_fixed(theta, 8),
        "NTK-mixed": scaling.ntk_mixed(theta, 8, 0.5),
        "YaRN": scaling.yarn(theta, 8, 64, 0.5),
    }
    assert {*calls} == {*inference.METHODS}
    for method, expected in calls.items():
        assert torch.equal(inference.rescaled(method, 0.5, theta, 8, 64), expected)
    with pytest.raises(ValueError, match="no method 'rope'"):
        inference.rescaled("rope", 0.0, theta, 8, 64)
    n = torch.tensor([4, 64, 512])
    assert inference.query_scale("own", False, 64, 8) is None
    for scale, log_n, expected in (
        ("own", True, [1 / 3, 1.0, 1.5]),
        ("dagger", False, [1.0, 1.0, 1.5]),
        ("yarn", False, [(1 + 0.1 * math.log(8)) ** 2] * 3),
    ):
        found = inference.query_scale(scale, log_n, 64, 8)
        assert found is not None
        assert found(n).tolist() == pytest.approx(expected)


def test_where_a_curve_has_fallen() -> None:
    assert lengths.reach([64, 128, 256], [1.0, 0.99, 0.91], 0.05) == pytest.approx(128 * 2 ** (0.04 / 0.08))
    assert lengths.reach([64, 128, 256, 512], [0.9, 0.8, 1.0, 0.1], 0.05) == pytest.approx(64 * 2**0.5)
    assert lengths.reach([64, 128], [0.5, 0.46], 0.05) == 128


def test_lengths() -> None:
    tier = sized(lengths.EXPERIMENT, "smoke", {**TINY, "tokens": 32})
    with shelf(None):
        found = lengths.measure(seeds(0, 0), tier, method=["RoPE", "NTK-bloc97"], factor=[1, 4])
        model = networks.networks(seeds(0), tier, log_n=False)
    attention = [Rotary(scaling.ntk(networks.theta(16, 2), 4))] * 2
    by_hand = networks.accuracies(model, attention, seeds(0), 64, 2, far=16)["mean"]
    assert found["accuracy"][1][lengths.MULTIPLES.index(4)] == float(by_hand[0])
    assert found["multiple"][0][-1] == 16
    assert (
        found["usable"][0]
        == lengths.reach([round(m * 16) for m in lengths.MULTIPLES], found["accuracy"][0], lengths.LOST) / 16
    )


# --- Networks that are trained for their arm ------------------------------------------------------


def test_layers_of_hwfa_and_its_ablations() -> None:
    tier = Tier(seeds=1, sizes={**TINY, "depth": 4, "window": 4})
    changed = {kind: hwfa.layers(kind, tier) for kind in (hwfa.HWFA, *hwfa.ABLATIONS)}
    for kind, found in changed.items():
        assert len(found) == 4
        local, last = found[0], found[-1]
        rotary = isinstance(local, Rotary)
        assert rotary == (kind != "no RoPE")
        assert local.window == (16 if kind == "wide windows" else 4)  # type: ignore[attr-defined]
        assert (last.window is None) == (kind != "all windows")  # type: ignore[attr-defined]
        assert isinstance(last, Rotary) == (kind in ("RoPE in the full layer", "all windows"))
        assert (last.scale is None) == (kind in ("no log n", "all windows"))  # type: ignore[attr-defined]
        assert isinstance(found[2], NoPositions) == (kind in ("two full layers", "no RoPE"))


def test_what_windows_can_see() -> None:
    """L - 1 layers with windows of w reach back (w - 1)(L - 1) tokens and no further."""
    tier = Tier(seeds=1, sizes={**TINY, "depth": 4, "window": 4})
    model = networks.network(seeds(0), keys=3, width=16, depth=3, heads=2)
    attention = hwfa.layers(hwfa.HWFA, tier)[:3]
    tokens = torch.randint(20, (1, 1, 16), generator=seeds(0)[0].stream("tokens"))
    with torch.no_grad():
        before = model(tokens, attention)
        other = tokens.clone()
        other[..., 0] = (other[..., 0] + 1) % 20
        moved = (model(other, attention) != before).any(-1)[0, 0]
    assert moved.nonzero().flatten().tolist() == list(range(10))


@pytest.mark.parametrize(
    "experiment", [hwfa.EXPERIMENT, hwfa.ABLATED, hwfa.FAMILIES], ids=lambda experiment: experiment.name
)
def test_trained_arms_of_the_gpu_tier_in_little(experiment: Experiment) -> None:
    tier = sized(experiment, "gpu", {**TINY, "depth": 3, "steps": 3, "window": 6, "sequences": 2})
    found = {
        arm.name: experiment.measure(seeds(0, 1), tier, kind=arm.fixed["kind"])["short"].tolist()  # type: ignore[attr-defined]
        for arm in experiment.arms
    }
    assert len({str(accuracy) for accuracy in found.values()}) > 1
    assert all(0 <= x <= 1 for accuracy in found.values() for x in accuracy)


def test_biases() -> None:
    tier = sized(biases.EXPERIMENT, "gpu", {**TINY, "tokens": 16})
    with shelf(None):
        mixed = biases.measure(seeds(0, 1, 0), tier, biases=[True, False, False])
        alone = biases.measure(seeds(1), tier, biases=[False])
    assert torch.equal(mixed["mean"][1], alone["mean"][0])
    assert mixed["mean"].shape == (3, 3)
    assert not bool(mixed["mean"].isnan().any())


# --- Formal languages -----------------------------------------------------------------------------


def test_even_pairs_are_what_the_name_says() -> None:
    """As many 01 as 10 among neighbours, counted, is ending as one begins."""
    letters = formal.strings(seeds(0), "x", 50, 12)
    found = formal.prefixes(letters)
    answers = formal.whole(letters, "even pairs")[1][..., 0]
    for row, labels, answer in zip(letters[0].tolist(), found[0].tolist(), answers[0].tolist(), strict=True):
        for n in range(2, 13):
            changes = list(itertools.pairwise(row[:n]))
            assert labels[n - 1] == int(changes.count((0, 1)) == changes.count((1, 0)))
        assert answer == labels[-1]
        assert labels[0] == formal.NONE


def test_positions_are_sorted_draws() -> None:
    plain = formal.positions(seeds(0, 1), "x", "RoPE", 3, 5, 20)
    assert plain.shape == (6, 1, 5)
    assert plain[4, 0].tolist() == [0, 1, 2, 3, 4]
    drawn = formal.positions(seeds(0, 1), "x", "RoPE, random", 3, 5, 20)
    assert bool((drawn.diff(dim=-1) > 0).all())
    assert bool(((drawn >= 0) & (drawn < 20)).all())
    assert torch.equal(drawn[3:], formal.positions(seeds(1), "x", "ALiBi, random", 3, 5, 20))


@pytest.mark.parametrize("task", formal.TASKS)
def test_encoders_in_little(task: str) -> None:
    tier = sized(
        formal.RANDOM, "gpu", {"width": 16, "depth": 1, "length": 6, "range": 40, "steps": 4, "batch": 4, "strings": 8}
    )
    found = {kind: formal.encoder(seeds(0, 1), tier, kind=kind, task=task) for kind in formal.ENCODERS}
    for columns in found.values():
        assert columns["long"].shape == columns["short"].shape == (2,)
    alone = formal.encoder(seeds(1), tier, kind="RoPE, random", task=task)
    assert torch.equal(alone["long"], found["RoPE, random"]["long"][1:])


# --- The character model --------------------------------------------------------------------------

LITTLE = {"characters": 40_000, "length": 16, "width": 16, "depth": 1, "heads": 2, "batch": 2, "steps": 3, "windows": 2,
          "period": 32, "precision": "fp32"}  # fmt: skip


def test_characters_in_little() -> None:
    tier = sized(language.EXPERIMENT, "gpu", LITTLE)
    names = [arm.name for arm in language.EXPERIMENT.arms if not arm.fixed["log_n"]]
    with shelf(None):
        found = language.measure(seeds(0) * len(names), tier, log_n=False, **settings(language.EXPERIMENT, names))
        scaled = language.measure(
            seeds(0, 1), tier, log_n=True, **settings(language.EXPERIMENT, ["RoPE, log n", "NTK-fixed, log n"])
        )
    assert found["plain"].shape == (len(names),)
    assert len(set(found["short"].tolist())) == 1
    assert scaled["repeating"].shape == (2,)


def test_repeating_text_repeats() -> None:
    part = torch.arange(500)
    plain, repeating = language.texts(seeds(0), part, 2, 40, 16)
    assert torch.equal(plain[0, 0].diff(), torch.ones(40, dtype=torch.int64))
    assert torch.equal(repeating[..., 16:32], plain[..., :16])
    assert torch.equal(repeating[..., :16], plain[..., :16])


# --- Identities, and the table at its gpu size in little ------------------------------------------


def test_scores_by_hand() -> None:
    """Sandwich's waves: p_m^T p_n is the sum of cos((m - n) theta)."""
    theta = networks.theta(8, 1)
    p = identities.waves(torch.arange(5, dtype=torch.float64), theta)
    for m, n in itertools.product(range(5), repeat=2):
        expected = sum(math.cos((m - n) * float(angle)) for angle in theta)
        assert float(p[m] @ p[n]) == pytest.approx(expected, abs=1e-12)


def test_xpos_by_hand() -> None:
    """Pair by pair: zeta^((m - n) / s) times the real part of q conj(k) exp(i (m - n) theta)."""
    theta = networks.theta(4, 1)
    stream = seeds(0)[0].stream("x")
    q, k = torch.randn(2, 6, 4, dtype=torch.float64, generator=stream)
    found = identities.xpos(q, k, torch.arange(6, dtype=torch.float64), theta)
    for m, n in itertools.product(range(6), repeat=2):
        expected = 0.0
        for i in range(2):
            a, b = (complex(float(x[2 * i]), float(x[2 * i + 1])) for x in (q[m], k[n]))
            turn = complex(math.cos((m - n) * float(theta[i])), math.sin((m - n) * float(theta[i])))
            expected += ((i / 2 + 0.4) / 1.4) ** ((m - n) / 512) * (a * b.conjugate() * turn).real
        assert float(found[m, n]) == pytest.approx(expected, abs=1e-12)


def test_sizes_of_all_tiers_serve_their_experiments() -> None:
    for experiment in (inference.EXPERIMENT, lengths.EXPERIMENT, biases.EXPERIMENT):
        for tier in experiment.tiers.values():
            assert {*networks.RECIPE} <= {*tier.sizes}
    for tier in hwfa.EXPERIMENT.tiers.values():
        assert {*networks.RECIPE, "window", "factor", "sequences"} <= {*tier.sizes}
