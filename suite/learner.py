"""Lightning drives every training: one final LightningModule, one Trainer for a whole stack.

Nothing else in the project imports Lightning.
"""

import ctypes
import functools
import logging
import signal
import threading
import warnings
from collections.abc import Iterator
from typing import Any, final

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.plugins.environments import LightningEnvironment
from torch import Tensor

from suite.session import Session

# Lightning announces devices, tips and the end of training as INFO; a worker has nobody to tell.
logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
# What Lightning 2.6 warns about of its own doing, by the first words of the message.
LIGHTNINGS_OWN = (
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",  # its loader's use of torch's tree functions
)
# mallopt's numbers for the size from which blocks are mapped one by one, and for the free memory that is handed back.
M_MMAP_THRESHOLD, M_TRIM_THRESHOLD = -3, -1


@final
class Learner(LightningModule):
    """The only LightningModule: its training step is a step of a session."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.automatic_optimization = session.optimizer is not None
        self.session = session
        self.losses: Tensor | None = None
        self.handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def on_train_start(self) -> None:
        self.restore_handlers()

    def restore_handlers(self) -> None:
        """Lightning makes SIGTERM wait for the end of a step, but a worker must end when it is told to."""
        if threading.current_thread() is threading.main_thread():
            for number, handler in self.handlers.items():
                if handler is not None:  # None: set by something that is not Python
                    signal.signal(number, handler)

    def training_step(self, step: int) -> Tensor | None:
        losses = self.session.advance(step)
        self.losses = None if losses is None else losses.detach()
        return losses.sum() if self.automatic_optimization and losses is not None else None

    def on_train_batch_end(self, outputs: Any, batch: int, batch_idx: int) -> None:
        self.session.after(self.losses)

    def configure_optimizers(self) -> Any:
        return self.session.optimizer if self.session.optimizer is not None else []

    def cpu(self) -> "Learner":
        """Lightning moves what it trained to the CPU in the end; a page goes on with its model where it is."""
        return self


class Steps:
    """The data loader: the numbers of the steps still to do."""

    def __init__(self, start: int, stop: int) -> None:
        self.numbers = range(start, stop)

    def __iter__(self) -> Iterator[int]:
        return iter(self.numbers)

    def __len__(self) -> int:
        return len(self.numbers)


def train(session: Session) -> int:
    """Drive the session to its end; returns the number of steps that the Trainer counted."""
    keep_memory()
    learner = Learner(session)
    before = torch.get_rng_state()
    with warnings.catch_warnings():
        for message in LIGHTNINGS_OWN:
            warnings.filterwarnings("ignore", message=message)
        trainer = Trainer(
            accelerator="gpu" if session.context.device.startswith("cuda") else "cpu",
            devices=1,
            max_epochs=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            plugins=[LightningEnvironment()],  # else a Slurm or torchrun environment would change what runs
        )
        try:
            trainer.fit(learner, train_dataloaders=Steps(session.done, session.steps))
        except SystemExit as ending:  # what Lightning makes of Ctrl-C, with SIGINT ignored from then on
            learner.restore_handlers()
            if isinstance(ending.__context__, KeyboardInterrupt):
                raise KeyboardInterrupt from None
            raise
    if session.done != session.steps:
        raise RuntimeError(f"training stopped after {session.done} of {session.steps} steps")
    if not torch.equal(before, torch.get_rng_state()):
        raise RuntimeError(
            "a step drew from torch's global generator and cannot be repeated; draw from a seed's stream in batch(step)"
        )
    return (
        trainer.global_step
        if learner.automatic_optimization
        else trainer.fit_loop.epoch_loop.batch_progress.total.completed
    )


@functools.cache
def keep_memory() -> None:
    """Keep freed blocks of up to 32 MB for reuse: mapping them anew each time costs up to a third of a step."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # no glibc
        return
    mallopt(M_MMAP_THRESHOLD, 32 << 20)
    mallopt(M_TRIM_THRESHOLD, 512 << 20)
