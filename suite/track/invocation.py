"""The run of one invocation: its name, tags and description, from the invocation's record and the page's card."""

from collections.abc import Mapping
from typing import Any

from suite.canonical import canonical
from suite.track.entries import listing, milliseconds
from suite.track.points import safe_key

Invocation = Mapping[str, Any]
Card = Mapping[str, Any]
STATUS = {"finished": "FINISHED", "failed": "FAILED"}  # everything else was stopped: KILLED


def name(invocation: Invocation) -> str:
    """
    >>> name({"tier": "cpu", "started": "2026-11-22T14:03:11Z"})
    'cpu · 2026-11-22 14:03'
    """
    return str(invocation.get("name") or f"{invocation['tier']} · {str(invocation['started'])[:16].replace('T', ' ')}")


def status(invocation: Invocation) -> str:
    return STATUS.get(str(invocation.get("status")), "KILLED")


def start(invocation: Invocation) -> int:
    return milliseconds(invocation["started"])


def end(invocation: Invocation) -> int:
    return milliseconds(invocation.get("ended"), start(invocation))


def _claims(invocation: Invocation, card: Card | None) -> list[Mapping[str, Any]]:
    """The claims as the invocation knew them; a card with another rule may say something else under the same name."""
    if card is None or (invocation.get("rule_hash") and card.get("rule_hash") not in (None, invocation["rule_hash"])):
        return []
    return list(card.get("claims", ()))


def headline(invocation: Invocation, card: Card | None) -> Mapping[str, Any] | None:
    return next((claim for claim in _claims(invocation, card) if claim.get("headline")), None)


def outcome(invocation: Invocation, card: Card | None) -> str:
    """The headline's outcome; what did not end in a verdict says how it ended."""
    head = headline(invocation, card)
    verdict = invocation.get("verdict") or {}
    judged = invocation.get("outcome") or (verdict.get(head["id"]) if head else None)
    return str(judged or {"finished": "not judged", "failed": "failed"}.get(str(invocation.get("status")), "stopped"))


def counts(invocation: Invocation) -> tuple[int, int]:
    """How many trials were measured and how many were reused."""
    reused = set(invocation.get("reused") or ())
    return len(set(invocation.get("trials") or ()) - reused), len(reused)


def _line(value: Any) -> str:
    """One cell of a Markdown table: no line break, no bar, no markup."""
    plain = " ".join(str(value).split())
    return "".join("\\" + letter if letter in "\\`*_{}[]<>#|$~" else letter for letter in plain)


def description(invocation: Invocation, card: Card | None) -> str:
    """Markdown: the headline with its outcome, every claim's outcome, and the command that repeats the run."""
    verdict = invocation.get("verdict") or {}
    head = headline(invocation, card)
    lines = [f"**{outcome(invocation, card)}**" + (f" — {_line(head['says'])}" if head else "")]
    says = {claim["id"]: claim["says"] for claim in _claims(invocation, card)}
    listed = [*(c for c in says if c in verdict), *(c for c in sorted(verdict) if c not in says)]
    if listed:
        lines += ["", "| claim | outcome | |", "|---|---|---|"]
        lines += [
            f"| {_line(c)} | {_line(verdict[c] or 'not tested here')} | {_line(says.get(c, ''))} |" for c in listed
        ]
    measured, reused = counts(invocation)
    again = f"suite run {invocation['slug']} --tier {invocation['tier']}"
    lines += ["", f"{measured} trials measured, {reused} reused. Repeat: `{again}`"]
    if invocation.get("rule_hash"):
        lines += ["", f"Rule fixed before the data: `{invocation['rule_hash']}`"]
    return "\n".join(lines)[:7900]


def tags(invocation: Invocation, card: Card | None) -> dict[str, str]:
    """Everything of the invocation that a table of runs can be searched and sorted by."""
    git = invocation.get("git") or {}
    revision = invocation.get("revision", (card or {}).get("revision") if headline(invocation, card) else None)
    found = {
        "slug": invocation["slug"],
        "tier": invocation["tier"],
        "outcome": outcome(invocation, card),
        "rule_hash": invocation.get("rule_hash"),
        "revision": revision,
        "suite.invocation": invocation["id"],
        "versions": listing(invocation.get("versions") or {}),
        "git.dirty": None if "dirty" not in git else str(bool(git["dirty"])).lower(),
        "mlflow.source.git.commit": git.get("commit"),
        "mlflow.source.name": " ".join(str(word) for word in invocation.get("argv") or ()),
        "mlflow.source.type": "LOCAL",
        "mlflow.user": invocation.get("user"),
        "mlflow.note.content": description(invocation, card),
    }
    claims = {f"claim.{safe_key(claim)}": verdict for claim, verdict in (invocation.get("verdict") or {}).items()}
    return {key: str(value) for key, value in {**found, **claims}.items() if value not in (None, "")}


VIEW = "verdicts"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"  # how MLflow's pages keep a shared view of a table of runs


def view(card: Card | None) -> str:
    """The table of runs as a reader of verdicts wants it: outcome, claims, arm and conditions, names in full."""
    card = card or {}
    claims = [
        f"tags.`claim.{claim['id']}`" for claim in card.get("claims", ()) if not claim.get("untested", {}).get("*")
    ]
    conditions = sorted(
        {name for experiment in card.get("experiments", ()) for name in experiment.get("conditions") or ()}
    )
    columns = ["tags.`outcome`", *claims[:20], "tags.`arm`", *(f"params.`{safe_key(name)}`" for name in conditions)]
    order = ["attributes.`Run Name`", "runDateAndNestInfo", "duration", *columns]
    return canonical({"selectedColumns": columns, "columnOrder": order, "columnWidths": {order[0]: 330}})


def experiment_note(card: Card | None) -> str:
    """The description of a task's experiment: its title and where the claims stand."""
    if card is None:
        return ""
    posts = (card.get("source") or {}).get("posts", ())
    lines = [_line(card.get("title", card.get("slug", ""))), ""]
    lines += [f"- [{_line(post['title'])}]({post['url']}) ({post['date']})" for post in posts]
    return "\n".join(lines)
