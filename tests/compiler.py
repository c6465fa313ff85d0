"""Whether ``torch.compile`` and native steps can be tried here."""

import pytest

from suite.blocks import compiler

needs_a_compiler = pytest.mark.skipif(not compiler.present(), reason="needs a C++ compiler")
