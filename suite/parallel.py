"""One model that outgrows one device, trained by several processes of one machine under Lightning's own strategies.

This is the other kind of large: ``suite.fit`` trains many small models at once on one device, and is what a comparison
wants.  Here every process holds a replica (ddp) or a shard (fsdp) of a single model and its share of each batch, and
the gradients are averaged, so that the training is that of one process up to the order of floating-point sums.
"""

import multiprocessing
import socket
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from suite.rank import Work, main
from suite.session import CONTEXT


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What the processes leave behind: the whole model's weights on the CPU, and the mean loss of each step [steps]."""

    weights: Mapping[str, Tensor]
    losses: Tensor


def parallel(
    build: Callable[[], nn.Module],
    *,
    loss: Callable[..., Tensor],
    batch: Callable[[int], Sequence[Tensor]],
    steps: int,
    optimizer: Callable[[Any], torch.optim.Optimizer],
    strategy: Literal["ddp", "fsdp"] = "ddp",
    devices: int = 2,
    schedule: Callable[[int], float] | None = None,
    clip: float | None = None,
    precision: Literal["fp32", "bf16"] = "fp32",
) -> Shared:
    """Train one model with ``devices`` processes, one GPU each where the device is cuda, one thread each on the CPU.

    build      () -> the model with its first weights, the same in each process: draw them from a seed's stream
    loss       loss(model, *rows) -> scalar, the mean over the rows
    batch      batch(step) -> tensors with the rows of the whole batch first; each process takes an equal share
    optimizer  optimizer(parameters) -> a torch optimizer; ``functools.partial(torch.optim.AdamW, lr=1e-3)`` is one
    strategy   "ddp": replicas; "fsdp": parameters, gradients and optimizer states in shards (FSDP2), gathered for one
               entry of a ModuleList at a time
    schedule   step -> factor of the learning rate
    clip       the largest norm of the whole gradient; with "ddp" and "fsdp" alike
    precision  "fp32", or "bf16" for autocast with fp32 weights

    All functions are sent to other processes: functions of a module's top level, or ``functools.partial`` of such.
    Where the worker keeps checkpoints, an interrupted training goes on from its last one; a process that dies ends
    the training with its traceback.
    """
    context = CONTEXT.get()
    device = "cpu" if context.device == "cpu" else "cuda"
    check(strategy, devices, steps, precision, torch.cuda.device_count() if device == "cuda" else None)
    context.fits += 1
    with tempfile.TemporaryDirectory(prefix="suite-parallel-") as scratch:
        folder = context.checkpoint_dir or Path(scratch)
        work = Work(
            build=build,
            loss=loss,
            batch=batch,
            steps=steps,
            optimizer=optimizer,
            strategy=strategy,
            schedule=schedule,
            clip=clip,
            precision=precision,
            world=devices,
            device=device,
            file=folder / f"parallel-{context.fits}.pt",
            port=free_port(),
            checkpoint_every=context.checkpoint_every if context.checkpoint_dir else float("inf"),
        )
        kept = _kept(work.file, steps)
        if kept is None or not kept["finished"]:
            number = context.fits
            _run(work, len(kept["losses"]) if kept else 0, lambda event: _report(context.report, number, event))
            kept = _kept(work.file, steps)
        if kept is None:
            raise RuntimeError(f"the processes ended without leaving {work.file}")
        return Shared(weights=kept["model"], losses=torch.tensor(kept["losses"]))


def check(strategy: str, devices: int, steps: int, precision: str, gpus: int | None) -> None:
    """Raise a clear line for what cannot be.

    >>> check("ddp", 2, 10, "fp32", None)
    >>> check("ddp", 4, 10, "fp32", 1)
    Traceback (most recent call last):
    ValueError: devices=4 wants 4 GPUs and this process sees 1
    """
    if strategy not in ("ddp", "fsdp"):
        raise ValueError(f'strategy= is "ddp" or "fsdp", got {strategy!r}')
    if precision not in ("fp32", "bf16"):
        raise ValueError(f'precision= is "fp32" or "bf16", got {precision!r}')
    if devices < 1 or steps < 1:
        raise ValueError(f"devices= and steps= count from 1, got {devices} and {steps}")
    if gpus is not None and gpus < devices:
        raise ValueError(f"devices={devices} wants {devices} GPUs and this process sees {gpus}")


def free_port() -> int:
    """A port of this machine alone, for the processes to find each other."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _kept(file: Path, steps: int) -> dict[str, Any] | None:
    """What an earlier attempt left; a damaged or foreign file is as good as none, and is removed."""
    if not file.exists():
        return None
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
        if 0 < len(content["losses"]) <= steps and content["finished"] == (len(content["losses"]) == steps):
            return content
    except Exception:  # torch raises anything from EOFError to RuntimeError on a damaged file
        pass
    file.unlink()
    return None


def _report(report: Callable[[dict[str, Any]], None] | None, number: int, event: Mapping[str, Any]) -> None:
    if report is not None:
        report({"fit": number, **event})


def _run(work: Work, done: int, tell: Callable[[Mapping[str, Any]], None]) -> None:
    """Start the processes, pass on what they say, and end them all when one fails or this function is left."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["suite.preload"])  # torch and Lightning are imported once for all of them
    lifeline, alive = server.Pipe(duplex=False)
    processes, voices = [], []
    try:
        for rank in range(work.world):
            ear, voice = server.Pipe(duplex=False)
            process = server.Process(target=main, args=(work, rank, done, lifeline, voice), name=f"rank {rank}")
            process.start()
            voice.close()  # the process holds the other end alone, so that its death is heard
            processes.append(process)
            voices.append(ear)
        lifeline.close()
        _listen(dict(zip(voices, processes, strict=True)), tell)
    finally:
        alive.close()
        for process in processes:
            process.kill()
            process.join()
        for ear in voices:
            ear.close()


def _listen(talking: dict[Any, Any], tell: Callable[[Mapping[str, Any]], None]) -> None:
    """Until every process has hung up and ended well; {its voice: the process}."""
    while talking:
        for ear in wait(list(talking)):
            try:
                said = ear.recv()  # type: ignore[union-attr]
            except EOFError:
                process = talking.pop(ear)
                process.join()
                if process.exitcode:  # the others may wait for it for ever
                    raise RuntimeError(
                        f"a process of the training died with exit code {process.exitcode} (out of memory?)"
                    ) from None
                continue
            if "failed" in said:
                raise RuntimeError(f"a process of the training failed:\n{said['failed']}")
            tell(said)
