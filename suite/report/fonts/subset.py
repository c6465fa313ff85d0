"""Rebuild the bundled fonts from their sources: ``python suite/report/fonts/subset.py FOLDER [--add 'characters']``.

FOLDER holds the source files named in FACES, anywhere below it.  Where they come from:

    SourceSerif4*.otf                  npm package source-serif 4.5.1 (folder OTF)
    SourceSans3*.otf                   GitHub adobe-fonts/source-sans, branch release (folder OTF)
    SourceCodePro*.otf                 GitHub adobe-fonts/source-code-pro, branch release (folder OTF)
    STIXGeneral-Regular.otf            Debian package fonts-stix 1.1.1
    NotoSerifCJK-Regular.ttc, -Bold    Debian package fonts-noto-cjk 20220127 (``dpkg-deb -x``)

All are under the SIL Open Font License 1.1 (see OFL.txt beside this file).  "Source" and "STIX" are reserved font
names, which a changed copy may not carry; the subsets are therefore called Claim Serif, Claim Sans, Claim Mono, Claim
Symbols and Claim CJK.  The Latin faces hold Latin, Greek, punctuation and what they have of mathematics; Claim Symbols
the rest of mathematics; Claim CJK the characters listed in characters.list.  ``--add`` extends that list first.  The
same sources give the same bytes.
"""

import argparse
import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTCollection, TTFont

HERE = Path(__file__).resolve().parent
CHARACTERS = HERE / "characters.list"
# our file: (source file, family, style, SHA-256 of the source, first 16 digits)
FACES = {
    "ClaimSerif-Regular.otf": ("SourceSerif4-Regular.otf", "Claim Serif", "Regular", "edf160d0d584deee"),
    "ClaimSerif-Italic.otf": ("SourceSerif4-It.otf", "Claim Serif", "Italic", "f8062257f4693e43"),
    "ClaimSerif-Bold.otf": ("SourceSerif4-Semibold.otf", "Claim Serif", "Bold", "25e034392847d996"),
    "ClaimDisplay-Regular.otf": ("SourceSerif4Display-Regular.otf", "Claim Display", "Regular", "0525aba71e1d7293"),
    "ClaimSans-Regular.otf": ("SourceSans3-Regular.otf", "Claim Sans", "Regular", "08df266400933d31"),
    "ClaimSans-Italic.otf": ("SourceSans3-It.otf", "Claim Sans", "Italic", "430b9f0eb1170be0"),
    "ClaimSans-Bold.otf": ("SourceSans3-Semibold.otf", "Claim Sans", "Bold", "36f1cd2c344aa310"),
    "ClaimMono-Regular.otf": ("SourceCodePro-Regular.otf", "Claim Mono", "Regular", "9f9664e2edf6f045"),
    "ClaimSymbols-Regular.otf": ("STIXGeneral-Regular.otf", "Claim Symbols", "Regular", "5add3f3f2bd7fd89"),
    "ClaimCJK-Regular.otf": ("NotoSerifCJK-Regular.ttc", "Claim CJK", "Regular", "a04178ec485dffdf"),
}
TEXT = [
    *range(0x20, 0x7F), *range(0xA0, 0x180), 0x192, *range(0x1CD, 0x1DD), 0x1FA, 0x1FB, *range(0x218, 0x21C), 0x237,
    0x2BC, 0x2C6, 0x2C7, *range(0x2D8, 0x2DE), 0x300, 0x301, 0x302, 0x303, 0x304, 0x306, 0x307, 0x308, 0x30A, 0x30C,
    *range(0x384, 0x3CF), 0x3D1, 0x3D5, 0x3D6, 0x3F0, 0x3F1, 0x3F5, 0x1D40,
    *range(0x2002, 0x200B), *range(0x2010, 0x2028), 0x202F, *range(0x2030, 0x203B), 0x2044,
    *range(0x2070, 0x209D), 0x20AC, *range(0x2150, 0x215F),
]  # fmt: skip
MATHS = [
    *range(0x2100, 0x2150), *range(0x2190, 0x2200), *range(0x2200, 0x2300), *range(0x2308, 0x230C),
    *range(0x2500, 0x2580), *range(0x25A0, 0x2600), 0x2605, 0x2606, 0x2660, 0x2661, 0x266D, 0x266E, 0x266F,
    0x2713, 0x2717, *range(0x27E6, 0x27EC), *range(0x27F5, 0x27FF), 0x2A2F, 0x2A7D, 0x2A7E,
]  # fmt: skip
WIDE = "“”‘’…—–·"  # punctuation that a Chinese title sets at full width
FEATURES = [
    "kern",
    "mark",
    "mkmk",
    "ccmp",
    "locl",
    "liga",
    "lnum",
    "onum",
    "pnum",
    "tnum",
    "sups",
    "subs",
    "case",
    "zero",
]


def listed() -> str:
    """The characters of characters.list, comments left out."""
    lines = CHARACTERS.read_text(encoding="utf8").splitlines()
    return "".join(line for line in lines if not line.startswith("#"))


def add(characters: str) -> None:
    """Append what is not listed yet to the titles' line."""
    new = "".join(sorted(set(characters) - set(listed()) - set(" \n")))
    lines = CHARACTERS.read_text(encoding="utf8").splitlines()
    lines[1] += new
    CHARACTERS.write_text("\n".join(lines) + "\n", encoding="utf8")


def opened(path: Path) -> TTFont:
    if path.suffix != ".ttc":
        return TTFont(path, recalcTimestamp=False)
    for font in TTCollection(path).fonts:
        if font["name"].getDebugName(4) == "Noto Serif CJK SC":  # mainland forms
            font.recalcTimestamp = False
            return font
    raise SystemExit(f"{path} has no face called Noto Serif CJK SC")


def wanted(family: str) -> Iterable[int]:
    if family == "Claim CJK":
        return map(ord, listed() + WIDE)
    return MATHS + TEXT if family != "Claim Mono" else [*TEXT, *MATHS]


def rename(font: TTFont, family: str, style: str) -> None:
    """A new family name everywhere; copyright and licence entries stay as they are."""
    names = font["name"]
    compact = family.replace(" ", "")
    keep = {0, 7, 8, 9, 11, 12, 13, 14}
    names.names = [record for record in names.names if record.nameID in keep and record.platformID == 3]
    values = {
        1: family,
        2: style,
        3: f"{compact}-{style}",
        4: f"{family} {style}".removesuffix(" Regular"),
        5: "Version 1.0",
        6: f"{compact}-{style}",
    }
    for number, value in values.items():
        names.setName(value, number, 3, 1, 0x409)
    table = font["CFF "].cff
    table.fontNames = [f"{compact}-{style}"]
    top = table.topDictIndex[0]
    for key, value in (("FullName", values[4]), ("FamilyName", family), ("Weight", style)):
        if key in top.rawDict:
            setattr(top, key, value)
    bold, italic = style == "Bold", style == "Italic"
    metrics, head = font["OS/2"], font["head"]
    setattr(metrics, "usWeightClass", 700 if bold else 400)  # noqa: B010 - tables get their fields when they are read
    kept = getattr(metrics, "fsSelection") & ~0b1100001  # noqa: B009
    setattr(metrics, "fsSelection", kept | (0x20 if bold else 0x01 if italic else 0x40))  # noqa: B010
    setattr(head, "macStyle", (1 if bold else 0) | (2 if italic else 0))  # noqa: B010


def build(folder: Path) -> None:
    for name, (source, family, style, digest) in FACES.items():
        found = sorted(folder.rglob(source))
        if not found:
            raise SystemExit(f"{source} is not below {folder}; --help says where it comes from")
        actual = hashlib.sha256(found[0].read_bytes()).hexdigest()[:16]
        if digest and actual != digest:
            print(f"{source}: not the version used before ({actual} instead of {digest})", file=sys.stderr)
        font = opened(found[0])
        options = subset.Options(
            layout_features=FEATURES, hinting=False, name_IDs=["*"], name_languages=["*"], notdef_outline=True
        )
        options.drop_tables += ["vhea", "vmtx", "VORG", "BASE", "DSIG", "STAT", "FFTM"]
        tool = subset.Subsetter(options)
        tool.populate(unicodes=wanted(family))
        tool.subset(font)
        rename(font, family, style)
        font.save(HERE / name)
        size = (HERE / name).stat().st_size / 1024
        print(f"{name}: {len(font.getBestCmap() or ())} characters, {size:.0f} KiB, source {actual}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the source fonts lie")
    parser.add_argument("--add", default="", help="characters to add to characters.list first")
    given = parser.parse_args()
    if given.add:
        add(given.add)
    build(given.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
