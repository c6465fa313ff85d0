"""The convolutional flow of the gpu and hub tiers in little, MNIST from a local copy through the code for the Hub."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from suite import fit
from suite.claims import Tier
from suite.seeds import Seed
from tasks.mad_self_consumption import images

SEEDS = [Seed("mad-tests/r1", "verdict", number) for number in range(2)]
LITTLE = {
    "points": 30, "judged": 20, "generations": 3, "pictured": (1, 2, 3), "pictures": 2, "width": 4, "batch": 4,
    "steps": 2, "flow_steps": 2, "precision": "fp32",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """160 made-up images under the name and in the format that MNIST has on the Hub."""
    place = tmp_path_factory.mktemp("hub")
    path = place / images.MNIST / images.FILE
    path.parent.mkdir(parents=True)
    rows = []
    for number in range(160):
        pixels = SEEDS[0].numpy(f"image {number}").integers(0, 256, (28, 28)).astype("uint8")
        pixels[0, 0] = number  # to know them again
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, format="PNG")
        rows.append({"image": {"bytes": out.getvalue(), "path": None}, "label": number % 10})
    pd.DataFrame(rows).to_parquet(path)
    return place


def tier(name: str, folder: str = "", **sizes: object) -> Tier:
    return Tier(seeds=2, sizes={**images.EXPERIMENT.tiers[name].sizes, **LITTLE, "folder": folder, **sizes})


def test_mnist_comes_as_numbers_from_minus_one_to_one(folder: Path) -> None:
    found = images.mnist(str(folder))
    assert found.shape == (160, 28, 28)
    assert found[:, 0, 0].add(1).mul(127.5).round().tolist() == list(range(160))
    assert float(found.min()) >= -1
    assert float(found.max()) <= 1
    assert len(fit.CONTEXT.get().data["mnist, train"]) == 64


def test_pieces_of_mnist_have_nothing_in_common(folder: Path) -> None:
    cut = images.source(tier("hub", str(folder)))
    pieces = {name: cut(SEEDS[0], name, 50)[:, 0, 0] for name in ("first", "held out", "fresh 2")}
    marks = torch.cat(list(pieces.values()))
    assert len(marks.unique()) == 150
    assert torch.equal(cut(SEEDS[0], "held out", 50)[:, 0, 0], pieces["held out"])
    assert not torch.equal(cut(SEEDS[1], "first", 50)[:, 0, 0], pieces["first"])
    with pytest.raises(ValueError, match="no 50 images left for 'fresh 3'"):
        cut(SEEDS[0], "fresh 3", 50)


@pytest.mark.parametrize(("name", "arm"), [("gpu", 0), ("gpu", 3), ("hub", 1), ("hub", 2)])
def test_the_loop_in_little(folder: Path, name: str, arm: int) -> None:
    local = str(folder) if name == "hub" else ""
    found = images.measure(SEEDS, tier(name, local, points=20, judged=15), **images.EXPERIMENT.arms[arm].fixed)
    assert np.array(found["precision"]).shape == (2, 3)
    assert np.array(found["pictures"]).shape == (2, 3, 2, 14 * 14)
    assert np.array(found["pictures"]).max() <= 15
    assert found["recall_change"][0] == pytest.approx(found["recall"][0][-1] - found["recall"][0][0])


def test_training_brings_the_loss_down() -> None:
    cut = images.source(tier("gpu"))
    pool = torch.stack([cut(seed, "first", 64) for seed in SEEDS])
    noise = torch.randn(2, 64, 28, 28, generator=SEEDS[0].stream("noise"))
    times = torch.rand(2, 64, generator=SEEDS[0].stream("times"))
    losses = []
    for steps in (1, 12):
        field = images.trained(SEEDS, tier("gpu", steps=steps, batch=16), pool, 1)
        with torch.no_grad():
            losses.append(images.matching_loss(field, pool, noise, times))
    assert bool((losses[1] < 0.9 * losses[0]).all())


def test_components_are_orthonormal_and_leading() -> None:
    mean, vectors = images.components(torch.randn(100, 28, 28, generator=SEEDS[0].stream("images")))
    assert mean.shape == (784,)
    torch.testing.assert_close(vectors.T @ vectors, torch.eye(images.FEATURES), rtol=1e-4, atol=1e-4)


def test_the_revision_is_pinned() -> None:
    assert len(images.REVISION) == 40
