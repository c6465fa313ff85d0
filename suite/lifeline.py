"""The end of a process together with the one that started it."""

import contextlib
import os
import signal
import threading
from typing import Any


def hold(lifeline: Any) -> None:
    """To be called first in a new process: no reaction to Ctrl-C, which whoever started it decides about, and an end
    with that process.

    ``lifeline`` is the reading end of a pipe whose other end only the starting process holds: it reads as closed as
    soon as that process has died, however that happened.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, args=(lifeline,), daemon=True).start()


def _follow(lifeline: Any) -> None:
    with contextlib.suppress(EOFError, OSError):
        lifeline.recv_bytes()
    os._exit(1)
