"""Pairs of made-up sentences that mean the same or not, with a known ceiling for every scorer.

A language has C concepts of S synonyms each; a sentence is 8 different concepts in two clauses of 4.  The second
sentence of a pair takes synonyms anew and exchanges its clauses with probability 1/2, neither of which changes the
meaning.  What does, by kind:

    replaced  one or two of the concepts are others           bag of concepts differs
    swapped   two concepts of one clause change places        bag of concepts is the same
    redrawn   all concepts are others                         an easy negative
    graded    m = 0 .. 5 of them are others; label 5 - m      labels with N(0, 0.6^2) added, cut to [0, 5]
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor

LENGTH, CLAUSE = 8, 4
MOST = 5  # concepts that a graded pair exchanges at most
SPREAD = 0.6  # standard deviation of the noise on graded labels
Kind = Literal["replaced", "swapped", "redrawn", "graded"]


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """N pairs: tokens [N, 8] (int64) of either sentence, label [N] as given, truth [N] without noise."""

    left: Tensor
    right: Tensor
    label: Tensor
    truth: Tensor


def sentence_pairs(
    kind: Kind,
    number: int,
    stream: Generator,
    *,
    positives: float = 0.5,
    flips: float = 0.0,
    concepts: int = 40,
    synonyms: int = 3,
) -> Pairs:
    """``number`` pairs; a share ``positives`` has the same meaning, and a share ``flips`` of the labels is turned.

    Token t stands for concept t // synonyms; there are at least 16 concepts, else ValueError.

    >>> found = sentence_pairs("swapped", 5, torch.Generator().manual_seed(0), positives=0.0)
    >>> bags = [(tokens // 3).sort(1).values for tokens in (found.left, found.right)]
    >>> torch.equal(*bags), found.label.tolist()
    (True, [0.0, 0.0, 0.0, 0.0, 0.0])
    """
    if concepts < 2 * LENGTH:
        raise ValueError(f"sentence_pairs needs at least {2 * LENGTH} concepts, got {concepts}")
    order = torch.rand(number, concepts, generator=stream).argsort(1)
    left = order[:, :LENGTH]
    same = torch.rand(number, generator=stream) < positives
    if kind == "swapped":
        right = torch.where(same.unsqueeze(1), left, left.gather(1, _swap(number, stream)))
        truth = same.float()
    else:
        rank = torch.rand(number, LENGTH, generator=stream).argsort(1).argsort(1)
        edits = _edits(kind, number, stream)
        edits = edits if kind == "graded" else edits.masked_fill(same, 0)
        right = torch.where(rank < edits.unsqueeze(1), order.gather(1, LENGTH + rank), left)
        truth = MOST - edits.float() if kind == "graded" else same.float()
    exchanged = torch.rand(number, 1, generator=stream) < 0.5
    right = torch.where(exchanged, right.roll(CLAUSE, 1), right)
    if kind == "graded":
        label = (truth + SPREAD * torch.randn(number, generator=stream)).clamp(0, MOST)
    else:
        turned = torch.rand(number, generator=stream) < flips
        label = torch.where(turned, 1 - truth, truth)
    left, right = (side * synonyms + torch.randint(synonyms, side.shape, generator=stream) for side in (left, right))
    return Pairs(left=left, right=right, label=label, truth=truth)


def _edits(kind: Kind, number: int, stream: Generator) -> Tensor:
    """How many concepts are exchanged [N]."""
    low, high = {"replaced": (1, 2), "redrawn": (LENGTH, LENGTH), "graded": (0, MOST)}[kind]
    return torch.randint(low, high + 1, (number,), generator=stream)


def _swap(number: int, stream: Generator) -> Tensor:
    """Orders [N, 8] in which two places of one clause have changed hands."""
    first = torch.randint(CLAUSE, (number,), generator=stream)
    second = (first + torch.randint(1, CLAUSE, (number,), generator=stream)) % CLAUSE
    start = CLAUSE * torch.randint(LENGTH // CLAUSE, (number,), generator=stream)
    a, b = (start + first).unsqueeze(1), (start + second).unsqueeze(1)
    return torch.arange(LENGTH).repeat(number, 1).scatter(1, a, b).scatter(1, b, a)


def ceiling(positives: float, flips: float) -> float:
    """100 times the Spearman correlation that a perfect scorer without ties reaches against turned labels.

        (1 - 2 e) sqrt(3) p q / sqrt(p' q'),   q = 1 - p,   p' = p (1 - 2 e) + e,   q' = 1 - p'

    >>> [round(ceiling(p, 0.05), 1) for p in (0.5, 0.45, 0.18)], round(ceiling(0.5, 0.0), 1)
    ([77.9, 77.5, 56.3], 86.6)
    """
    seen = positives * (1 - 2 * flips) + flips
    share = positives * (1 - positives)
    return 100 * (1 - 2 * flips) * math.sqrt(3) * share / math.sqrt(seen * (1 - seen))
