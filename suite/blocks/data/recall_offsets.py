"""Recall and offset labelling: sequences that ask for content at any distance, and for what stood j steps back.

Every key is defined once, by a token that carries a value, at a place drawn uniformly.  Elsewhere stand noise, which
carries a value too, queries for keys, and questions for the value one, two or three steps back.  One sequence with
2 keys, 8 values and 3 offsets, and its labels ("." has none):

    NOISE(5)  DEF(0, 3)  QRY(1)  QRY(0)  LOC(2)  DEF(1, 6)  LOC(2)  QRY(1)
    .         .          .       3       0       .          0       6

Both LOC(2) look back at tokens that carry no value, hence 0.  Recall fails when attention is spread over too
many tokens or cut short, offsets fail when positions are distorted: the two ways to fail beyond the training length.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

NONE = -1  # the label where nothing is asked


@dataclass(frozen=True, kw_only=True)
class Language:
    """The tokens: DEF(k, v) = k values + v, then NOISE(v), QRY(k), LOC(j).

    >>> Language(keys=12).vocab
    119
    """

    keys: int
    values: int = 8
    offsets: int = 3

    @property
    def noise(self) -> int:
        return self.keys * self.values

    @property
    def query(self) -> int:
        return self.noise + self.values

    @property
    def back(self) -> int:
        return self.query + self.keys

    @property
    def vocab(self) -> int:
        return self.back + self.offsets


@dataclass(frozen=True, kw_only=True)
class Questions:
    """Sequences and what is asked: everything is [R, B, T].

    tokens    int64
    labels    the value that is asked for, NONE where nothing is
    distance  of a query that can be answered: how many steps back its key was defined; 0 elsewhere
    local     whether an offset is asked for
    """

    tokens: Tensor
    labels: Tensor
    distance: Tensor
    local: Tensor

    @property
    def recall(self) -> Tensor:
        return self.distance > 0

    def far(self, least: int) -> Tensor:
        """Queries whose definition lies at least so many steps back."""
        return self.distance >= least


def questions(streams: Sequence[Generator], language: Language, batch: int, length: int) -> Questions:
    """``batch`` sequences of each stream; row r is a function of stream r alone.

    Noise 50 %, queries 30 %, offsets 20 % of the tokens that define nothing.  A query is labelled if its key was
    defined before, an offset if so many tokens came before.

    >>> drawn = questions([torch.Generator().manual_seed(0)], Language(keys=12), 2, 64)
    >>> drawn.tokens.shape, bool(((drawn.labels >= 0) == (drawn.recall | drawn.local)).all())
    (torch.Size([1, 2, 64]), True)
    """
    if length < language.keys:
        raise ValueError(f"{language.keys} keys cannot be defined in {length} tokens")
    place, kind, value, which = torch.stack(
        [torch.rand(4, batch, length, generator=stream) for stream in streams], dim=1
    )
    where = place.topk(language.keys, dim=-1).indices  # [R, B, keys], in random order
    value, key = (value * language.values).long(), (which * language.keys).long()
    offset = (which * language.offsets).long()
    is_query, is_back = (kind >= 0.5) & (kind < 0.8), kind >= 0.8
    keys = torch.arange(language.keys).expand(where.shape)
    defined = torch.full(value.shape, -1).scatter_(-1, where, keys)  # the key that is defined there, or -1
    is_key = defined >= 0
    tokens = torch.where(is_query, language.query + key, language.noise + value)
    tokens = torch.where(is_back, language.back + offset, tokens)
    tokens = torch.where(is_key, defined * language.values + value, tokens)
    at = torch.arange(length).expand(value.shape)
    carried = torch.where(is_key | ~(is_query | is_back), value, torch.zeros_like(value))
    source = at - 1 - offset
    local = is_back & ~is_key & (source >= 0)
    back = carried.gather(-1, source.clamp_min(0))
    origin = where.gather(-1, key)
    distance = torch.where(is_query & ~is_key, (at - origin).clamp_min(0), torch.zeros_like(at))
    labels = torch.where(local, back, torch.full_like(back, NONE))
    labels = torch.where(distance > 0, value.gather(-1, origin), labels)
    return Questions(tokens=tokens, labels=labels, distance=distance, local=local)
