"""Start a page from the template."""

import re
from pathlib import Path

from suite import home, registry
from suite.errors import UserError
from suite.files import write_text


def new(name: str) -> str:
    """Write ``tasks/<name>.py`` from the template; returns what to do next.

    The page that comes out passes the battery as it stands, so that each later failure is a step of its own.
    """
    slug = name.strip().replace("_", "-")
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", slug):
        raise UserError(f"a task's name is lower case words joined by dashes, such as some-claim; got {name!r}")
    page = slug.replace("-", "_")
    if page in registry.pages():
        raise UserError(f"there is a task {slug} already; choose another name")
    path = home.TASKS / f"{page}.py"
    write_text(path, (home.TASKS / "_template.py").read_text(encoding="utf8"))
    steps = f"edit it from the top: source, claims, arms, measure\nthen: make reproduce-{slug} TIER=smoke"
    return f"wrote {_short(path)}\n{steps}"


def _short(path: Path) -> str:
    return str(path.relative_to(home.ROOT)) if path.is_relative_to(home.ROOT) else str(path)
