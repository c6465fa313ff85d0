"""Networks that several experiments or pages measure are trained once and kept, one file per network.

A network is found by what made it: the name of the collection, the code of the training function and all that it
reaches, its settings, the seed, the versions that matter and the device.  Two processes never train the same network:
the second waits for the first.  A damaged file is trained again.
"""

import contextlib
import contextvars
import dataclasses
import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor, nn

from suite import home
from suite.canonical import canonical, digest
from suite.codehash import code_hash
from suite.files import locked, write_bytes
from suite.seeds import Seed
from suite.session import CONTEXT

State = dict[str, Tensor]


@dataclasses.dataclass
class Shelf:
    """Where trained networks are kept: a folder, or (``folder`` None) this process's memory."""

    folder: Path | None = None
    memory: dict[str, State] = dataclasses.field(default_factory=dict)

    def path(self, key: str) -> Path | None:
        return self.folder / key[:2] / f"{key}.safetensors" if self.folder else None

    def get(self, key: str) -> State | None:
        """The weights of one network, or None where there are none that are whole."""
        path = self.path(key)
        if path is None or not path.exists():
            return self.memory.get(key)
        try:
            return _read(path, key)
        except (OSError, ValueError, KeyError, SafetensorError):
            return None

    def put(self, key: str, state: State, notes: Mapping[str, str]) -> None:
        path = self.path(key)
        if path is None:
            self.memory[key] = state
            return
        write_bytes(path, save(state, {**notes, "key": key, "sha256": _checksum(state)}))


SHELF: contextvars.ContextVar[Shelf | None] = contextvars.ContextVar("shelf", default=None)


@contextlib.contextmanager
def shelf(folder: Path | None) -> Iterator[Shelf]:
    """Keep networks under ``folder`` (None: in memory) while the block runs; without a shelf nothing is kept."""
    token = SHELF.set(Shelf(folder))
    try:
        yield SHELF.get() or Shelf(folder)
    finally:
        SHELF.reset(token)


def trained(name: str, train: Callable[..., nn.Module], seeds: Sequence[Seed], settings: Mapping[str, Any]) -> State:
    """The weights of one trained network per seed: {parameter: [R, ...]}, R = len(seeds), on the CPU.

    ``train(seeds, **settings)`` builds and trains one stack, a module whose parameters and buffers have a leading axis
    with one model per seed.  It is a function of a module's top level, since its code is part of what a network is
    found by, and it is called with the missing seeds only.  Its seeds have a root of their own, "trained/<name>", so
    that two pages that name the same collection share their networks; put a revision into the name.

    >>> from suite.blocks.models.mlp import mlp
    >>> def untrained(seeds, *, width):
    ...     return mlp((2, width, 1), [seed.stream("weights") for seed in seeds])
    >>> seed = Seed("toy/r1", "verdict", 3)
    >>> state = trained("toy-networks/r1", untrained, [seed, seed], {"width": 4})
    >>> {len(weights) for weights in state.values()}
    {2}
    """
    code = code_hash(f"{train.__module__}:{train.__qualname__}")[0]
    recipe = {"name": name, "code": code, "settings": settings, "versions": home.versions()}
    recipe["device"] = CONTEXT.get().device
    CONTEXT.get().data[f"networks {name} {canonical(settings)}"] = digest(recipe)
    shared = [Seed(_root(seed.root, name), seed.purpose, seed.number) for seed in seeds]
    keys = [digest([recipe, seed.root, seed.purpose, seed.number]) for seed in shared]
    by_key = dict(zip(keys, shared, strict=True))
    keep = SHELF.get() or Shelf()
    found = {key: state for key in by_key if (state := keep.get(key)) is not None}
    if len(found) < len(by_key):
        with contextlib.ExitStack() as locks:
            for key in sorted(by_key.keys() - found.keys()):  # in one order everywhere, so that nobody waits in a ring
                if path := keep.path(key):
                    locks.enter_context(locked(path.with_suffix(".lock"), f"{name}: another process trains it"))
                if (state := keep.get(key)) is not None:
                    found[key] = state
            found |= _train(keep, recipe, train, {key: by_key[key] for key in by_key if key not in found}, settings)
    return {weights: torch.stack([found[key][weights] for key in keys]) for weights in found[keys[0]]}


def _train(
    keep: Shelf,
    recipe: Mapping[str, Any],
    train: Callable[..., nn.Module],
    missing: Mapping[str, Seed],
    settings: Mapping[str, Any],
) -> dict[str, State]:
    if not missing:
        return {}
    started, outer = time.perf_counter(), CONTEXT.get()
    # Checkpoints of its own: the n-th fit of a resumed call need not be the n-th of the one that was killed.
    folder = outer.checkpoint_dir / digest(list(missing))[:16] if outer.checkpoint_dir else None
    token = CONTEXT.set(dataclasses.replace(outer, checkpoint_dir=folder, fits=0))
    try:
        stack = train(list(missing.values()), **settings).state_dict()
    finally:
        CONTEXT.reset(token)
    notes = {"recipe": canonical(recipe), "seconds": f"{(time.perf_counter() - started) / len(missing):.3f}"}
    found: dict[str, State] = {}
    for row, (key, seed) in enumerate(missing.items()):
        found[key] = {name: weights[row].detach().cpu().contiguous().clone() for name, weights in stack.items()}
        keep.put(key, found[key], {**notes, "seed": str(seed), "root": seed.root})
    return found


def _root(root: str, name: str) -> str:
    """Runs of every page share a collection; pilots and tests, whose roots look different, keep to themselves."""
    return f"trained/{name}" if re.fullmatch(r"[a-z0-9-]+/r\d+", root) else f"{root}/trained/{name}"


def _read(path: Path, key: str) -> State:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        notes = file.metadata() or {}
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    if notes.get("key") != key or notes.get("sha256") != _checksum(state):
        raise ValueError(f"{path} does not hold what its name says")
    return state


def _checksum(state: State) -> str:
    total = hashlib.sha256()
    for name in sorted(state):
        total.update(f"{name} {tuple(state[name].shape)} {state[name].dtype} ".encode())
        total.update(state[name].contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
