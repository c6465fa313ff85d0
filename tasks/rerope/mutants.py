"""Deliberately wrong implementations that must turn the headline."""

from suite.blocks.attention.protocol import Attention
from suite.claims import Mutant, Outcome, Tier
from tasks.rerope.networks import TIMES, treated

_treated = treated
# Each method's setting as one of the other's grid: b from 1/8 to 7/4, w / N from 1/8 to 1.
_OTHER = {"ReRoPE": ("NTK-mixed", 2.0), "NTK-mixed": ("ReRoPE", 0.5)}


def changed_places(method: str, knob: float, scale: str, tier: Tier, times: float = TIMES) -> list[Attention]:
    """ReRoPE under the name of NTK-mixed, and the reverse."""
    other, factor = _OTHER.get(method, (method, 1.0))
    return _treated(other, factor * knob, scale, tier, times)


MUTANTS = (
    Mutant(
        says="ReRoPE and NTK-mixed change places",
        replaces="tasks.rerope.networks:treated",
        by=changed_places,
        turns_to=Outcome.REFUTED,
    ),
)
