"""Trained networks are made once, found by all that made them, and never half read."""

import json
import multiprocessing
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from suite import fit
from suite.blocks.losses.cross_entropy import cross_entropy
from suite.blocks.models.mlp import mlp
from suite.blocks.optim import adamw
from suite.seeds import Seed
from suite.stack import Group
from suite.trained import shelf, trained

SEEDS = [Seed("toy/r1", "verdict", number) for number in range(4)]
CALLED: list[list[str]] = []


def train(seeds: Sequence[Seed], *, steps: int, rate: float = 0.01) -> torch.nn.Module:
    CALLED.append([str(seed) for seed in seeds])
    log = os.environ.get("TRAINED_LOG")
    if log:
        with open(log, "a", encoding="utf8") as file:
            file.write("".join(f"{seed.root} {seed}\n" for seed in seeds))
    model = mlp((3, 8, 2), [seed.stream("weights") for seed in seeds])
    streams = [seed.stream("data") for seed in seeds]
    x = torch.stack([torch.randn(16, 3, generator=stream) for stream in streams])
    fit.fit(
        model,
        loss=lambda net, x, y: cross_entropy(net(x), y),
        batch=lambda step: (x, (x[..., 0] > 0).long()),
        steps=steps,
        optimizer=Group(adamw.Rule(), lr=rate),
    )
    return model


@pytest.fixture(autouse=True)
def no_calls() -> None:
    CALLED.clear()


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_network_is_trained_once_and_found_again_bitwise(tmp_path: Path) -> None:
    with shelf(tmp_path):
        first = trained("nets/r1", train, SEEDS, {"steps": 5})
    with shelf(tmp_path):
        again = trained("nets/r1", train, SEEDS, {"steps": 5})
    (call,) = CALLED
    assert call == [f"verdict/{n}" for n in range(4)]
    assert same(first, again)
    assert same(first, trained("nets/r1", train, SEEDS, {"steps": 5})), "without a shelf: trained anew, the same"
    assert len(CALLED) == 2


def test_only_the_missing_are_trained_and_their_company_does_not_matter(tmp_path: Path) -> None:
    with shelf(tmp_path):
        trained("nets/r1", train, SEEDS[:2], {"steps": 5})
        state = trained("nets/r1", train, [SEEDS[3], SEEDS[0], SEEDS[3]], {"steps": 5})
    assert CALLED == [["verdict/0", "verdict/1"], ["verdict/3"]]
    whole = trained("nets/r1", train, SEEDS, {"steps": 5})
    for name, weights in whole.items():
        assert torch.equal(state[name], weights[[3, 0, 3]])


def test_pages_share_a_collection_and_pilots_do_not(tmp_path: Path) -> None:
    with shelf(tmp_path):
        one = trained("nets/r1", train, SEEDS[:1], {"steps": 5})
        other = trained("nets/r1", train, [Seed("another-page/r7", "verdict", 0)], {"steps": 5})
        assert len(CALLED) == 1
        assert same(one, other)
        pilot = trained("nets/r1", train, [Seed("pilot/toy", "verdict", 0)], {"steps": 5})
    assert len(CALLED) == 2
    assert not same(one, pilot)


@pytest.mark.parametrize(
    ("name", "seed", "settings"),
    [
        ("nets/r2", SEEDS[0], {"steps": 5}),
        ("nets/r1", Seed("toy/r1", "tune", 0), {"steps": 5}),
        ("nets/r1", SEEDS[1], {"steps": 5}),
        ("nets/r1", SEEDS[0], {"steps": 6}),
        ("nets/r1", SEEDS[0], {"steps": 5, "rate": 0.02}),
    ],
)
def test_whatever_made_it_tells_networks_apart(name: str, seed: Seed, settings: dict[str, float]) -> None:
    with shelf(None):
        one = trained("nets/r1", train, SEEDS[:1], {"steps": 5})
        assert not same(one, trained(name, train, [seed], settings))
    assert len(CALLED) == 2


def test_changed_training_code_is_a_different_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with shelf(tmp_path):
        trained("nets/r1", train, SEEDS[:1], {"steps": 5})
        monkeypatch.setattr("suite.trained.code_hash", lambda name: ("other code", {}))
        trained("nets/r1", train, SEEDS[:1], {"steps": 5})
    assert len(CALLED) == 2


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "foreign"])
def test_a_damaged_file_is_trained_again(tmp_path: Path, damage: str) -> None:
    with shelf(tmp_path):
        whole = trained("nets/r1", train, SEEDS[:2], {"steps": 5})
        one, two = sorted(tmp_path.rglob("*.safetensors"))
        content = one.read_bytes()
        flipped = content[:-3] + bytes([content[-3] ^ 1]) + content[-2:]
        one.write_bytes({"cut": content[:-40], "flip": flipped, "empty": b"", "foreign": two.read_bytes()}[damage])
        assert same(whole, trained("nets/r1", train, SEEDS[:2], {"steps": 5}))
    assert [len(call) for call in CALLED] == [2, 1]
    assert one.read_bytes()[:8] == content[:8]


def test_a_file_says_what_made_it(tmp_path: Path) -> None:
    with shelf(tmp_path):
        trained("nets/r1", train, SEEDS[:1], {"steps": 5})
    (file,) = tmp_path.rglob("*.safetensors")
    with safe_open(file, framework="pt") as content:
        notes = content.metadata()
    assert json.loads(notes["recipe"])["settings"] == {"steps": 5}
    assert (notes["root"], notes["seed"], notes["key"]) == ("trained/nets/r1", "verdict/0", file.stem)


def test_the_provenance_names_the_networks() -> None:
    context = fit.Context()
    token = fit.CONTEXT.set(context)
    try:
        trained("nets/r1", train, SEEDS[:1], {"steps": 5})
    finally:
        fit.CONTEXT.reset(token)
    assert list(context.data) == ['networks nets/r1 {"steps":5}']


def test_checkpoints_belong_to_the_networks_and_not_to_the_order_of_fits(tmp_path: Path) -> None:
    """A call that was killed in its second training begins, when resumed, with what was its second fit."""
    token = fit.CONTEXT.set(fit.Context(checkpoint_dir=tmp_path / "unit"))
    try:
        with shelf(tmp_path / "kept"):
            first = trained("nets/r1", train, SEEDS[:2], {"steps": 5})
    finally:
        fit.CONTEXT.reset(token)
    token = fit.CONTEXT.set(fit.Context(checkpoint_dir=tmp_path / "unit"))
    try:
        with shelf(tmp_path / "kept"):
            trained("nets/r1", train, SEEDS[:2], {"steps": 5})
            second = trained("nets/r1", train, SEEDS[:2], {"steps": 5, "rate": 0.02})
    finally:
        fit.CONTEXT.reset(token)
    assert not same(first, second)
    assert same(second, trained("nets/r1", train, SEEDS[:2], {"steps": 5, "rate": 0.02}))


def _race(folder: Path, start: "multiprocessing.synchronize.Barrier") -> None:
    start.wait()
    with shelf(folder):
        trained("nets/r1", train, SEEDS, {"steps": 20})


def test_two_processes_never_train_the_same_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    monkeypatch.setenv("TRAINED_LOG", str(log))
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(2)
    processes = [context.Process(target=_race, args=(tmp_path / "kept", start)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0]
    assert sorted(log.read_text().split("\n")[:-1]) == [f"trained/nets/r1 verdict/{n}" for n in range(4)]
