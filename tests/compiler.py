"""Whether ``torch.compile`` and native steps can be tried here."""

import os
import shutil

import pytest

HAS_COMPILER = any(shutil.which(name) for name in (os.environ.get("CXX"), "c++", "g++", "clang++") if name)
needs_a_compiler = pytest.mark.skipif(not HAS_COMPILER, reason="needs a C++ compiler")
