"""Handwritten digits with wrong labels: the fair fight at three batch sizes (c1, c4, c6, c12).

A perceptron 64-64-64-10 on 900 images of which a tenth carry a random label; every look at an image adds fresh noise.
The number of steps is the same at every batch size, so that a larger batch also sees more images.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from suite import fit
from suite.blocks.data.digits import digits
from suite.blocks.data.distinct import distinct
from suite.blocks.losses.cross_entropy import cross_entropy
from suite.blocks.models.mlp import MLP, mlp
from suite.claims import Arm, Experiment, Tier
from suite.seeds import Seed
from tasks.lion_vs_adamw.recipe import WARMUP, train

SIZES = (64, 64, 64, 10)
SPLIT = (900, 400, 497)  # images to train, to validate, to test
WRONG = 0.1  # share of the training images with a random label
NOISE = 0.6  # standard deviation of the noise on a pixel, where the pixels' own is 1
COPIES = 8  # noisy copies of every held-out image: one would make the test the noisiest part of all


@dataclass(frozen=True, kw_only=True)
class World:
    """Each different seed's data, x [S, n, 64] and y [S, n] of each split, and which of them every model has."""

    seeds: Sequence[Seed]
    row: Tensor
    train: tuple[Tensor, Tensor]
    validation: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]

    def batch(self, step: int, size: int) -> tuple[Tensor, Tensor]:
        """Images with fresh noise and labels, [R, size, 64] and [R, size]: a pure function of seeds and step."""
        x, y = [], []
        for index, seed in enumerate(self.seeds):
            stream = seed.stream(f"batch {step}")
            rows = torch.randint(SPLIT[0], (size,), generator=stream)
            x.append(self.train[0][index, rows] + NOISE * torch.randn(size, 64, generator=stream))
            y.append(self.train[1][index, rows])
        return torch.stack(x)[self.row], torch.stack(y)[self.row]

    def losses(self, model: nn.Module) -> dict[str, Tensor]:
        """Loss [R] on each split, accuracy on the test split."""
        found = {}
        for name, part in (("train", self.train), ("validation", self.validation), ("test", self.test)):
            logits, labels = self.answers(model, part)
            found[name] = cross_entropy(logits, labels)
            if name == "test":
                found["accuracy"] = (logits.argmax(-1) == labels).float().mean(1)
        return found

    def answers(self, model: nn.Module, part: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Logits [R, n, 10] and labels [R, n] of a split."""
        x, y = (tensor[self.row].to(fit.device()) for tensor in part)
        return model(x), y


def world(seeds: Sequence[Seed]) -> World:
    """Every seed splits the 1797 images anew and draws its own wrong labels, and noise for its held-out images."""
    data = digits()
    fit.uses("digits", data.sha256)
    x, y = (torch.cat([part[i] for part in (data.train, data.validation, data.test)]) for i in (0, 1))
    different, row = distinct(seeds)
    parts: list[list[tuple[Tensor, Tensor]]] = []
    for seed in different:
        stream = seed.stream("data")
        order = torch.randperm(len(x), generator=stream)
        images, labels = x[order].split(SPLIT), y[order].split(SPLIT)
        wrong = torch.rand(SPLIT[0], generator=stream) < WRONG
        train = torch.where(wrong, torch.randint(10, (SPLIT[0],), generator=stream), labels[0])
        held_out = [noisy_copies(i, n, stream) for i, n in zip(images[1:], labels[1:], strict=True)]
        parts.append([(images[0], train), *held_out])
    train, validation, test = (
        (torch.stack([x for x, _ in part]), torch.stack([y for _, y in part])) for part in zip(*parts, strict=True)
    )
    return World(seeds=different, row=torch.tensor(row), train=train, validation=validation, test=test)


def noisy_copies(x: Tensor, y: Tensor, stream: torch.Generator) -> tuple[Tensor, Tensor]:
    """Every image and label ``COPIES`` times, each copy under noise of its own."""
    x = x.repeat(COPIES, 1)
    return x + NOISE * torch.randn(x.shape, generator=stream), y.repeat(COPIES)


def network(seeds: Sequence[Seed]) -> MLP:
    return mlp(SIZES, [seed.stream("weights") for seed in seeds])


def trained(
    data: World,
    model: nn.Module,
    batch: int,
    tier: Tier,
    rule: str,
    lr: Sequence[float],
    decay: Sequence[float],
    warmup: Sequence[float] | float = WARMUP,
) -> fit.Fitted:
    """Train the stack in place on its worlds; the curves are ``World.losses`` at the end."""
    return train(
        model,
        rule,
        lr=lr,
        decay=decay,
        loss=lambda model, x, y: cross_entropy(model(x), y),
        batch=lambda step: data.batch(step, batch),
        steps=tier["steps"],
        warmup=warmup,
        evaluate=data.losses,
    )


def measure(
    seeds: Sequence[Seed], tier: Tier, *, batch: int, rule: str, lr: Sequence[float], decay: Sequence[float]
) -> Mapping[str, Sequence[Any]]:
    fitted = trained(world(seeds), network(seeds), batch, tier, rule, lr, decay)
    return {name: fitted.final(name).tolist() for name in fitted.curves}


# Seven half decades and two decays each.  Lion's are AdamW's, ten times smaller and ten times larger, as the source
# advises; pilot runs on other seeds showed either arm's best rate inside its grid and its best decay near the pair.
RATES = (1e-3, 3.16e-3, 1e-2, 3.16e-2, 1e-1, 3.16e-1, 1.0)
LION = Arm("lion", fixed={"rule": "lion"}, tuned={"lr": tuple(r / 10 for r in RATES), "decay": (1.0, 3.0)})
ADAMW = Arm("adamw", fixed={"rule": "adamw"}, tuned={"lr": RATES, "decay": (0.1, 0.3)})

EXPERIMENT = Experiment(
    name="digits",
    measure=measure,
    arms=(LION, ADAMW),
    conditions={"batch": (8, 64, 512)},
    tune_on="validation",
    tiers={
        "smoke": Tier(seeds=8, tuning_seeds=2, stack=112, sizes={"steps": 60}),
        "cpu": Tier(seeds=32, tuning_seeds=8, at_most=128, stack=56, sizes={"steps": 300}),
        "gpu": Tier(seeds=32, tuning_seeds=8, at_most=128, sizes={"steps": 300}),
        "hub": Tier(seeds=32, tuning_seeds=8, at_most=128, stack=56, sizes={"steps": 300}),
    },
)
