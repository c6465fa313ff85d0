"""A little WikiText-103 on this machine's disk, in the layout of the Hub's."""

from pathlib import Path

import pandas

from suite.blocks.data.wikitext import FILES


def copy_of_wikitext(folder: Path, repeat: int = 60) -> None:
    for split, file in FILES.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = ["", f" = The {split} part = \n", "Lions don't hunt alone — cafés close .\n"] * repeat
        pandas.DataFrame({"text": rows}).to_parquet(path)
