"""Names to pages: which tasks exist, and the card of each.

A page is ``tasks/<name>.py``, ``tasks/<name>/__init__.py`` or a module named by the entry-point group ``suite.tasks``
of an installed package.  Its card lies in ``tasks/locks/<name>.json`` with the hash of the page's files, so that
nothing is imported while the page stands as it was locked.  A page that changed is declared anew in a process of its
own.
"""

import difflib
import functools
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from suite import home
from suite.canonical import canonical
from suite.errors import UserError
from suite.files import read_json, write_json

GROUP = "suite.tasks"
LOCK_SCHEMA = 1


@dataclass(frozen=True)
class Page:
    """A task's name and its files; nothing of it has been imported."""

    name: str
    module: str
    files: tuple[Path, ...]

    @property
    def slug(self) -> str:
        return self.name.replace("_", "-")

    @property
    def lock(self) -> Path:
        return home.locks() / f"{self.name}.json"

    def fingerprint(self) -> dict[str, str]:
        """SHA-256 of each of the page's files, by file name."""
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in self.files}


@functools.cache
def pages() -> dict[str, Page]:
    """Every page by name (with underscores), sorted."""
    found: dict[str, Page] = {}
    for path in [*home.TASKS.glob("*.py"), *home.TASKS.glob("*/__init__.py")]:
        folder = path.name == "__init__.py"
        name = path.parent.name if folder else path.stem
        if name.startswith("_") or (path.parent == home.TASKS and folder):
            continue
        files = tuple(sorted(path.parent.glob("*.py"))) if folder else (path,)
        if name in found:
            raise UserError(f"tasks/{name}.py and tasks/{name}/ are both there; keep one of them")
        found[name] = Page(name, f"tasks.{name}", files)
    for entry in metadata.entry_points(group=GROUP):
        name = entry.name.replace("-", "_")
        if name in found:
            continue  # the project's own page leads, also when the project is installed
        spec = importlib.util.find_spec(entry.value)
        if spec is None or spec.origin is None:
            raise UserError(
                f"the entry point {entry.name} = {entry.value} of {GROUP} names no module; reinstall its package"
            )
        found[name] = Page(name, entry.value, (Path(spec.origin),))
    return dict(sorted(found.items()))


def find(name: str) -> Page:
    """The page of a slug, with dashes or underscores; a wrong name is answered with the nearest three."""
    wanted = name.strip().lower().replace("-", "_")
    known = pages()
    if wanted in known:
        return known[wanted]
    near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.0)
    nearest = ", ".join(n.replace("_", "-") for n in near) or "none"
    raise UserError(f"no task {name!r}; the nearest are {nearest} (suite list shows all)")


def declare(page: Page) -> dict[str, Any]:
    """Import the page in a process of its own and return its card, its names in the order in which a lock keeps them.

    Else the conditions of a grid would be told in one order by the run that locks a page and in another by all others.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(home.ROOT), os.environ.get("PYTHONPATH")])),
    }
    done = subprocess.run(
        [sys.executable, "-m", "suite.declare", page.module], capture_output=True, text=True, env=environment
    )
    try:
        answer = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise UserError(f"the page {page.module} could not be imported: {last}") from None
    if "error" in answer:
        raise UserError(answer["error"])
    return json.loads(canonical(answer["card"]))


def locked_card(page: Page) -> dict[str, Any] | None:
    """The card in the lock file when it still describes the page's files, else None."""
    if not page.lock.exists():
        return None
    lock = read_json(page.lock, "the lock")
    if not isinstance(lock, dict) or not isinstance(lock.get("card"), dict):
        raise UserError(f"{page.lock} is not a lock file; restore it from git")
    if lock.get("schema") != LOCK_SCHEMA:
        raise UserError(
            f"{page.lock} has schema {lock.get('schema')}, this suite reads {LOCK_SCHEMA}; update the suite"
        )
    return lock["card"] if lock.get("files") == page.fingerprint() else None


def card(page: Page) -> dict[str, Any]:
    """The card of a page as it stands now, without checking its rule against the lock."""
    return locked_card(page) or declare(page)


def lock(page: Page) -> tuple[dict[str, Any], str | None]:
    """The card of a page whose rule is fixed, and a sentence when this call fixed it.

    The first declaration of a revision is written to the lock file.  A rule that differs from the locked one under the
    same revision is refused: whoever changes a claim, a margin, an arm or a tier raises ``revision`` on the page,
    which also draws fresh seeds.
    """
    found = locked_card(page)
    if found is not None:
        return found, None
    found = declare(page)
    old = read_json(page.lock, "the lock") if page.lock.exists() else {}
    revisions: dict[str, str] = old.get("revisions", {})
    known = revisions.get(str(found["revision"]))
    if known is not None and known != found["rule_hash"]:
        changed = ", ".join(_differences(old["card"], found)) or "an earlier revision was taken up again"
        raise UserError(
            f"the rule of {page.slug} changed under revision {found['revision']} ({changed}); "
            f"raise revision= on the page, its earlier results then move to history"
        )
    newest = max(map(int, revisions), default=0)
    if known is None and found["revision"] < newest:
        raise UserError(
            f"{page.slug} declares revision {found['revision']}, but {newest} is locked; revisions only rise"
        )
    revisions[str(found["revision"])] = found["rule_hash"]
    write_json(page.lock, {"schema": LOCK_SCHEMA, "files": page.fingerprint(), "revisions": revisions, "card": found})
    if known is None:
        return found, f"rule of {page.slug} locked: revision {found['revision']}, {found['rule_hash'][:12]}"
    return found, None


def _differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Which parts of the rule differ, named as a reader would look for them."""
    found = []
    for key in ("source", "published"):
        if old.get(key) != new.get(key):
            found.append(key)
    for key, identity in (("claims", "id"), ("experiments", "name")):
        before = {item[identity]: item for item in old.get(key, [])}
        after = {item[identity]: item for item in new.get(key, [])}
        found += [
            f"{key[:-1]} {name}" for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)
        ]
    return found


def tiers(page: Page) -> set[str]:
    """The tiers that any experiment of a page declares."""
    return {tier for experiment in card(page)["experiments"] for tier in experiment["tiers"]}
