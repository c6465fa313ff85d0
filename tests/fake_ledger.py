"""Ledgers made up for tests: the schema is real, the numbers come from a fixed generator."""

from tests.fake_comparison import comparison
from tests.fake_exact import exact
from tests.fake_parts import sealed

__all__ = ["comparison", "exact", "sealed"]
