"""Lightning drives the arithmetic of a plain loop, and a fit that dies anywhere goes on as if nothing had happened."""

import logging
import math
import multiprocessing
import os
import signal
import sys
import threading

import pytest
import torch
from torch import nn

from suite import fit as fitting
from suite.blocks.data.draws import draws, rows
from suite.blocks.losses.cross_entropy import cross_entropy
from suite.blocks.models.mlp import mlp
from suite.blocks.models.transformer import transformer
from suite.blocks.optim import adamw, lion, schedules
from suite.fit import CONTEXT, Context, Parts, drive, fit
from suite.seeds import Seed
from suite.stack import Group, StackOptimizer, row_hashes
from tests.compiler import needs_a_compiler

STEPS, MODELS = 9, 3
SEEDS = [Seed("test/r1", "verdict", number) for number in range(MODELS)]
X = torch.randn(40, 6, generator=Seed("test/r1", "verdict", 0).stream("x"))
Y = torch.randint(4, (40,), generator=Seed("test/r1", "verdict", 0).stream("y"))
DRAWN = draws([seed.stream("batches") for seed in SEEDS], STEPS, 8, 40)


def model():
    return mlp([6, 8, 4], [seed.stream("weights") for seed in SEEDS])


def loss(model, x, y):
    return cross_entropy(model(x), y)


def batch(step):
    return rows(X, DRAWN[:, step]), rows(Y, DRAWN[:, step])


def held_out(model):
    return {
        "loss": loss(model, X.expand(MODELS, -1, -1), Y.expand(MODELS, -1)),
        "norm": model.layers[0].weight.norm(dim=(1, 2)),
    }


GROUP = Group(adamw.Rule(), lr=[1e-3, 1e-2, 1e-1], decay=0.1)
GROUP_OF_TWO = Group(adamw.Rule(), lr=[1e-3, 1e-2], decay=0.1)
SETTINGS = {
    "loss": loss,
    "steps": STEPS,
    "optimizer": GROUP,
    "schedule": schedules.cosine(STEPS),
    "clip": 1.0,
    "record": 4,
    "evaluate": held_out,
    "every": 2,
}


class Killed(Exception):
    """What a test throws in the middle of a fit."""


def dying(step_of_death, batch=batch):
    """A batch function that kills the fit at one step."""

    def batch_or_death(step):
        if step == step_of_death:
            raise Killed
        return batch(step)

    return batch_or_death


@pytest.fixture
def context(tmp_path):
    """A context that saves after every step; calling it starts the next attempt at the same unit of work."""
    tokens = []

    def attempt(**options):
        found = Context(checkpoint_dir=tmp_path, checkpoint_every=0.0, **options)
        tokens.append(CONTEXT.set(found))
        return found

    yield attempt
    for token in reversed(tokens):
        CONTEXT.reset(token)


def same(a, b):
    """Whether two results of ``fit`` hold the same bits."""
    return (
        torch.equal(a.losses, b.losses)
        and a.loss_steps == b.loss_steps
        and a.curve_steps == b.curve_steps
        and list(a.curves) == list(b.curves)
        and all(torch.equal(a.curves[name], b.curves[name]) for name in a.curves)
    )


# --- Lightning drives the arithmetic of a plain loop ------------------------------------------------


@pytest.mark.parametrize("rule", [adamw.Rule(), lion.Rule()], ids=["adamw", "lion"])
def test_lightning_equals_a_plain_loop_bitwise(rule):
    group = Group(rule, lr=[1e-3, 1e-2, 1e-1], decay=0.1)
    plain, driven = model(), model()
    optimizer = StackOptimizer(plain, group, schedule=schedules.cosine(STEPS), clip=1.0)
    for step in range(STEPS):
        optimizer.zero_grad()
        loss(plain, *batch(step)).sum().backward()
        optimizer.step()
    found = fit(driven, batch=batch, **{**SETTINGS, "optimizer": group})
    assert row_hashes(driven) == row_hashes(plain) != row_hashes(model())
    assert found.trainer_steps == found.steps == STEPS


def test_the_trainer_counts_what_it_drives():
    counted = []
    found = fit(model(), batch=lambda step: counted.append(step) or batch(step), **SETTINGS)
    assert counted == list(range(STEPS))
    assert found.trainer_steps == STEPS
    found = drive(lambda step: counted.append(step), nn.Linear(1, 1), steps=7)
    assert counted[STEPS:] == list(range(7))
    assert found.trainer_steps == 7
    assert found.losses.numel() == 0


def test_bf16_computes_in_half_and_keeps_whole_weights():
    full, half = model(), model()
    seen = []

    def watched(model, x, y):
        logits = model(x)
        seen.append(logits.dtype)
        return cross_entropy(logits, y)

    exact = fit(full, batch=batch, **SETTINGS)
    found = fit(half, batch=batch, precision="bf16", **{**SETTINGS, "loss": watched})
    assert set(seen) == {torch.bfloat16}
    assert half.layers[0].weight.dtype == torch.float32
    assert not torch.equal(found.losses, exact.losses)
    torch.testing.assert_close(found.losses, exact.losses, rtol=0.05, atol=0.05)


def test_a_transformer_trains_in_bf16():
    tokens = torch.randint(9, (STEPS, 2, 3, 8), generator=SEEDS[0].stream("tokens"))
    stack = transformer(9, 16, 1, 2, 8, [seed.stream("weights") for seed in SEEDS[:2]])
    group = Group(lion.Rule(), lr=1e-3)
    found = fit(
        stack,
        loss=loss,
        batch=lambda s: (tokens[s], tokens[s]),
        steps=STEPS,
        optimizer=group,
        precision="bf16",
        record=1,
    )
    assert found.losses.isfinite().all()


# --- curves ---------------------------------------------------------------------------------------


def test_curves_hold_means_over_stretches_and_evaluations():
    each = []

    def kept(model, x, y):
        each.append(loss(model, x, y).detach())
        return loss(model, x, y)

    trained = model()
    found = fit(trained, batch=batch, **{**SETTINGS, "loss": kept})
    assert found.loss_steps == [2, 4, 7, 9]
    assert found.losses.shape == (MODELS, 4)
    starts = [0, 2, 4, 7]
    for column, (start, stop) in enumerate(zip(starts, found.loss_steps, strict=True)):
        torch.testing.assert_close(found.losses[:, column], torch.stack(each[start:stop]).mean(0))
    assert found.curve_steps == [2, 4, 6, 8, 9]
    assert found.curves["loss"].shape == (MODELS, 5)
    with torch.no_grad():
        assert torch.equal(found.final("loss"), held_out(trained)["loss"])


def test_without_every_the_end_alone_is_evaluated():
    found = fit(model(), batch=batch, **{**SETTINGS, "every": None, "record": 100})
    assert found.curve_steps == [STEPS]
    assert found.loss_steps == list(range(1, STEPS + 1))


def test_evaluation_changes_nothing():
    one, other = model(), model()
    fit(one, batch=batch, **SETTINGS)
    fit(other, batch=batch, **{**SETTINGS, "evaluate": None, "record": 0})
    assert row_hashes(one) == row_hashes(other)


def test_state_elements_come_from_the_optimizer():
    found = fit(model(), batch=batch, **SETTINGS)
    assert found.state_elements == [2 * sum(p[0].numel() for p in model().parameters())] * MODELS


# --- resuming -------------------------------------------------------------------------------------


@pytest.mark.parametrize("death", range(STEPS))
def test_a_fit_that_dies_goes_on_bitwise(context, death):
    straight = model()
    expected = fit(straight, batch=batch, **SETTINGS)
    context()
    with pytest.raises(Killed):
        fit(model(), batch=dying(death), **SETTINGS)
    context()
    resumed, seen = model(), []
    found = fit(resumed, batch=lambda step: seen.append(step) or batch(step), **SETTINGS)
    assert row_hashes(resumed) == row_hashes(straight)
    assert same(found, expected)
    assert seen == list(range(death, STEPS))
    assert found.trainer_steps == STEPS - death


def test_dying_at_every_step_still_ends_the_same(context):
    straight = model()
    expected = fit(straight, batch=batch, **SETTINGS)
    for death in range(1, STEPS):
        context()
        with pytest.raises(Killed):
            fit(model(), batch=dying(death), **SETTINGS)
    context()
    resumed = model()
    assert same(fit(resumed, batch=batch, **SETTINGS), expected)
    assert row_hashes(resumed) == row_hashes(straight)


def test_a_process_killed_outright_is_gone_on_with(context, tmp_path):
    straight = model()
    expected = fit(straight, batch=batch, **SETTINGS)
    context()

    def child():
        fit(model(), batch=lambda step: os.kill(os.getpid(), signal.SIGKILL) if step == 6 else batch(step), **SETTINGS)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    context()
    resumed = model()
    found = fit(resumed, batch=batch, **SETTINGS)
    assert found.trainer_steps == STEPS - 6
    assert same(found, expected)
    assert row_hashes(resumed) == row_hashes(straight)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fit-1.pt"]


def test_a_finished_fit_is_not_run_again(context):
    context()
    first = model()
    expected = fit(first, batch=batch, **SETTINGS)
    context()
    again = model()
    found = fit(again, batch=dying(0), **SETTINGS)
    assert found.trainer_steps == 0
    assert same(found, expected)
    assert row_hashes(again) == row_hashes(first)


def test_the_second_fit_of_a_call_has_its_own_checkpoint(context, tmp_path):
    def measure(second):
        one, two = model(), model()
        fit(one, batch=batch, **SETTINGS)
        found = fit(two, batch=second, **{**SETTINGS, "optimizer": Group(lion.Rule(), lr=1e-3)})
        return row_hashes(one), row_hashes(two), found

    expected = measure(batch)
    context()
    with pytest.raises(Killed):
        measure(dying(4))
    context()
    found = measure(batch)
    assert found[:2] == expected[:2]
    assert same(found[2], expected[2])
    assert found[2].trainer_steps == STEPS - 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fit-1.pt", "fit-2.pt"]


@pytest.mark.parametrize("damage", [b"", b"not a checkpoint", "half", "foreign"])
def test_a_damaged_or_foreign_checkpoint_is_as_good_as_none(context, tmp_path, damage):
    expected = model()
    fit(expected, batch=batch, **SETTINGS)
    context()
    with pytest.raises(Killed):
        fit(model(), batch=dying(5), **SETTINGS)
    path = tmp_path / "fit-1.pt"
    if damage == "half":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif damage == "foreign":
        torch.save({"shape": "another", "done": 5}, path)
    else:
        path.write_bytes(damage)
    context()
    again = model()
    assert fit(again, batch=batch, **SETTINGS).trainer_steps == STEPS
    assert row_hashes(again) == row_hashes(expected)


def test_a_checkpoint_of_other_settings_is_not_taken(context):
    context()
    with pytest.raises(Killed):
        fit(model(), batch=dying(5), **SETTINGS)
    context()
    assert fit(model(), batch=batch, **{**SETTINGS, "record": 2}).trainer_steps == STEPS


def test_no_directory_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fit(model(), batch=batch, **SETTINGS)
    assert list(tmp_path.iterdir()) == []


def test_checkpoints_keep_their_distance(context, tmp_path, monkeypatch):
    context().checkpoint_every = 1000.0
    with pytest.raises(Killed):
        fit(model(), batch=dying(8), **SETTINGS)
    assert list(tmp_path.iterdir()) == []


# --- driving an update of one's own -----------------------------------------------------------------


class Game:
    """Two players with an optimizer each, and a running average of the first."""

    def __init__(self):
        self.first, self.second, self.average = model(), model(), model()
        self.steps = [StackOptimizer(player, Group(adamw.Rule(), lr=1e-2)) for player in (self.first, self.second)]
        self.state = Parts(
            {
                "first": self.first,
                "second": self.second,
                "average": self.average,
                "first_steps": self.steps[0],
                "second_steps": self.steps[1],
            }
        )

    def update(self, step):
        x, y = batch(step)
        losses = None
        for player, optimizer, side in ((self.first, self.steps[0], 1.0), (self.second, self.steps[1], -1.0)):
            optimizer.zero_grad()
            losses = loss(self.first, x, y) - loss(self.second, x, y)
            (side * losses.sum()).backward()
            optimizer.step()
            player.zero_grad()
        with torch.no_grad():
            for kept, new in zip(self.average.parameters(), self.first.parameters(), strict=True):
                kept.lerp_(new, 0.1)
        return losses

    def hashes(self):
        return row_hashes(self.first), row_hashes(self.second), row_hashes(self.average)

    def run(self, update=None):
        return drive(
            update or self.update, self.state, steps=STEPS, record=3, evaluate=lambda: held_out(self.average), every=4
        )


@pytest.mark.parametrize("death", [0, 1, 5, 8])
def test_a_driven_update_goes_on_bitwise(context, death):
    straight = Game()
    expected = straight.run()
    context()
    dead = Game()
    with pytest.raises(Killed):
        dead.run(lambda step: dying(death, dead.update)(step))
    context()
    resumed = Game()
    found = resumed.run()
    assert resumed.hashes() == straight.hashes()
    assert same(found, expected)
    assert found.trainer_steps == STEPS - death
    assert found.losses.shape == (MODELS, 3)
    context()
    again = Game()
    assert again.run(dying(0)).trainer_steps == 0
    assert again.hashes() == straight.hashes()


def test_driving_equals_a_plain_loop_bitwise():
    plain, driven = Game(), Game()
    for step in range(STEPS):
        plain.update(step)
    driven.run()
    assert plain.hashes() == driven.hashes()


# --- what a worker hears --------------------------------------------------------------------------


def test_progress_is_reported_at_most_four_times_a_second(context, monkeypatch):
    heard = []
    now = [0.0]
    monkeypatch.setattr("suite.session.time.monotonic", lambda: now[0])

    def timed(step):
        now[0] += 0.1
        return batch(step)

    context(report=heard.append)
    fit(model(), batch=timed, **SETTINGS)
    fit(model(), batch=batch, **SETTINGS)
    first = [event for event in heard if event["fit"] == 1]
    assert [event["step"] for event in first] == [1, 4, 7, 9]
    assert all(set(event) == {"fit", "step", "steps", "loss"} for event in heard)
    assert all(isinstance(event["loss"], float) and event["steps"] == STEPS for event in heard)
    assert heard[-1]["fit"] == 2
    assert heard[-1]["step"] == STEPS


def test_a_fit_is_silent(capfd, caplog, recwarn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with caplog.at_level(logging.INFO):
        fit(model(), batch=batch, **SETTINGS)
    out = capfd.readouterr()
    assert (out.out, out.err) == ("", "")
    assert [record for record in caplog.records if "lightning" in record.name] == []
    assert list(recwarn) == []
    assert list(tmp_path.iterdir()) == []


def test_digests_of_data_reach_the_context(context):
    found = context()
    fitting.uses("digits", "ab" * 32)
    assert found.data == {"digits": "ab" * 32}
    assert fitting.device() == torch.device("cpu")


def test_signals_stay_as_they_were():
    """SIGTERM must end a worker at once, not after the step, and Ctrl-C must stay an interrupt."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    during = []

    def watched(step):
        during.append([signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)])
        return batch(step)

    fit(model(), batch=watched, **SETTINGS)
    assert during == [before] * STEPS
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_an_interrupt_stays_an_interrupt():
    before = signal.getsignal(signal.SIGINT)

    def interrupted(step):
        if step == 3:
            raise KeyboardInterrupt
        return batch(step)

    with pytest.raises(KeyboardInterrupt):
        fit(model(), batch=interrupted, **SETTINGS)
    assert signal.getsignal(signal.SIGINT) == before


def test_a_fit_runs_in_another_thread():
    expected, found = model(), []
    fit(expected, batch=batch, **SETTINGS)

    def work():
        threaded = model()
        fit(threaded, batch=batch, **SETTINGS)
        found.append(row_hashes(threaded))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [row_hashes(expected)]


# --- what goes wrong ------------------------------------------------------------------------------


def test_drawing_from_the_global_generator_is_an_error():
    def careless(model, x, y):
        return loss(model, x + torch.randn_like(x), y)

    with torch.random.fork_rng(), pytest.raises(RuntimeError, match="draw from a seed's stream"):
        fit(model(), batch=batch, **{**SETTINGS, "loss": careless})


def test_one_loss_per_model():
    with pytest.raises(ValueError, match=r"one loss per model, shape \(3,\), got \(\)"):
        fit(model(), batch=batch, **{**SETTINGS, "loss": lambda m, x, y: loss(m, x, y).mean()})


@pytest.mark.parametrize(
    ("wrong", "message"), [({"precision": "fp16"}, "precision="), ({"steps": 0}, "steps= counts from 1")]
)
def test_wrong_settings_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        fit(model(), batch=batch, **{**SETTINGS, **wrong})


@pytest.mark.parametrize("rule", [adamw.Rule(), lion.Rule()], ids=["adamw", "lion"])
def test_a_diverged_model_ends_as_nan_and_alone(context, rule):
    """Also when the loss is finite again later, and when the fit is resumed in between."""

    def spoiled(step):
        x, y = batch(step)
        if step == 3:
            x[1, 0, 0] = math.nan
        return x, y

    settings = {**SETTINGS, "optimizer": Group(rule, lr=1e-3)}
    well, ill = model(), model()
    fit(well, batch=batch, **settings)
    context()
    with pytest.raises(Killed):
        fit(model(), batch=dying(5, spoiled), **settings)
    context()
    found = fit(ill, batch=spoiled, **settings)
    assert found.final("loss").isnan().tolist() == [False, True, False]
    assert [a == b for a, b in zip(row_hashes(ill), row_hashes(well), strict=True)] == [True, False, True]


def test_nothing_but_the_learner_imports_lightning():
    importers = [
        name
        for name, module in sys.modules.items()
        if name.startswith("suite")
        and any(getattr(v, "__name__", "").startswith("lightning") for v in vars(module).values())
    ]
    assert set(importers) <= {"suite.learner", "suite.preload"}  # preload only warms the server that workers fork from


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_fit_on_the_gpu(context):
    context(device="cuda")
    stack = model()
    found = fit(stack, batch=batch, **{**SETTINGS, "evaluate": None})
    assert stack.layers[0].weight.is_cuda
    assert found.trainer_steps == STEPS
    assert found.losses.isfinite().all()


@pytest.mark.slow
@needs_a_compiler
def test_a_compiled_fit_stays_close_to_the_eager_one():
    """Rotary positions, norms, attention and the loss go through the compiler, silently."""
    tokens = torch.randint(9, (STEPS, 2, 3, 9), generator=SEEDS[0].stream("tokens"))
    found = []
    for compiled in (False, True, "graphs"):
        stack = transformer(9, 16, 1, 2, 8, [seed.stream("weights") for seed in SEEDS[:2]])
        fitted = fit(
            stack,
            loss=lambda m, t: cross_entropy(m(t[..., :-1]), t[..., 1:]),
            batch=lambda s: (tokens[s],),
            steps=STEPS,
            optimizer=GROUP_OF_TWO,
            record=STEPS,
            compiled=compiled,
        )
        found.append(fitted.losses)
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-4)
    assert torch.equal(found[1], found[2])  # graphs are for a GPU
