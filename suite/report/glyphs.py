"""No empty boxes: every string is held against the bundled fonts before it is set."""

import functools
import html
import re
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from suite.errors import UserError
from suite.report.numbers import BREAK

FOLDER = Path(__file__).resolve().parent / "fonts"
# A string may be set in any of these families; what its own face lacks comes from the fallbacks, which every family
# has behind it.
TEXT = ("ClaimSerif-Regular", "ClaimSerif-Italic", "ClaimSerif-Bold", "ClaimDisplay-Regular", "ClaimMono-Regular")
SANS = ("ClaimSans-Regular", "ClaimSans-Italic", "ClaimSans-Bold")
FALLBACK = ("ClaimSymbols-Regular", "ClaimCJK-Regular")
SPACES = "\n\t " + BREAK


@functools.cache
def covered() -> frozenset[int]:
    """The code points that can be set in every face: its own, or those of a fallback."""
    from fontTools.ttLib import TTFont

    def characters(name: str) -> set[int]:
        path = FOLDER / f"{name}.otf"
        try:
            with TTFont(path, lazy=True) as font:
                return set(font.getBestCmap() or ())
        except OSError as error:
            raise UserError(
                f"the font {path.name} cannot be read ({error.strerror}); restore suite/report/fonts from git"
            ) from None

    sans = set.intersection(*map(characters, SANS))
    own = set.intersection(*map(characters, TEXT))
    return frozenset((own | sans).union(*map(characters, FALLBACK)))


def strings(value: Any, where: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every string of a JSON value with the way to it."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, Mapping):
        label = next(
            (str(value[key]) for key in ("id", "name", "what", "number", "slug") if isinstance(value.get(key), str)),
            None,
        )
        here = (*where[:-1], label) if label and where and where[-1].isdigit() else where
        for key, item in value.items():
            yield from strings(item, (*here, str(key)))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value, 1):
            yield from strings(item, (*where, str(index)))


def check(value: Any, files: Mapping[str, bytes], document: str) -> None:
    """UserError naming the first character that cannot be set, where it stands, and what to do."""
    have = covered()
    for where, text in strings(value):
        _check(text, have, f"{document}, {' / '.join(where)}")
    for name, svg in files.items():
        for text in re.findall(r"<text[^>]*>(.*?)</text>", svg.decode(), re.DOTALL):
            _check(html.unescape(re.sub(r"<[^>]*>", "", text)), have, f"{document}, {name}")


def _check(text: str, have: frozenset[int], where: str) -> None:
    if text.isascii() and text.isprintable():
        return
    for character in text:
        if ord(character) not in have and character not in SPACES:
            name = unicodedata.name(character, "a control character")
            shown = character if character.isprintable() and not unicodedata.combining(character) else ""
            raise UserError(
                f"{where}: no bundled font has {shown or 'the character'} (U+{ord(character):04X} {name}); say it in "
                f"words, or add it with python suite/report/fonts/subset.py FOLDER --add '{shown}' (--help says how)"
            )
