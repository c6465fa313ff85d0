"""Whose run is it: a name for a process that is never given twice, to tell a dead process's runs from a live one's."""

import os
import platform
from pathlib import Path

_UNKNOWN = "-"


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return _UNKNOWN


def _started(pid: int) -> str:
    """The start time of a process in clock ticks since boot; process numbers are used again, pairs with it are not."""
    line = _read(f"/proc/{pid}/stat")
    fields = line.rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 else _UNKNOWN


def _running(pid: int) -> bool:
    line = _read(f"/proc/{pid}/stat")
    if line != _UNKNOWN:
        return line.rpartition(")")[2].split()[0] not in "ZX"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def machine() -> tuple[str, str, str]:
    """Host, boot and process namespace: containers share a boot but do not see each other's processes."""
    host = f"{platform.node()}/{_read('/etc/machine-id')}"
    try:
        namespace = str(os.stat("/proc/self/ns/pid").st_ino)
    except OSError:
        namespace = _UNKNOWN
    return host, _read("/proc/sys/kernel/random/boot_id"), namespace


def identity(pid: int | None = None) -> str:
    """``host|boot|namespace|pid|start`` of a process of this machine (of this one by default)."""
    pid = os.getpid() if pid is None else pid
    return "|".join((*machine(), str(pid), _started(pid)))


def dead(owner: str) -> bool:
    """True only when it is certain that the process is gone; of other machines nothing is known.

    >>> dead(identity()), dead("another-host|x|y|1|2"), dead("nonsense")
    (False, False, False)
    """
    parts = owner.split("|")
    if len(parts) != 5 or not parts[3].isdigit():
        return False
    host, boot, namespace = machine()
    if parts[0] != host:
        return False
    if _UNKNOWN not in (parts[1], boot) and parts[1] != boot:
        return True
    if parts[2] != namespace:
        return False
    pid = int(parts[3])
    return not _running(pid) or (parts[4] != _UNKNOWN and _started(pid) not in (parts[4], _UNKNOWN))
