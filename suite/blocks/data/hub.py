"""Where data and weights come from: the Hub at a fixed revision, or a folder that holds them under the same names."""

from pathlib import Path


def source(repository: str, revision: str, folder: str) -> tuple[str, str | None]:
    """What ``datasets`` and ``transformers`` take for a place and a revision; an empty ``folder`` means the Hub.

    >>> source("google-t5/t5-base", "a9723ea", ""), source("google-t5/t5-base", "a9723ea", "kept")
    (('google-t5/t5-base', 'a9723ea'), ('kept/google-t5/t5-base', None))
    """
    return (str(Path(folder) / repository), None) if folder else (repository, revision)
