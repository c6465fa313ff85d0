"""What a machine of a cluster does with a unit: check that it is fit for it, measure, hand progress and numbers back.

Nothing here knows which engine brought the unit.  The machine's copy of the code was shipped to it; that it is the
coordinator's code, that the versions and the machine class are those of the trials' keys, is checked and not believed.
"""

import contextlib
import functools
import hashlib
import os
import platform
import queue
import shutil
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suite import home

SHIPPED = ("suite", "tasks")


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What the coordinator expects of a machine.

    code      ``code_now()`` of the coordinator
    versions  of Python and the packages that a trial's key holds
    machine   the machine class that a trial's key holds
    work      the coordinator's working folder
    token     the name of a file in it, for a machine to find out whether it sees the same folder
    device    "cpu" or "cuda"
    """

    code: str
    versions: Mapping[str, str]
    machine: Mapping[str, str]
    work: str
    token: str
    device: str


def terms(device: str, token: Path) -> Terms:
    """The terms of this very process, as its coordinator."""
    return Terms(
        code=code_now(),
        versions=home.versions(),
        machine=home.machine(device),
        work=str(home.work()),
        token=str(token),
        device=device,
    )


def code_now(root: Path = home.ROOT) -> str:
    """The digest of every Python file of the suite and its pages, as they lie on this machine's disk now.

    >>> len(code_now()), code_now() == code_now()
    (64, True)
    """
    total = hashlib.sha256()
    for path in sorted(path for folder in SHIPPED for path in (root / folder).rglob("*.py")):
        total.update(f"{path.relative_to(root).as_posix()} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


@functools.cache
def _code_at_start() -> str:
    return code_now()


def unfit(wanted: Terms) -> str | None:
    """Why this machine may not measure for that coordinator, in one line, or None.

    >>> from dataclasses import replace
    >>> mine = terms("cpu", Path("token"))
    >>> unfit(mine)
    >>> unfit(replace(mine, versions={**mine.versions, "torch": "0.1"})).split("has ")[1].startswith("torch ")
    True
    """
    name = platform.node() or "a node"
    if _code_at_start() != wanted.code:
        return f"{name} runs other code of the suite than this machine; remove the copy that is installed there"
    for here, there in ((home.versions(), wanted.versions), (home.machine(wanted.device), wanted.machine)):
        wrong = [key for key in sorted({*here, *there}) if here.get(key) != there.get(key)]
        if wrong:
            has = ", ".join(f"{key} {here.get(key, 'absent')}" for key in wrong)
            want = ", ".join(f"{key} {there.get(key, 'absent')}" for key in wrong)
            return f"{name} has {has} where this machine has {want}; trials must not depend on where they ran"
    return None


def measure(message: Mapping[str, Any], checkpoints: str | None, wanted: Terms) -> Iterator[dict[str, Any]]:
    """Measure one unit here; yields {"event": progress}, ... and at last {"answer": ...} or {"unfit": why}.

    The unit is measured in a thread of its own, so that its progress can leave while it goes on.
    """
    reason = unfit(wanted)
    if reason:
        yield {"unfit": reason}
        return
    shared = Path(wanted.token).is_file()
    if shared:
        os.environ["SUITE_HOME"] = wanted.work  # trained networks are kept in the folder that all machines see
    else:  # beside the shipped code, where a later unit of this machine finds them
        checkpoints = str(home.work() / "checkpoints" / str(message["id"]))
    said: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_measure, args=(message, checkpoints, wanted.device, said), daemon=True).start()
    while True:
        item = said.get()
        if "failed" in item:
            raise item["failed"]
        if "answer" in item and not shared and checkpoints:
            with contextlib.suppress(OSError):
                shutil.rmtree(checkpoints)
        yield item
        if "answer" in item:
            return


def _measure(
    message: Mapping[str, Any], checkpoints: str | None, device: str, said: "queue.SimpleQueue[dict[str, Any]]"
) -> None:
    try:
        import torch

        from suite import worker

        torch.set_num_threads(1)
        answer = worker.measure_unit(message, checkpoints, device, lambda event: said.put({"event": event}))
        said.put({"answer": answer})
    except BaseException as error:  # the thread that waits must hear of it, whatever it is
        said.put({"failed": error})
