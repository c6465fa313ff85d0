"""The source's own numbers, and what can be said of them without running anything (c4)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from suite.claims import Experiment, Published, Tier
from suite.quantities import Quantity, paired_gap
from suite.seeds import Seed
from tasks.cosent_vs_cross_entropy.binary import STRONG, WEAK, WEAK_RARE

TASKS = ("ATEC", "BQ", "LCQMC", "PAWSX")
# Post 9341: Spearman's correlation and accuracy, by backbone and loss, in the order of TASKS.
SPEARMAN = {
    ("BERT", "CE"): (48.01, 71.96, 78.53, 68.59),
    ("BERT", "CoSENT"): (48.09, 72.25, 78.70, 69.34),
    ("RoBERTa", "CE"): (49.70, 73.20, 79.13, 70.52),
    ("RoBERTa", "CoSENT"): (49.82, 73.09, 78.78, 70.54),
}
ACCURACY = {
    ("BERT", "CE"): (85.38, 83.57, 88.10, 81.45),
    ("BERT", "CoSENT"): (85.55, 83.73, 87.92, 81.85),
    ("RoBERTa", "CE"): (85.97, 84.67, 88.14, 82.85),
    ("RoBERTa", "CoSENT"): (86.06, 84.23, 88.14, 83.03),
}
# Post 8860: the same cross-entropy arms once more, and representations under CoSENT.
REPEATED = {"BERT": (85.49, 83.88, 87.80, 81.30), "RoBERTa": (86.04, 83.62, 88.22, 83.33)}
REPRESENTED = {"BERT": (85.81, 83.24, 86.67, 76.30), "RoBERTa": (85.93, 83.42, 87.63, 76.55)}
BACKBONES = ("BERT", "RoBERTa")
# Post 8847: averages over five tasks after training on the tasks, and STS-B.
EMBEDDINGS = {
    "BERT, CoSENT": 68.19,
    "BERT, Sentence-BERT": 61.74,
    "RoBERTa, CoSENT": 68.85,
    "RoBERTa, Sentence-BERT": 62.80,
}


def differences(table: Mapping[tuple[str, str], Sequence[float]]) -> list[float]:
    """CoSENT minus CE, backbone by backbone."""
    return [
        round(a - b, 2)
        for backbone in BACKBONES
        for a, b in zip(table[backbone, "CoSENT"], table[backbone, "CE"], strict=True)
    ]


def repeats() -> list[float]:
    """Post 9341's cross-entropy accuracies minus those of post 8860: the same arm, run twice."""
    return [
        round(a - b, 2)
        for backbone in BACKBONES
        for a, b in zip(ACCURACY[backbone, "CE"], REPEATED[backbone], strict=True)
    ]


def measure(seeds: Sequence[Seed], tier: Tier) -> Mapping[str, Any]:
    """Mean absolute differences in points, and p of a t test against no difference for either table."""
    between, again = np.asarray(differences(ACCURACY)), np.asarray(repeats())
    p = [float(stats.ttest_1samp(differences(table), 0.0).pvalue) for table in (SPEARMAN, ACCURACY)]
    found = {
        "by_loss": float(np.abs(between).mean()),
        "by_repeat": float(np.abs(again).mean()),
        "margin": float(np.abs(again).mean() - np.abs(between).mean()),
        "p": p,
        "mean_difference": [float(np.mean(differences(table))) for table in (SPEARMAN, ACCURACY)],
        "differences": differences(SPEARMAN),
        "accuracy_differences": between.tolist(),
        "repeats": again.tolist(),
    }
    return {name: [value] * len(seeds) for name, value in found.items()}


EXPERIMENT = Experiment(name="table", measure=measure, tiers={"smoke": Tier(seeds=1), "cpu": Tier(seeds=1)})

# The task of ours that stands beside each of the post's: positives are rare in ATEC, negatives adversarial in PAWS-X.
_BESIDE = {"ATEC": ("rare", {}), "LCQMC": ("pairs", {"swapped": 0}), "PAWSX": ("pairs", {"swapped": 1})}


def _ours(metric: str, backbone: str, task: str) -> Quantity | None:
    if task not in _BESIDE:
        return None
    experiment, at = _BESIDE[task]
    weak = WEAK_RARE if experiment == "rare" else WEAK
    noise = STRONG if backbone == "RoBERTa" else weak
    return paired_gap(metric, "cosent", minus="ce", experiment=experiment, at={"noise": noise, **at})


PUBLISHED = (
    *(
        Published(
            what=f"{title} of CoSENT minus CE, {task}, {backbone}",
            value=round(table[backbone, "CoSENT"][index] - table[backbone, "CE"][index], 2),
            where="post 9341, tables",
            ours=_ours(metric, backbone, task),
            unit="points",
            note="ours: made-up pairs of the same kind; BERT beside the weak embeddings, RoBERTa beside the strong",
        )
        for title, metric, table in (("Spearman", "spearman", SPEARMAN), ("accuracy", "accuracy", ACCURACY))
        for backbone in BACKBONES
        for index, task in enumerate(TASKS)
    ),
    *(
        Published(
            what=f"accuracy of interaction minus representation, {task}, {backbone}",
            value=round(REPEATED[backbone][index] - REPRESENTED[backbone][index], 2),
            where="post 8860, table",
            ours=(
                paired_gap(
                    "accuracy",
                    "interaction",
                    minus="representation",
                    experiment="encoders",
                    at={"swapped": int(task == "PAWSX")},
                )
                if backbone == "RoBERTa" and task in ("LCQMC", "PAWSX")
                else None
            ),
            unit="points",
        )
        for backbone in BACKBONES
        for index, task in enumerate(TASKS)
    ),
    *(
        Published(what=f"Spearman of embeddings, {name}", value=value, where="post 8847, trained on the tasks, average")
        for name, value in EMBEDDINGS.items()
    ),
)
