"""torch's compiler on this machine: whether it can build for a CPU, and its own modules without their warnings."""

import importlib
import os
import shutil
import warnings


def present() -> bool:
    """Whether there is a C++ compiler to build with: the one that CXX names, or one of the usual names.

    >>> present() or shutil.which("c++") is None
    True
    """
    return any(shutil.which(name) for name in (os.environ.get("CXX"), "c++", "g++", "clang++") if name)


def load() -> None:
    """Import what compiles; what its modules use that torch has deprecated is not our doing, and is said once."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`torch.jit.script_method` is deprecated")
        importlib.import_module("torch._inductor.compile_fx")
