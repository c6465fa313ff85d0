"""Figures: declarations survive JSON, drawings show every seed and are the same bytes, mistakes are named."""

import copy
import dataclasses
import itertools
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from suite.claims import ContractError
from suite.drawing import NotDrawn
from suite.drawing.intervals import mean_interval, share_interval
from suite.drawing.labels import spread
from suite.drawing.style import COLOURS
from suite.errors import UserError
from suite.figures import (
    KINDS,
    Axis,
    Bars,
    Counts,
    Curves,
    Figure,
    Forest,
    GapAgainst,
    HeatMap,
    Histogram,
    PairedDots,
    StackedBars,
    Table,
    TuningCurve,
    draw,
    from_json,
)
from tests import fake_ledger, test_images_figure

COMPARISON, EXACT = fake_ledger.comparison(), fake_ledger.exact()
EVERY = [
    pytest.param(from_json(item), book, id=f"{book['slug']}-{item['figure']}")
    for book in (COMPARISON, EXACT)
    for item in book["card"]["figures"]
]
PICTURES = test_images_figure.ledger(test_images_figure.PICTURES)
EVERY.append(pytest.param(test_images_figure.FIGURE, PICTURES, id="images"))


def texts(svg: bytes) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg.decode())


def test_every_kind_is_drawn_here() -> None:
    assert {type(case.values[0]) for case in EVERY} == set(KINDS.values())


@pytest.mark.parametrize(("figure", "book"), EVERY)
def test_declarations_survive_json(figure: Figure, book: dict) -> None:
    assert from_json(json.loads(json.dumps(figure.to_json()))) == figure
    assert figure.to_json()["figure"] in KINDS


@pytest.mark.parametrize(("figure", "book"), EVERY)
def test_the_same_bytes_twice_and_no_date(figure: Figure, book: dict) -> None:
    svg = draw(figure, book)
    assert svg == draw(figure, copy.deepcopy(book))
    assert b"dc:date" not in svg
    assert b"Matplotlib v" not in svg.split(b"<defs>")[0]
    width = float(re.search(rb'width="([\d.]+)pt"', svg)[1])
    height = float(re.search(rb'height="([\d.]+)pt"', svg)[1])
    assert width <= 483  # the full measure of the page, 170 mm
    assert height <= 700


def test_declaring_loads_no_matplotlib() -> None:
    code = "import sys, suite.figures; assert not {'matplotlib', 'numpy', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_list_fields_become_tuples() -> None:
    figure = Curves(title="t", y=["a", "b"], x=[1, 2], vertical=[[1, "one"]], labels=["A", "B"])  # type: ignore[arg-type]
    assert figure.y == ("a", "b")
    assert figure.vertical == ((1, "one"),)
    assert hash(figure.labels)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: PairedDots(title="t", metric="m", arms=("one",)), "at least two arms"),
        (lambda: Curves(title="t", y="a", x="b", band="sd"), "band is interval"),
        (lambda: Forest(title=" "), "needs a title"),
        (lambda: Axis("x", log=True, low=0.0), "above 0"),
        (lambda: Counts(count="a", out_of="b", level=99), "between 0 and 1"),
    ],
)
def test_mistakes_are_errors_on_the_page(make, says: str) -> None:
    with pytest.raises(ContractError, match=says):
        make()


def test_unknown_figures_are_named() -> None:
    with pytest.raises(UserError, match="a figure is one of bars, curves"):
        from_json({"figure": "pie", "title": "no"})
    with pytest.raises(UserError, match="has no colour"):
        from_json({"figure": "forest", "title": "t", "colour": "red"})


MISSING = [
    (PairedDots(title="t", metric="nothing", arms=("adamw", "lion"), experiment="digits"), "no metric 'nothing'"),
    (PairedDots(title="t", metric="test_loss", arms=("adamw", "sgd"), experiment="digits"), "no arm 'sgd'"),
    (PairedDots(title="t", metric="train_curve", arms=("adamw", "lion"), experiment="digits"), "one number per seed"),
    (Bars(title="t", metric="test_loss", experiment="elsewhere"), "no experiment 'elsewhere'"),
    (
        GapAgainst(title="t", metric="test_loss", arm="lion", minus="adamw", condition="width", experiment="digits"),
        "no condition 'width'",
    ),
    (TuningCurve(title="t", over="momentum", experiment="digits"), "tunes 'momentum'"),
    (Curves(title="t", y="train_curve", x=(1, 2, 3), experiment="digits"), "31 points and x has 3"),
    (Curves(title="t", y="test_loss", x="train_steps", experiment="digits"), "name the condition"),
    (Histogram(title="t", counts="rare_counts", edges=(0, 1), experiment="embeddings"), "edges= needs one entry more"),
    (HeatMap(title="t", metric="largest", rows=("a",), columns=("b",), experiment="embeddings"), "not a table"),
    (Forest(title="t", claims=("c12",)), "none of its claims"),
    (Bars(title="t", metric="largest", experiment="embeddings", at={"width": 3}), "no trials"),
]


@pytest.mark.parametrize(("figure", "says"), MISSING, ids=[says for _, says in MISSING])
def test_what_the_ledger_lacks_is_named(figure: Figure, says: str) -> None:
    with pytest.raises(NotDrawn, match=re.escape(says)) as caught:
        draw(figure, COMPARISON)
    assert "figure 't'" in str(caught.value)


def test_every_seed_is_a_dot() -> None:
    figure = next(f.values[0] for f in EVERY if isinstance(f.values[0], PairedDots))
    one_panel = dataclasses.replace(figure, at={"batch": 64}, difference=False)
    markers = len(re.findall(r"<use ", draw(one_panel, COMPARISON).decode()))
    fewer = copy.deepcopy(COMPARISON)
    fewer["trials"] = [t for t in fewer["trials"] if t["seed"]["number"] != 15]
    assert markers - len(re.findall(r"<use ", draw(one_panel, fewer).decode())) == 2  # one dot in each arm


def test_a_changed_number_changes_the_picture() -> None:
    for case in EVERY:
        figure, book = case.values
        changed = copy.deepcopy(book)
        for trial in changed["trials"]:
            for name, value in trial["metrics"].items():
                trial["metrics"][name] = _shifted(value)
        for entry in changed["arms"]:
            for line in entry["tuning"]:
                line["value"] *= 1.3
        for row in changed["claims"]:
            for cell in row["cells"]:
                cell["high"] = cell["high"] + 0.37 * (abs(cell["high"]) + 1)
        assert draw(figure, book) != draw(figure, changed), figure.title


def _shifted(value):
    if isinstance(value, list):
        return [_shifted(v) * (1 + 0.01 * i) if not isinstance(v, list) else _shifted(v) for i, v in enumerate(value)]
    return value * 1.3 + 0.01


def test_hostile_names_are_text() -> None:
    book = copy.deepcopy(COMPARISON)
    evil = "$\\alpha$ <script>&#35; _x^2" + "y" * 500
    for part in (*book["trials"], *book["arms"]):
        part["arm"] = evil if part["arm"] == "lion" else part["arm"]
    for arm in book["card"]["experiments"][0]["arms"]:
        arm["name"] = evil if arm["name"] == "lion" else arm["name"]
    svg = draw(PairedDots(title="t", metric="test_loss", arms=("adamw", evil), experiment="digits"), book)
    assert b"<script>" not in svg
    assert max(len(t) for t in texts(svg)) < 60


def test_nan_and_infinity_do_not_stop_the_drawing() -> None:
    book = copy.deepcopy(COMPARISON)
    book["trials"][0]["metrics"]["train_curve"][3] = "NaN"
    book["trials"][1]["metrics"]["train_curve"][4] = "Infinity"
    book["arms"][0]["tuning"][0]["value"] = "NaN"
    book["arms"][1]["chosen"] = None
    for case in EVERY:
        if isinstance(case.values[0], Curves | TuningCurve) and case.values[1] is COMPARISON:
            assert draw(case.values[0], book)


def test_one_seed_is_drawn_without_an_interval() -> None:
    book = copy.deepcopy(COMPARISON)
    book["trials"] = [t for t in book["trials"] if t["seed"]["number"] == 0]
    for case in EVERY:
        if case.values[1] is COMPARISON:
            assert draw(case.values[0], book)


def test_curves_against_a_condition_and_by_one() -> None:
    against = Curves(title="t", y="test_loss", x="batch", experiment="digits", x_axis=Axis("batch", log=True))
    assert {"8", "64", "512", "adamw", "lion"} <= set(texts(draw(against, COMPARISON)))
    by = Curves(title="t", y="train_curve", x="train_steps", by="batch", arms=("lion",), experiment="digits")
    assert {"batch = 8", "batch = 64", "batch = 512"} <= set(texts(draw(by, COMPARISON)))


def test_heat_map_over_conditions() -> None:
    book = copy.deepcopy(COMPARISON)
    experiment = book["card"]["experiments"][0]
    experiment["conditions"]["width"] = [1, 2]
    book["trials"] = [
        {**t, "at": {**t["at"], "width": w}} for t in book["trials"] if t["experiment"] == "digits" for w in (1, 2)
    ]
    figure = HeatMap(title="t", metric="test_loss", rows="width", columns="batch", arms=("lion",), experiment="digits")
    assert len([t for t in texts(draw(figure, book)) if t.startswith("0.")]) == 6


# --- Slow twins of the arithmetic -----------------------------------------------------------------


def test_mean_interval_is_scipys() -> None:
    values = np.random.default_rng(1).normal(size=(9, 4))
    mean, low, high = mean_interval(values)
    wanted = stats.t.interval(0.95, 8, loc=values.mean(0), scale=stats.sem(values, axis=0))
    np.testing.assert_allclose(low, wanted[0], rtol=1e-10)
    np.testing.assert_allclose(high, wanted[1], rtol=1e-10)
    np.testing.assert_allclose(mean, values.mean(0))


@pytest.mark.parametrize("level", [0.9, 0.99, 0.999])
def test_share_interval_is_clopper_pearson(level: float) -> None:
    counts = np.array([0, 1, 5, 50, 99, 100])
    low, high = share_interval(counts, np.full(6, 100), level)
    for k, a, b in zip(counts, low, high, strict=True):
        wanted = stats.binomtest(int(k), 100).proportion_ci(level, method="exact")
        assert (a, b) == pytest.approx((wanted.low, wanted.high), abs=1e-9)


def test_spread_keeps_apart_and_inside() -> None:
    rng = np.random.default_rng(2)
    for _ in range(200):
        wanted = rng.random(rng.integers(1, 9)).tolist()
        placed = spread(wanted, 0.08, 0.0, 1.0)
        assert all(-1e-9 <= p <= 1 + 1e-9 for p in placed)
        ranked = sorted(placed)
        assert all(b - a >= 0.08 - 1e-6 for a, b in itertools.pairwise(ranked))
        assert np.argsort(wanted).tolist() == np.argsort(placed).tolist()


def test_colours_stay_apart_for_colour_blind_readers() -> None:
    """Machado's matrices for full protanopia and deuteranopia; distances in CIE Lab."""
    blind = {
        "none": np.eye(3),
        "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    }
    rgb = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in COLOURS[:4]])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    for matrix in blind.values():
        xyz = np.clip(linear @ np.array(matrix).T, 0, 1) @ to_xyz.T / [0.9505, 1.0, 1.089]
        f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
        lab = np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)
        gaps = [np.linalg.norm(a - b) for i, a in enumerate(lab) for b in lab[i + 1 :]]
        assert min(gaps) > 10


def test_tables_hold_means() -> None:
    figure = Table(title="t", columns=("largest",), experiment="embeddings")
    shown = texts(draw(figure, COMPARISON))
    values = [
        t["metrics"]["largest"] for t in COMPARISON["trials"] if t["arm"] == "adamw" and "largest" in t["metrics"]
    ]
    assert f"{np.mean(values):.4g}" in shown


def test_stacked_parts_add_up() -> None:
    figure = StackedBars(title="t", parts=("exact_value", "simulated"), x=(1, 2, 3), labels=("a", "b"))
    assert {"a", "b", "sum"} <= set(texts(draw(figure, EXACT)))
