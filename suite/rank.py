"""One process of a training that several processes share: its rows of each batch, its part of the model.

``suite.parallel`` starts these processes and reads what the first of them leaves behind.
"""

import os
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal, final

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.plugins.environments import TorchElasticEnvironment
from lightning.pytorch.strategies import DDPStrategy, ModelParallelStrategy, Strategy
from torch import Tensor, distributed, nn
from torch.distributed.checkpoint import state_dict as whole
from torch.distributed.fsdp import FSDPModule, fully_shard

from suite.files import write_bytes
from suite.learner import LIGHTNINGS_OWN
from suite.lifeline import hold
from suite.session import REPORT_EVERY

FULL = whole.StateDictOptions(full_state_dict=True, cpu_offload=True)
SPREAD = whole.StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)


@dataclass(frozen=True, kw_only=True)
class Work:
    """What every process is told; see ``suite.parallel.parallel``."""

    build: Callable[[], nn.Module]
    loss: Callable[..., Tensor]
    batch: Callable[[int], Sequence[Tensor]]
    steps: int
    optimizer: Callable[[Any], torch.optim.Optimizer]
    strategy: Literal["ddp", "fsdp"]
    schedule: Callable[[int], float] | None
    clip: float | None
    precision: Literal["fp32", "bf16"]
    world: int
    device: str
    file: Path  # checkpoints, and in the end the result
    port: int
    checkpoint_every: float


def rows(number: int, rank: int, world: int) -> slice:
    """The rows of a batch that are one process's: equal shares, so that the mean of means is the mean.

    >>> rows(8, 1, 2)
    slice(4, 8, None)
    >>> rows(9, 0, 2)
    Traceback (most recent call last):
    ValueError: a batch of 9 rows cannot be shared equally by 2 processes
    """
    if number % world:
        raise ValueError(f"a batch of {number} rows cannot be shared equally by {world} processes")
    return slice(rank * number // world, (rank + 1) * number // world)


@final
class Share(LightningModule):
    """The model as Lightning's strategies want it: registered, sharded where they ask for it."""

    def __init__(self, work: Work, rank: int, tell: Callable[[dict[str, Any]], None]) -> None:
        super().__init__()
        self.work, self.rank, self.tell = work, rank, tell
        self.model = work.build()
        self.losses: list[float] = []
        self.told_at, self.saved_at = -REPORT_EVERY, time.monotonic()

    def configure_model(self) -> None:
        if self.work.strategy != "fsdp" or isinstance(self.model, FSDPModule):
            return
        mesh = self.device_mesh["data_parallel"]  # type: ignore[index] - set by the strategy before it asks
        blocks = [block for part in self.model.modules() if isinstance(part, nn.ModuleList) for block in part]
        for block in [*blocks, self.model]:  # the blocks of a deep model are gathered one at a time
            sharded = fully_shard(block, mesh=mesh)
            if self.work.device == "cpu":
                sharded.set_force_sum_reduction_for_comms(True)  # gloo has no average

    def configure_optimizers(self) -> torch.optim.Optimizer:
        made = self.work.optimizer(self.model.parameters())
        self.rates = [group["lr"] for group in made.param_groups]
        return made

    def on_train_start(self) -> None:
        """Go on from the checkpoint, which only the first process has read."""
        kept = [torch.load(self.work.file, map_location="cpu", weights_only=True) if self.begun() else None]
        model, made, first = self.model, self.trainer.optimizers[0], self.rank == 0
        found: list[Any] = [kept[0]["losses"] if kept[0] else []]
        distributed.broadcast_object_list(found)
        if found[0]:
            self.losses = found[0]
            whole.set_model_state_dict(model, kept[0]["model"] if first else {}, options=SPREAD)  # type: ignore[index]
            whole.set_optimizer_state_dict(model, made, kept[0]["optimizer"] if first else {}, options=SPREAD)  # type: ignore[index]

    def begun(self) -> bool:
        return self.rank == 0 and self.work.file.exists()

    def training_step(self, step: int) -> Tensor:
        work, place = self.work, self.device
        if work.schedule is not None:
            for group, rate in zip(self.trainer.optimizers[0].param_groups, self.rates, strict=True):
                group["lr"] = rate * work.schedule(step)
        mine = [part[rows(len(part), self.rank, work.world)].to(place) for part in work.batch(step)]
        with torch.autocast(place.type, dtype=torch.bfloat16, enabled=work.precision == "bf16"):
            loss = work.loss(self.model, *mine)
        if loss.dim():
            raise ValueError(f"loss(model, *batch) is the mean over the rows, a scalar, got shape {tuple(loss.shape)}")
        self.last = loss.detach()
        return loss

    def on_train_batch_end(self, outputs: Any, batch: int, batch_idx: int) -> None:
        """The mean loss of all processes, and in the same message whether it is time to save."""
        now = time.monotonic()
        due = self.rank == 0 and now - self.saved_at >= self.work.checkpoint_every
        said = torch.tensor([float(self.last) / self.work.world, float(due)], dtype=torch.float64, device=self.device)
        distributed.all_reduce(said)
        loss, save = said.tolist()
        self.losses.append(loss)
        done = len(self.losses)
        if self.rank == 0 and (now - self.told_at >= REPORT_EVERY or done == self.work.steps):
            self.told_at = now
            self.tell({"step": done, "steps": self.work.steps, "loss": loss})
        if save or done == self.work.steps:
            self.save(done == self.work.steps)

    def save(self, finished: bool) -> None:
        """Gather what all processes hold; the first one writes it."""
        import io

        model = whole.get_model_state_dict(self.model, options=FULL)
        made = whole.get_optimizer_state_dict(self.model, self.trainer.optimizers[0], options=FULL)
        if self.rank == 0:
            buffer = io.BytesIO()
            content = {"losses": self.losses, "model": model, "optimizer": None if finished else made}
            torch.save({**content, "finished": finished}, buffer)
            write_bytes(self.work.file, buffer.getvalue())
        self.saved_at = time.monotonic()


def strategy_of(work: Work) -> Strategy:
    """Lightning's strategy: replicas (ddp), or parameters, gradients and states in shards (fsdp, FSDP2)."""
    backend = "gloo" if work.device == "cpu" else "nccl"
    if work.strategy == "ddp":
        return DDPStrategy(process_group_backend=backend)
    return ModelParallelStrategy(data_parallel_size=work.world, tensor_parallel_size=1, process_group_backend=backend)


def main(work: Work, rank: int, done: int, lifeline: Connection, voice: Connection) -> None:
    """The life of one process; a failure is told as {"failed": traceback}."""
    import traceback

    hold(lifeline)
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": work.port, "WORLD_SIZE": work.world}
    own = {"RANK": rank, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": work.world, "GROUP_RANK": 0}
    os.environ.update({name: str(value) for name, value in {**place, **own}.items()})
    torch.set_num_threads(1)
    try:
        train(work, rank, done, voice.send)
    except BaseException:
        voice.send({"failed": traceback.format_exc()})
        raise SystemExit(1) from None


def train(work: Work, rank: int, done: int, tell: Callable[[Mapping[str, Any]], None]) -> None:
    """Drive one share through the steps that are left."""
    with warnings.catch_warnings():
        for message in LIGHTNINGS_OWN:
            warnings.filterwarnings("ignore", message=message)
        trainer = Trainer(
            accelerator="cpu" if work.device == "cpu" else "gpu",
            devices=work.world,
            strategy=strategy_of(work),
            plugins=[TorchElasticEnvironment()],
            max_epochs=1,
            gradient_clip_val=work.clip,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
        )
        share = Share(work, rank, tell)
        trainer.fit(share, train_dataloaders=range(done, work.steps))  # what it takes for batches: step numbers
    if len(share.losses) != work.steps:
        raise RuntimeError(f"training stopped after {len(share.losses)} of {work.steps} steps")
