"""Timed steps take turns, each as often as the others."""

import torch

from suite.blocks.metrics.step_seconds import turns


def test_everyone_takes_the_same_number_of_turns() -> None:
    taken: list[str] = []
    steps = {name: lambda name=name: taken.append(name) for name in "abc"}
    seconds = turns(steps, torch.Generator().manual_seed(0), torch.device("cpu"), 4)
    assert seconds.keys() == set("abc")
    assert min(seconds.values()) > 0
    rounds = [taken[i : i + 3] for i in range(0, 12, 3)]
    assert all(sorted(each) == ["a", "b", "c"] for each in rounds)
    assert len({"".join(each) for each in rounds}) > 1


def test_a_turn_may_be_several_steps() -> None:
    taken: list[str] = []
    steps = {name: lambda name=name: taken.append(name) for name in "ab"}
    turns(steps, torch.Generator().manual_seed(0), torch.device("cpu"), 1, repeats=3)
    assert "".join(taken) in ("aaabbb", "bbbaaa")
