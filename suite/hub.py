"""What a page lacked that asked the Hub for data or weights without a network: its name, and how to bring it."""

import re
import traceback
from collections.abc import Sequence

_ADDRESS = re.compile(r"/(?:api/)?(datasets/|models/)?([\w.-]+/[\w.-]+)/(?:resolve|revision|tree|paths-info)/")
_NAMED = re.compile(r"Couldn't (?:reach|find) (?:the dataset |any data file at )?'?([\w.-]+/[\w.-]+)'?")
_SIGNS = (
    "offline mode",
    "OfflineModeIsEnabled",
    "on the Hub",
    "LocalEntryNotFoundError",
    "couldn't connect to",
    "Max retries",
)


def missing(error: BaseException) -> str | None:
    """One line that names what could not be had from the Hub, or None when the error is about something else."""
    chain: list[BaseException] = []
    pending: BaseException | None = error
    while pending is not None and pending not in chain:
        chain.append(pending)
        pending = pending.__cause__ or pending.__context__
    words = " ".join(f"{type(one).__name__}: {one}" for one in chain)
    if not any(sign in words for sign in _SIGNS):
        return None
    what, kind = "what it asks for", ""
    if found := _NAMED.search(words):
        what, kind = found[1], "--repo-type dataset "
    elif found := _ADDRESS.search(words):
        what, kind = found[2], "--repo-type dataset " if found[1] == "datasets/" else ""
    elif name := _asked_for(chain):
        what = name
    bring = f"hf download {kind}{what}" if what != "what it asks for" else "the same command"
    return (
        f"{what} is not on this machine and the Hub cannot be reached; where there is a network, run once: {bring} "
        f"(without HF_HUB_OFFLINE), and carry the folder that HF_HOME names over here if that is another machine"
    )


def _asked_for(chain: Sequence[BaseException]) -> str | None:
    """The repository that a loader was called with: transformers' own message does not name it."""
    for error in chain:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            for name in ("repo_id", "path_or_repo_id", "pretrained_model_name_or_path"):
                value = frame.f_locals.get(name)
                if isinstance(value, str) and re.fullmatch(r"[\w.-]+/[\w.-]+", value):
                    return value
    return None
