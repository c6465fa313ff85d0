"""The figure that shows pictures: what is drawn, in which order, the same bytes twice, and mistakes named."""

import json

import matplotlib
import numpy as np
import pytest

from suite.claims import ContractError
from suite.drawing import NotDrawn, style
from suite.drawing.images import _mosaic, images
from suite.figures.images import Images


def ledger(pictures, arms=("one", "two"), conditions=None):
    trials = [
        {
            "experiment": "shown",
            "arm": arm,
            "at": {},
            "setting": {},
            "seed": {"purpose": "verdict", "number": number},
            "metrics": {"pictures": pictures},
        }
        for arm in arms
        for number in range(2)
    ]
    experiment = {"name": "shown", "arms": [{"name": arm} for arm in arms], "conditions": conditions or {}}
    return {"card": {"experiments": [experiment]}, "trials": trials, "arms": [], "claims": []}


PICTURES = np.arange(3 * 2 * 4).reshape(3, 2, 4).tolist()  # three rows of two pictures, 2 x 2
FIGURE = Images(title="t", metric="pictures", rows=("first", "middle", "last"), high=24)


def drawn(figure, book):
    style.load_fonts()
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **style.RC, "backend": "svg"}):
        return images(figure, book)


def test_every_picture_stands_in_its_row_and_column():
    [left, right] = drawn(FIGURE, ledger(PICTURES)).axes
    sheet = np.asarray(left.images[0].get_array(), dtype=float)
    for row in range(3):
        for column in range(2):
            cut = sheet[3 * row : 3 * row + 2, 3 * column : 3 * column + 2]
            assert cut.ravel().tolist() == PICTURES[row][column]
    assert [left.get_title(loc="left"), right.get_title(loc="left")] == ["one", "two"]
    assert [label.get_text() for label in left.get_yticklabels()] == ["first", "middle", "last"]


def test_gaps_are_white():
    sheet = _mosaic(np.ones((1, 2, 2, 2)))
    assert np.isnan(sheet[2]).all()
    assert np.isnan(sheet[:, 2]).all()
    assert np.nansum(sheet) == 8


def test_one_arm_takes_the_column_and_stays_on_the_page():
    canvas = drawn(FIGURE, ledger(PICTURES, arms=("one",)))
    width, height = canvas.get_size_inches()
    assert width == pytest.approx(style.COLUMN)
    assert height <= style.TALLEST


def test_pictures_that_are_not_square_say_how_wide_they_are():
    figure = Images(title="t", metric="pictures", rows=("first", "middle", "last"), width=4)
    sheet = drawn(figure, ledger(PICTURES)).axes[0].images[0].get_array()
    assert sheet.shape == (3 * 2, 2 * 5)


def test_at_most_so_many():
    figure = Images(title="t", metric="pictures", rows=("first", "middle", "last"), most=1)
    assert drawn(figure, ledger(PICTURES)).axes[0].images[0].get_array().shape == (9, 3)


def test_the_declaration_is_json():
    found = json.loads(json.dumps(FIGURE.to_json()))
    assert found.pop("figure") == "images"
    assert Images(**found) == FIGURE


@pytest.mark.parametrize(
    ("figure", "pictures", "says"),
    [
        (FIGURE, [1.0, 2.0], "not a list of rows of pictures"),
        (Images(title="t", metric="pictures", rows=("one",)), PICTURES, "1 names for 3 rows"),
        (FIGURE, np.zeros((3, 2, 5)).tolist(), "5 pixels do not have rows of 2"),
        (Images(title="t", metric="pictures", rows=(1, 2, 3), seed=2), PICTURES, "there is no seed 2"),
    ],
)
def test_mistakes_are_named(figure, pictures, says):
    with pytest.raises(NotDrawn, match=says):
        drawn(figure, ledger(pictures))


def test_mistakes_in_the_declaration():
    with pytest.raises(ContractError, match="low lies below high"):
        Images(title="t", metric="pictures", rows=("a",), high=0)
    with pytest.raises(ContractError, match="names the strips"):
        Images(title="t", metric="pictures", rows=())
