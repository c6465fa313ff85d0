"""Lightning drives every training: one final LightningModule, one Trainer for a whole stack.

What the Trainer takes for one batch is a turn: as many steps as fit into ``TURN`` seconds.  Its loop costs about half a
millisecond a batch, which is as much as a step of many small models takes.  Besides
``suite.rank``, for one model over several processes, nothing else in the project imports Lightning.
"""

import ctypes
import functools
import logging
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from typing import Any, final

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.plugins.environments import LightningEnvironment

from suite.session import Session
from suite.subnormals import flushed, kept

# Lightning announces devices, tips and the end of training as INFO; a worker has nobody to tell.
logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
# What Lightning 2.6 warns about of its own doing, by the first words of the message.
LIGHTNINGS_OWN = (
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",  # its loader's use of torch's tree functions
)
TURN = 0.1  # seconds
# mallopt's numbers for the size from which blocks are mapped one by one, and for the free memory that is handed back.
M_MMAP_THRESHOLD, M_TRIM_THRESHOLD = -3, -1


@final
class Learner(LightningModule):
    """The only LightningModule: its training step is a turn of a session, one or more of its steps."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.session = session
        self.driven = 0
        self.handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def on_train_start(self) -> None:
        self.restore_handlers()

    def restore_handlers(self) -> None:
        """Lightning makes SIGTERM wait for the end of a batch, but a worker must end when it is told to."""
        if threading.current_thread() is threading.main_thread():
            for number, handler in self.handlers.items():
                if handler is not None:  # None: set by something that is not Python
                    signal.signal(number, handler)

    def training_step(self, first: int) -> None:
        """Steps from number ``first`` on, until the turn is over or nothing is left to do."""
        session, until = self.session, time.monotonic() + TURN
        step = first
        while True:
            losses = session.advance(step)
            if losses is not None and session.optimizer is not None:
                session.optimizer.expect()
                torch.autograd.backward(losses, torch.ones_like(losses))
                with kept():
                    session.optimizer.update()
            session.after(None if losses is None else losses.detach())
            self.driven += 1
            step += 1
            if step == session.steps or time.monotonic() >= until:
                return

    def configure_optimizers(self) -> Any:
        return self.session.optimizer if self.session.optimizer is not None else []

    def cpu(self) -> "Learner":
        """Lightning moves what it trained to the CPU in the end; a page goes on with its model where it is."""
        return self


class Turns:
    """The data loader: the first step of every turn.  There are at most as many turns as steps."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def __iter__(self) -> Iterator[int]:
        while self.session.done < self.session.steps:
            yield self.session.done

    def __len__(self) -> int:
        return self.session.steps - self.session.done


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
            with flushed():
                trainer.fit(learner, train_dataloaders=Turns(session))
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
    return learner.driven


@functools.cache
def keep_memory() -> None:
    """Keep freed blocks of up to 32 MB for reuse: mapping them anew each time costs up to a third of a step."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # no glibc
        return
    mallopt(M_MMAP_THRESHOLD, 32 << 20)
    mallopt(M_TRIM_THRESHOLD, 512 << 20)
