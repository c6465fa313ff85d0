"""A page's docstring, taken apart: what the post says, how far its scale is from ours, what is known to bite."""

import inspect
import re
from dataclasses import dataclass, field
from typing import Any

LABELS = {"scale": r"not the (?:posts?|source|paper)[’']?s? scale", "bite": r"known to bite"}
_LABEL = re.compile(
    rf"^\s*\**(?:(?P<scale>{LABELS['scale']})|(?P<bite>{LABELS['bite']}))\**\s*[:：.]\**\s*", re.IGNORECASE
)
_ITEM = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")


@dataclass(frozen=True, kw_only=True)
class Doc:
    r"""``summary`` is the first paragraph; the rest are blocks, see ``blocks``.

    >>> doc = parse("It.\n\nThus:\n\n    a = b\n\nNot the post's scale: the same.\nKnown to bite: signs,\nand more.")
    >>> doc.summary, [block["kind"] for block in doc.body]
    ('It.', ['text', 'display'])
    >>> doc.scale[0]["spans"][0]["text"], doc.bite[0]["spans"][0]["text"]
    ('the same.', 'signs, and more.')
    """

    summary: str = ""
    body: list[dict[str, Any]] = field(default_factory=list)
    scale: list[dict[str, Any]] = field(default_factory=list)
    bite: list[dict[str, Any]] = field(default_factory=list)


def parse(text: str | None) -> Doc:
    """Take any docstring apart; what is not there stays empty.

    A labelled section starts at a line that begins with its label.  It ends at the next label, or at a blank line
    after which an ordinary paragraph follows: lists and indented lines still belong to it.
    """
    lines = inspect.cleandoc(text or "").expandtabs(4).splitlines()
    parts: dict[str, list[str]] = {"body": [], "scale": [], "bite": []}
    here = "body"
    for index, line in enumerate(lines):
        label = _LABEL.match(line)
        if label:
            here = "scale" if label["scale"] else "bite"
            parts[here].append(line[label.end() :])
            continue
        ordinary = bool(line.strip()) and not line.startswith(" ") and not _ITEM.match(line)
        after_blank = index > 0 and not lines[index - 1].strip()
        if here != "body" and after_blank and ordinary and any(entry.strip() for entry in parts[here]):
            here = "body"
        parts[here].append(line)
    body = blocks(parts["body"])
    summary = ""
    if body and body[0]["kind"] == "text":
        summary = "".join(span["text"] for span in body.pop(0)["spans"])
    return Doc(summary=summary, body=body, scale=blocks(parts["scale"]), bite=blocks(parts["bite"]))


def sections(text: str | None) -> dict[str, str]:
    r"""The labelled sections as plain text; a section that is missing or empty is left out.

    >>> sections("Ducks.\n\nNot the post's scale: the same.\nKnown to bite:\n- rounding\n- signs")
    {"Not the post's scale": 'the same.', 'Known to bite': 'rounding signs'}
    """
    doc = parse(text)
    found = {"Not the post's scale": plain(doc.scale), "Known to bite": plain(doc.bite)}
    return {name: said for name, said in found.items() if said}


def plain(found: list[dict[str, Any]]) -> str:
    """Blocks as running text."""
    parts = []
    for block in found:
        if block["kind"] == "display":
            parts.append(block["text"])
        else:
            runs = block["items"] if block["kind"] == "list" else [block["spans"]]
            parts += ["".join(span["text"] for span in run) for run in runs]
    return " ".join(parts).strip()


def blocks(lines: list[str]) -> list[dict[str, Any]]:
    """Paragraphs {"kind": "text", "spans"}, lists {"kind": "list", "items": [spans]}, displays {"kind": "display",
    "text"}.

    A display is a run of indented lines, kept as it stands: formulas and program text.
    """
    found: list[dict[str, Any]] = []
    paragraph: list[str] = []
    items: list[list[str]] = []
    display: list[str] = []

    def close() -> None:
        if paragraph:
            found.append({"kind": "text", "spans": spans(" ".join(paragraph))})
        if items:
            found.append({"kind": "list", "items": [spans(" ".join(item)) for item in items]})
        if any(entry.strip() for entry in display):
            found.append({"kind": "display", "text": inspect.cleandoc("\n".join(["", *display]))})
        paragraph.clear()
        items.clear()
        display.clear()

    for line in lines:
        bare = line.strip()
        indented = line.startswith("  ")
        if not bare:
            if display:
                display.append("")
            elif paragraph:
                close()
        elif _ITEM.match(line) and not paragraph and not (display and indented):
            if display:
                close()
            items.append([_ITEM.sub("", line, count=1).strip()])
        elif items and indented:
            items[-1].append(bare)
        elif indented and not paragraph:
            display.append(line)
        else:
            if items or display:
                close()
            paragraph.append(bare)
    close()
    return found


def spans(text: str) -> list[dict[str, Any]]:
    """Runs of plain text and of ``code``.

    >>> spans("set ``lr`` to 1")
    [{'text': 'set ', 'code': False}, {'text': 'lr', 'code': True}, {'text': ' to 1', 'code': False}]
    """
    found = []
    for index, part in enumerate(re.split(r"``(.+?)``|(?<![\w`])`([^`\s][^`]*)`(?![\w`])", text)):
        if part:
            found.append({"text": part, "code": index % 3 != 0})
    return found
