"""Hub tier: pretrained encoders read both sentences at once, f = w . h_CLS + b, under either loss on real pairs.

    chinese       ATEC, BQ, LCQMC, PAWS-X with BERT and RoBERTa: the post's own grid, at its one rate of 2e-5
    sts-b         English STS-B, labels cut at three fifths of the scale, a six-layer MiniLM: minutes on two CPU cores
    sts-b-graded  the same with labels as they are; the other arm is regression on label / largest label

Data and weights come from the Hub at a fixed revision, or from a folder that holds them under the same names
(``suite run cosent-vs-cross-entropy --tier hub --only c1_stsb,c7_stsb --set folder=DIR``):

    DIR/sentence-transformers/stsb/{train,validation,test}.parquet         columns sentence1, sentence2, score
    DIR/sentence-transformers/all-MiniLM-L6-v2/                        config, tokenizer and weights
    DIR/shibing624/nli_zh/{ATEC,BQ,LCQMC,PAWSX}/{train,validation,test}/0000.parquet     sentence1, sentence2, label
    DIR/google-bert/bert-base-chinese/, DIR/hfl/chinese-roberta-wwm-ext/
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import torch
from torch import Tensor, nn

from suite import fit
from suite.blocks.data.hub import source
from suite.blocks.losses.cosent import cosent
from suite.blocks.losses.pointwise import logistic, squared_error
from suite.claims import Arm, Experiment, Tier
from suite.seeds import Seed
from tasks.cosent_vs_cross_entropy.metrics import accuracy, spearman, threshold
from tasks.cosent_vs_cross_entropy.training import linear

HIGH = 0.6  # share of the scale from which a graded label counts as "the same": 3 of 5


@dataclass(frozen=True)
class Corpus:
    """A data set on the Hub; ``path`` names the file of a split, "" lets ``datasets`` find the splits."""

    repository: str
    revision: str
    path: str
    label: str


# The parquet copies that the Hub itself makes of a set with a loading script live on this branch, which has no fixed
# commit; the digest of what was read goes into the provenance of every trial instead.
_NLI_ZH = ("shibing624/nli_zh", "refs/convert/parquet")
CORPORA = {
    **{name: Corpus(*_NLI_ZH, path=name + "/{split}/0000.parquet", label="label") for name in ("ATEC", "BQ", "LCQMC")},
    "PAWSX": Corpus(*_NLI_ZH, path="PAWSX/{split}/0000.parquet", label="label"),
    "STS-B": Corpus("sentence-transformers/stsb", "ab7a5ac0e35aa22088bdcf23e7fd99b220e53308", path="", label="score"),
}
BACKBONES = {
    "BERT": ("google-bert/bert-base-chinese", "8f23c25b06e129b6c986331a13d8d025a92cf0ea"),
    "RoBERTa": ("hfl/chinese-roberta-wwm-ext", "5c58d0b8ec1d9014354d691c538661bf00bfdb44"),
    "MiniLM": ("sentence-transformers/all-MiniLM-L6-v2", "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"),
}


@dataclass(frozen=True)
class Split:
    """Sentences of either side and labels [N], from 0 to 1."""

    left: list[str]
    right: list[str]
    label: Tensor


def read(name: str, split: str, most: int, folder: str) -> Split:
    """The first ``most`` pairs of a split; graded labels keep their scale until ``corpus`` divides by the largest."""
    from datasets import load_dataset

    known = CORPORA[name]
    place, revision = source(known.repository, known.revision, folder)
    files = {split: known.path.format(split=split)} if known.path else None
    rows: Any = load_dataset(place, data_files=files, split=split, revision=revision)
    lacking = {"sentence1", "sentence2", known.label} - set(rows.column_names)
    if lacking:
        raise ValueError(f"{place}, {split}: no column {', '.join(sorted(lacking))}; there are {rows.column_names}")
    rows = rows.select(range(min(most, len(rows))))
    labels = torch.tensor([float(value) for value in rows[known.label]])
    found = Split(left=list(rows["sentence1"]), right=list(rows["sentence2"]), label=labels)
    text = "\n".join([*found.left, *found.right, *map(str, labels.tolist())])
    fit.uses(f"{name}, {split}", sha256(text.encode()).hexdigest())
    return found


def corpus(name: str, tier: Tier, graded: bool) -> dict[str, Split]:
    """The three splits with labels over the largest training label, cut at HIGH unless they shall stay graded."""
    sizes = {"train": tier["train"], "validation": tier["held_out"], "test": tier["held_out"]}
    found = {split: read(name, split, most, tier["folder"]) for split, most in sizes.items()}
    top = float(found["train"].label.max())
    for split, part in found.items():
        label = part.label / top
        found[split] = Split(part.left, part.right, label if graded else (label >= HIGH).float())
    return found


class CrossEncoder(nn.Module):
    """f = w . h_CLS + b, with only the ``layers`` topmost layers and the head to be trained (all parameters for 0)."""

    def __init__(self, backbone: str, seed: Seed, layers: int, folder: str) -> None:
        super().__init__()
        from transformers import AutoModel, AutoTokenizer

        place, revision = source(*BACKBONES[backbone], folder)
        self.tokenizer: Any = AutoTokenizer.from_pretrained(place, revision=revision)
        self.encoder: Any = AutoModel.from_pretrained(
            place, revision=revision, dtype=torch.float32, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
        )
        width = self.encoder.config.hidden_size
        self.head = nn.Linear(width, 1)
        with torch.no_grad():
            self.head.weight.copy_(0.02 * torch.randn(1, width, generator=seed.stream("head")))
            self.head.bias.zero_()
        if layers:
            self.encoder.requires_grad_(False)
            self.encoder.encoder.layer[-layers:].requires_grad_(True)

    def forward(self, left: Sequence[str], right: Sequence[str], length: int) -> Tensor:
        """Scores [B] of pairs of texts, cut to ``length`` tokens together."""
        inputs = self.tokenizer(
            list(left), list(right), padding=True, truncation=True, max_length=length, return_tensors="pt"
        ).to(fit.device())
        return self.head(self.encoder(**inputs).last_hidden_state[:, 0]).squeeze(-1).float()


LOSSES = {"ce": logistic, "mse": squared_error, "cosent": cosent}


def fine_tuned(seed: Seed, tier: Tier, data: Mapping[str, Split], backbone: str, loss: str, lr: float) -> fit.Fitted:
    """One training: the same start and the same batches for every loss."""
    model = CrossEncoder(backbone, seed, tier["layers"], tier["folder"]).to(fit.device())
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer: Any = torch.optim.AdamW(parameters, lr=lr, weight_decay=0.0)
    multiplier, order = linear(tier["steps"]), seed.stream("order")
    train = data["train"]
    rows = torch.randint(len(train.left), (tier["steps"], tier["batch"]), generator=order)
    cast = torch.autocast(fit.device().type, dtype=torch.bfloat16, enabled=fit.device().type == "cuda")

    def update(step: int) -> Tensor:
        chosen = rows[step].tolist()
        for group in optimizer.param_groups:
            group["lr"] = lr * multiplier(step)
        with cast:
            f = model([train.left[i] for i in chosen], [train.right[i] for i in chosen], tier["length"])
        value = LOSSES[loss](f.unsqueeze(0), train.label[chosen].unsqueeze(0).to(f.device))
        optimizer.zero_grad()
        value.sum().backward()
        optimizer.step()
        return value.detach()

    @torch.no_grad()
    def answers(part: Split) -> Tensor:
        found = []
        for start in range(0, len(part.left), 64):
            some = slice(start, start + 64)
            with cast:
                found.append(model(part.left[some], part.right[some], tier["length"]))
        return torch.cat(found).cpu().unsqueeze(0)

    def evaluate() -> Mapping[str, Tensor]:
        f = {split: answers(data[split]) for split in ("validation", "test")}
        y = {split: data[split].label.unsqueeze(0) for split in f}
        found = {split: spearman(f[split], y[split]) for split in f}
        if set(y["test"].unique().tolist()) <= {0.0, 1.0}:
            found["accuracy"] = accuracy(f["test"], y["test"], threshold(f["validation"], y["validation"]))
        return found

    return fit.drive(
        update,
        fit.Parts({"network": model, "optimizer": optimizer}),
        steps=tier["steps"],
        evaluate=evaluate,
        every=max(1, tier["steps"] // tier["checkpoints"]),
    )


def measure(
    seeds: Sequence[Seed],
    tier: Tier,
    *,
    task: str,
    backbone: str,
    graded: bool,
    loss: Sequence[str],
    lr: Sequence[float],
) -> Mapping[str, Any]:
    """Test values at the checkpoint with the best validation correlation; one training after the other."""
    data = corpus(task, tier, graded)
    columns: dict[str, list[float]] = {}
    names = {"validation": "validation", "test": "spearman", "accuracy": "accuracy"}
    for seed, name, rate in zip(seeds, loss, lr, strict=True):
        curves = fine_tuned(seed, tier, data, backbone, name, rate).curves
        best = int(curves["validation"][0].nan_to_num(-1e9).argmax())
        for metric, values in curves.items():
            columns.setdefault(names[metric], []).append(float(values[0, best]))
    return columns


def _arm(loss: str, graded: bool, lr: float | tuple[float, ...]) -> Arm:
    fixed = {"loss": loss, "graded": graded}
    return Arm(loss, fixed=fixed, tuned={"lr": lr}) if isinstance(lr, tuple) else Arm(loss, fixed={**fixed, "lr": lr})


CHINESE = Experiment(
    name="chinese",
    measure=measure,
    arms=(_arm("ce", False, 2e-5), _arm("cosent", False, 2e-5)),
    conditions={"task": ("ATEC", "BQ", "LCQMC", "PAWSX"), "backbone": ("BERT", "RoBERTa")},
    columns=("loss", "lr"),
    tiers={
        "hub": Tier(
            seeds=8,
            at_most=16,
            stack=4,
            sizes={
                "folder": "",
                "train": 60_000,
                "held_out": 10_000,
                "batch": 32,
                "length": 128,
                "layers": 0,
                "steps": 4000,
                "checkpoints": 4,
            },
        )
    },
)
# Small enough for two CPU cores: the two top layers, a thousand pairs seen once.
_SMALL = {
    "folder": "",
    "train": 6000,
    "held_out": 250,
    "batch": 16,
    "length": 64,
    "layers": 2,
    "steps": 60,
    "checkpoints": 1,
}
_TRIED = (1e-4, 3e-4, 1e-3)


def _sts(name: str, other: str, graded: bool) -> Experiment:
    return Experiment(
        name=name,
        measure=measure,
        arms=(_arm(other, graded, _TRIED), _arm("cosent", graded, _TRIED)),
        conditions={"task": ("STS-B",), "backbone": ("MiniLM",)},
        columns=("loss",),
        tune_on="validation",
        best="max",
        tiers={"hub": Tier(seeds=8, at_most=64, stack=4, sizes=_SMALL)},
    )


STS = _sts("sts-b", "ce", False)
GRADED = _sts("sts-b-graded", "mse", True)
EXPERIMENTS = (CHINESE, STS, GRADED)
