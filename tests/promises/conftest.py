"""One nursery of processes, and the runs that were left alone, for all the promises about crashes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.projects import make
from tests.torture.campaign import Case, case
from tests.torture.nursery import Nursery


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    found = Nursery(make(tmp_path_factory.mktemp("nursery") / "project", "toy_walk", "toy_sums"))
    yield found
    found.close()


@pytest.fixture(scope="session")
def locks(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rules of the toy pages, locked once."""
    base = tmp_path_factory.mktemp("rules")
    assert nursery.run(base, "lock", "toy-walk", "toy-sums").code == 0
    return base / "world/locks"


@pytest.fixture(scope="session")
def walk(nursery: Nursery, locks: Path, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A page with tuning, checkpoints, kept networks and a real PDF, run once and left alone."""
    return case(nursery, tmp_path_factory.mktemp("walk"), locks, "toy-walk")


@pytest.fixture(scope="session")
def small_walk(nursery: Nursery, locks: Path, tmp_path_factory: pytest.TempPathFactory) -> Case:
    return case(nursery, tmp_path_factory.mktemp("small"), locks, "toy-walk", "smoke", draft=True)


@pytest.fixture(scope="session")
def sums(nursery: Nursery, locks: Path, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The smallest page that compares; its runs cost a fifth of a second."""
    return case(nursery, tmp_path_factory.mktemp("sums"), locks, "toy-sums", "smoke", draft=True)
