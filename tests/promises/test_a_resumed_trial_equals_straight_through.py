"""A trial that is killed in its middle and gone on with: the same parameters, each batch seen once and in its order."""

import hashlib
import multiprocessing
import os
import signal
from pathlib import Path

import pytest
import torch

from suite.blocks.data.draws import draws, rows
from suite.blocks.losses.cross_entropy import cross_entropy
from suite.blocks.models.mlp import mlp
from suite.blocks.optim import adamw, lion
from suite.fit import CONTEXT, Context, fit
from suite.seeds import Seed
from suite.stack import Group, row_hashes
from tests.torture.campaign import Case, Figures, stop, trap

STEPS, MODELS = 8, 3
SEEDS = [Seed("test/r1", "verdict", number) for number in range(MODELS)]


def trained(rule: object, order: Path, killed_at: int | None = None) -> list[str]:
    """Train three models; ``order`` gets a line for every batch that was asked for.  Returns the parameters' hashes."""
    x = torch.randn(40, 6, generator=SEEDS[0].stream("x"))
    y = torch.randint(4, (40,), generator=SEEDS[0].stream("y"))
    drawn = draws([seed.stream("batches") for seed in SEEDS], STEPS, 8, 40)
    model = mlp([6, 8, 4], [seed.stream("weights") for seed in SEEDS])

    def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        if step == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        found = rows(x, drawn[:, step]), rows(y, drawn[:, step])
        with order.open("a") as lines:
            lines.write(hashlib.sha256(found[0].numpy().tobytes() + found[1].numpy().tobytes()).hexdigest() + "\n")
        return found

    fit(
        model,
        loss=lambda net, x, y: cross_entropy(net(x), y),
        batch=batch,
        steps=STEPS,
        optimizer=Group(rule, lr=[1e-3, 1e-2, 1e-1], decay=0.1),  # type: ignore[arg-type]
        clip=1.0,
    )
    return row_hashes(model)


@pytest.mark.parametrize("rule", [adamw.Rule(), lion.Rule()], ids=["adamw", "lion"])
def test_killed_twice_the_parameters_and_the_order_of_the_data_are_the_same(tmp_path: Path, rule: object) -> None:
    straight = trained(rule, tmp_path / "straight")
    token = CONTEXT.set(Context(checkpoint_dir=tmp_path / "unit", checkpoint_every=0.0))
    try:
        for step in (3, 6):
            child = multiprocessing.get_context("fork").Process(target=trained, args=(rule, tmp_path / "resumed", step))
            child.start()
            child.join(60)
            assert child.exitcode == -signal.SIGKILL
        assert trained(rule, tmp_path / "resumed") == straight
    finally:
        CONTEXT.reset(token)
    order = (tmp_path / "straight").read_text().splitlines()
    assert (tmp_path / "resumed").read_text().splitlines() == order
    assert len(set(order)) == STEPS


@pytest.mark.xdist_group("nursery")
def test_a_run_repeats_no_step(walk: Case, tmp_path: Path) -> None:
    """Over a whole run that saves after every step: stopped in its fifth step, it takes just the others again."""
    world, figures = walk.world(tmp_path / "a"), Figures()
    assert stop(world, trap("in a trial", 5, "SIGKILL"), "SIGKILL", figures)
    (log,) = world.base.glob("calls-*.log")
    before = log.read_text().count("step ")
    after = world.run()
    assert after.code == 0
    assert before + sum(line.startswith("step ") for line in after.calls) == sum(
        line.startswith("step ") for line in walk.calls
    )
    assert world.files() == walk.files
    assert figures.losses == []
