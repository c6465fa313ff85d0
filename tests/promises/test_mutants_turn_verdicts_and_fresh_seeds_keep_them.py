"""Every page's mutants turn its headline; a second block of seeds never turns it round."""

import pytest

from suite.rehearse import mutated, rehearse
from tests.test_every_task import MODULES, rehearsed, task_of

TURNED_ROUND = {frozenset({"reproduced", "refuted"})}


@pytest.mark.parametrize("module", MODULES)
def test_mutants_turn_the_headline(module: str) -> None:
    task = task_of(module)
    assert task.mutants, "a page ships at least one mutant"
    honest = rehearsed(module)[0].outcomes[task.headline.id]
    for mutant in task.mutants:
        with mutated(module, mutant):
            turned = rehearse(module, only=(task.headline.id,)).outcomes[task.headline.id]
        assert turned == mutant.turns_to, f"{mutant.says}: the headline came out {turned}, not {mutant.turns_to}"
        assert turned != honest, f"{mutant.says}: the headline is {honest} with and without it"


@pytest.mark.parametrize("module", MODULES)
def test_a_second_block_of_seeds_keeps_the_headline(module: str) -> None:
    """Two seeds of the smoke tier may leave open what two others decide; the opposite verdict would be chance."""
    head = task_of(module).headline.id
    fresh = rehearse(module, only=(head,), root="a-second-block-of-seeds/r1").outcomes[head]
    honest = rehearsed(module)[0].outcomes[head]
    assert frozenset({fresh, honest}) not in TURNED_ROUND
    assert fresh != "error" or honest == "error"


@pytest.mark.parametrize("block", range(4))
def test_at_the_tier_of_verdicts_the_outcome_is_the_same(block: int) -> None:
    """Eight seeds a block, on a toy whose effect is many times its noise."""
    found = rehearse("tests.pages.toy_sums", tier="cpu", root=f"block-{block}/r1")
    assert found.outcomes == {"c1": "reproduced", "c2": "reproduced", "c3": None}
