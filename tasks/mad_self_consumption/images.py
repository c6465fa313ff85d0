"""A convolutional flow on images of digits, 28 x 28, that learns from its own images (c1_images).

The gpu tier draws them from the density of ``suite.blocks.data.digits_teacher``, enlarged; the hub tier takes MNIST
(LeCun, Cortes and Burges; CC BY-SA 3.0) at a fixed revision, or from a folder that holds it under the same name, cut
into disjoint pieces so that fresh means fresh.  Every generation starts from new weights; lambda scales the variance of
the noise that sampling starts from.
"""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from suite import fit
from suite.blocks.data import hub
from suite.blocks.data.digits_teacher import digits_teacher
from suite.blocks.flows.matching import matching_loss, midpoint
from suite.blocks.flows.unet import UNet
from suite.blocks.metrics.frechet import frechet, moments
from suite.blocks.metrics.precision_recall import precision_recall
from suite.blocks.optim import adamw, schedules
from suite.claims import Arm, Experiment, Tier
from suite.seeds import Seed
from suite.stack import Group
from tasks.mad_self_consumption.pools import next_pool

MNIST = "ylecun/mnist"
REVISION = "77f3279092a1c1579b2250db8eafed0ad422088c"
FILE = "mnist/train-00000-of-00001.parquet"
SIDE = 28
FEATURES = 64  # principal components in which images are compared


def mnist(folder: str = "") -> Tensor:
    """All training images [N, 28, 28], -1 to 1, from the Hub or from ``folder``."""
    from datasets import Image, load_dataset

    place, revision = hub.source(MNIST, REVISION, folder)
    rows: Any = load_dataset(place, data_files={"train": FILE}, split="train", revision=revision)
    pixels = np.stack([np.asarray(row["image"]) for row in rows.cast_column("image", Image())])
    fit.uses("mnist, train", sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest())
    return torch.from_numpy(pixels).float() / 127.5 - 1


def source(tier: Tier) -> Callable[[Seed, str, int], Tensor]:
    """images(seed, piece, number) [number, 28, 28]; pieces of different names have nothing in common."""
    if tier["source"] == "teacher":
        teacher = digits_teacher()
        fit.uses("digits", teacher.sha256)

        def enlarged(seed: Seed, piece: str, number: int) -> Tensor:
            small = teacher.images(teacher.draw(seed.stream(piece), number)).float()
            large = F.interpolate(small.unsqueeze(1), size=(SIDE, SIDE), mode="bilinear", align_corners=False)
            return large.squeeze(1) * 2 - 1

        return enlarged
    images = mnist(tier["folder"])
    pieces: dict[tuple[Seed, str], Tensor] = {}
    left: dict[Seed, Tensor] = {}

    def cut(seed: Seed, piece: str, number: int) -> Tensor:
        if (seed, piece) not in pieces:
            order = left.get(seed)
            order = torch.randperm(len(images), generator=seed.stream("order")) if order is None else order
            if len(order) < number:
                raise ValueError(f"{MNIST} has no {number} images left for {piece!r}; it had {len(images)}")
            pieces[seed, piece], left[seed] = order[:number], order[number:]
        return images[pieces[seed, piece]]

    return cut


def components(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean [784] and the leading directions [784, FEATURES] of images [N, 28, 28]."""
    flat = images.flatten(1).double()
    mean = flat.mean(0)
    _, vectors = torch.linalg.eigh((flat - mean).T @ (flat - mean))
    return mean.float(), vectors.flip(1)[:, :FEATURES].float()


def trained(seeds: Sequence[Seed], tier: Tier, pool: Tensor, t: int) -> nn.Module:
    field = UNet(tier["width"], [seed.stream(f"weights {t}") for seed in seeds])
    row = torch.arange(len(seeds)).unsqueeze(-1)
    batch = tier["batch"]

    def drawn(step: int) -> tuple[Tensor, Tensor, Tensor]:
        streams = [seed.stream(f"batch {t} {step}") for seed in seeds]
        numbers = torch.stack([torch.rand(2, batch, generator=s) for s in streams])
        noise = torch.stack([torch.randn(batch, SIDE, SIDE, generator=s) for s in streams])
        return pool[row, (numbers[:, 0] * pool.shape[1]).long()], noise, numbers[:, 1]

    fit.fit(
        field,
        loss=matching_loss,
        batch=drawn,
        steps=tier["steps"],
        optimizer=Group(adamw.Rule(), lr=tier["lr"]),
        schedule=schedules.cosine(tier["steps"]),
        clip=1.0,
        precision=tier["precision"],
    )
    return field


def made(seeds: Sequence[Seed], tier: Tier, field: nn.Module, lam: float, name: str, number: int) -> Tensor:
    """``number`` images of each model, in portions."""
    noise = torch.stack([torch.randn(number, SIDE, SIDE, generator=seed.stream(name)) for seed in seeds]) * lam**0.5
    with torch.no_grad():
        parts = [midpoint(field, part.to(fit.device()), tier["flow_steps"]).cpu() for part in noise.split(500, 1)]
    return torch.cat(parts, 1).clamp(-1, 1)


def measure(seeds: Sequence[Seed], tier: Tier, *, diet: str, lam: float) -> Mapping[str, Any]:
    """All generations of one arm, compared with held-out images in principal components of others."""
    images = source(tier)
    n, last = tier["points"], tier["generations"]

    def piece(name: str, number: int = n) -> Tensor:
        return torch.stack([images(seed, name, number) for seed in seeds])

    first, held_out = piece("first"), piece("held out", tier["judged"])
    bases = [components(each) for each in piece("components")]

    def seen(what: Tensor) -> Tensor:
        return torch.stack([(each.flatten(1) - m) @ v for each, (m, v) in zip(what, bases, strict=True)])

    real, pool, pictures = seen(held_out), first, []
    curves: list[dict[str, Tensor]] = []
    for t in range(1, last + 1):
        field = trained(seeds, tier, pool, t)
        points = made(seeds, tier, field, lam, f"judged {t}", tier["judged"])
        fake = seen(points)
        precision, recall = precision_recall(real, fake)
        distance = frechet(*moments(fake.double()), *moments(real.double()))
        curves.append({"precision": precision, "recall": recall, "frechet": distance})
        if t in tier["pictured"]:
            half = F.avg_pool2d(points[:, : tier["pictures"]], 2)  # a quarter of the numbers in the ledger
            pictures.append(((half + 1) * 7.5).round().int().flatten(-2))
        if t < last:
            new = made(seeds, tier, field, lam, f"made {t}", n)
            flat = (part.flatten(2) for part in (first, piece(f"fresh {t + 1}"), pool, new))
            pool = next_pool(diet, *flat).unflatten(-1, (SIDE, SIDE))
    found = {name: torch.stack([each[name] for each in curves], 1) for name in curves[0]}
    columns: dict[str, Any] = {name: values.tolist() for name, values in found.items()}
    for name in ("precision", "recall"):
        columns[f"{name}_change"] = (found[name][:, -1] - found[name][:, 0]).tolist()
    columns["ratio"] = (found["frechet"][:, -1] / found["frechet"][:, 0]).tolist()
    columns["pictures"] = torch.stack(pictures, 1).tolist()
    columns["generation"] = [list(range(1, last + 1))] * len(seeds)
    return columns


SIZES = {
    "source": "teacher", "folder": "", "points": 5000, "judged": 3000, "generations": 5, "pictured": (1, 3, 5),
    "pictures": 6, "width": 32, "batch": 256, "steps": 1000, "lr": 2e-3, "flow_steps": 25, "precision": "bf16",
}  # fmt: skip
EXPERIMENT = Experiment(
    name="images",
    measure=measure,
    arms=(
        Arm("synthetic", fixed={"diet": "synthetic", "lam": 1.0}),
        Arm("synthetic 0.7", fixed={"diet": "synthetic", "lam": 0.7}),
        Arm("fixed", fixed={"diet": "fixed", "lam": 1.0}),
        Arm("fresh", fixed={"diet": "fresh", "lam": 1.0}),
    ),
    tiers={
        "gpu": Tier(seeds=8, at_most=16, stack=4, sizes=SIZES),
        "hub": Tier(seeds=8, at_most=16, stack=4, sizes={**SIZES, "source": "mnist"}),
    },
)
