"""Numbers and sentences as a reader wants them: enough digits and no more, a real minus, powers of ten written out."""

import math
import re
from collections.abc import Sequence
from typing import Any

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
LONGEST_WORD = 26
THIN = "\u202f"  # a narrow space where no line may end
BREAK = "\u200b"  # a place where a line may end, without a sign


def real(value: Any) -> float | None:
    """A number of a ledger: null stays None, the three strings become floats."""
    if value is None or isinstance(value, bool):
        return None if value is None else float(value)
    if isinstance(value, str):
        return {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}.get(value)
    return float(value)


def number(value: Any, digits: int = 4) -> str:
    """``digits`` significant digits; powers of ten outside 0.001 .. 999 999.

    >>> number(0.123456), number(-12), number(3.1e-7), number(None), number(1234567), number(230000)
    ('0.1235', '−12', '3.1×10⁻⁷', '–', '1.235×10⁶', '230000')
    """
    found = real(value)
    if found is None or math.isnan(found):
        return "–" if found is None else "not a number"
    if math.isinf(found):
        return "∞" if found > 0 else "−∞"
    if found == 0:
        return "0"
    if found == int(found) and abs(found) < 1e5:
        return _minus(str(int(found)))
    if 1e-3 <= abs(found) < 1e6:
        text = f"{found:.{max(digits - 1 - math.floor(math.log10(abs(found))), 0)}f}"
        return _minus(text.rstrip("0").rstrip(".") if "." in text else text)  # the zeros of 230000 stay
    return _power(found, digits)


def _power(value: float, digits: int) -> str:
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    power = "10" + str(int(exponent)).translate(_RAISED)
    return _minus(power if mantissa == "1" else f"-{power}" if mantissa == "-1" else f"{mantissa}×{power}")


def _minus(text: str) -> str:
    return text.replace("-", "−")


def whole(value: int) -> str:
    """An integer in groups of three, from 10 000 on.

    >>> whole(9999), whole(1000000).replace(THIN, " ")
    ('9999', '1 000 000')
    """
    return _minus(f"{value:,}".replace(",", THIN) if abs(value) >= 10_000 else str(value))


def claimed(low: Any, high: Any) -> str:
    """The interval that a source claims, its ends as they were declared.

    >>> claimed(2.0, 15), claimed(None, 0.005), claimed(10, None), claimed(0.5, 0.5), claimed(None, None)
    ('[2, 15]', '≤ 0.005', '≥ 10', '0.5', 'anything')
    """
    a, b = real(low), real(high)
    if a is None or b is None:
        return "anything" if a is None and b is None else f"≤ {number(b, 6)}" if a is None else f"≥ {number(a, 6)}"
    return number(a, 6) if a == b else f"[{number(a, 6)}, {number(b, 6)}]"


def interval(low: Any, high: Any) -> str:
    """A measured interval: both ends to the same decimals, as many as its width deserves.

    >>> interval(0.012345, 0.045678), interval(0.71, 0.77), interval(0.5, 0.5), interval(-0.0052, float("inf"))
    ('[0.0123, 0.0457]', '[0.71, 0.77]', '0.5', '[−0.0052, ∞)')
    """
    a, b = real(low), real(high)
    a, b = -math.inf if a is None else a, math.inf if b is None else b
    if math.isnan(a) or math.isnan(b):
        return "not a number"
    if a == b:
        return number(a, 6)
    if math.isinf(a) or math.isinf(b):
        return f"{'(' if math.isinf(a) else '['}{number(a)}, {number(b)}{')' if math.isinf(b) else ']'}"
    decimals = _decimals(a, b)
    if decimals is None:
        digits = min(max(math.ceil(math.log10(max(abs(a), abs(b)) / (b - a))) + 2, 3), 15)
        return f"[{number(a, digits)}, {number(b, digits)}]"
    return f"[{_fixed(a, decimals)}, {_fixed(b, decimals)}]"


def within(value: Any, low: Any, high: Any) -> str:
    """An estimate to the decimals of its interval.

    >>> within(0.0289, 0.012345, 0.045678), within(1, 1, 1)
    ('0.0289', '1')
    """
    v, a, b = real(value), real(low), real(high)
    if v is None or a is None or b is None or not all(map(math.isfinite, (v, a, b))) or a == b:
        return number(value, 6 if a == b else 4)
    decimals = _decimals(a, b)
    return number(v, 3) if decimals is None else _fixed(v, decimals)


def aligned(values: Sequence[float | None]) -> list[str]:
    """A column: the same decimals for all, four digits of the largest.

    >>> aligned([0.2969, 0.192, None])
    ['0.2969', '0.1920', '–']
    """
    sizes = [abs(v) for v in values if v is not None and math.isfinite(v) and v != 0]
    if not sizes or max(sizes) >= 1e5 or min(sizes) < 1e-3 * max(sizes) or max(sizes) < 1e-3:
        return [number(v) for v in values]
    decimals = max(3 - math.floor(math.log10(max(sizes))), 0)
    return [number(v) if v is None or not math.isfinite(v) else _fixed(v, decimals) for v in values]


def _decimals(a: float, b: float) -> int | None:
    """Decimals that show three digits of the width, less what both ends do not need; None where powers of ten read
    better.
    """
    decimals = max(2 - math.floor(math.log10(b - a)), 0)
    if decimals > 7 or max(abs(a), abs(b)) >= 1e6:
        return None
    while decimals and all(f"{v:.{decimals}f}".endswith("0") for v in (a, b)):
        decimals -= 1
    return decimals


def _fixed(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    return _minus("0" if float(text) == 0 else text)


def p_value(value: Any) -> str:
    """Two significant digits.

    >>> p_value(0.031), p_value(2.14e-6), p_value(None), p_value(0.0), p_value(1)
    ('0.031', '2.1×10⁻⁶', '–', '< 10⁻¹⁶', '1')
    """
    found = real(value)
    if found is None or math.isnan(found):
        return "–"
    if found < 1e-16:
        return "< 10⁻¹⁶"
    return number(found, 2)


def duration(seconds: Any) -> str:
    """
    >>> duration(42.31), duration(143.2), duration(7300)
    ('42 s', '2 min 23 s', '2 h 1 min')
    """
    found = real(seconds)
    if found is None:
        return "–"
    whole = round(found)
    if whole < 60:
        return f"{whole} s" if whole >= 10 else f"{found:.1f} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def prose(text: str) -> str:
    r"""Straight quotes become typographic ones; words too long for a line get places to break.

    >>> prose('Lion\'s "best" rate')
    'Lion’s “best” rate'
    """
    text = re.sub(r"[ \t]{2,}", " ", text)
    text = re.sub(r"(?<=\w)'(?=\w)|(?<=\w)'(?!\w)", "’", text)
    text = re.sub(r'(^|(?<=[\s(\[–—-]))"(?=\S)', "“", text).replace('"', "”")
    return breakable(text)


def breakable(text: str, longest: int = LONGEST_WORD) -> str:
    """Let words longer than ``longest`` break, after a mark where there is one.

    >>> breakable("a" * 30, 10).count(BREAK)
    2
    """

    def split(match: re.Match[str]) -> str:
        found, run = [], 0
        for index, character in enumerate(match[0]):
            found.append(character)
            run += 1
            natural = character in "/._-:,;=&?)" and run >= 8
            if (natural or run >= longest) and index + 1 < len(match[0]):
                found.append(BREAK)
                run = 0
        return "".join(found)

    return re.sub(rf"[^\s{BREAK}\u2e80-\uffef]{{{longest + 1},}}", split, text)


def sentence(text: str) -> str:
    """
    >>> sentence("it speaks of ViT")
    'It speaks of ViT'
    """
    return text[:1].upper() + text[1:]


def listed(items: Sequence[str]) -> str:
    """
    >>> listed(["a", "b", "c"]), listed(["a"])
    ('a, b and c', 'a')
    """
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1] if items else ""


def count(n: int, one: str, many: str = "") -> str:
    """
    >>> count(1, "seed"), count(16, "seed")
    ('1 seed', '16 seeds')
    """
    return f"{n} {one if n == 1 else many or one + 's'}"
