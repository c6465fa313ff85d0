"""Many models as one: every parameter of a stacked model has a leading axis R, one entry per model.

The parameters of a stack live side by side in one buffer, their gradients in another, so that an optimizer step is a
handful of operations over the whole stack with a learning rate, a decay and a clip per model.  A model's numbers
depend neither on its company nor on its place in the stack.
"""

import fnmatch
import hashlib
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from suite.blocks import gradients
from suite.blocks.optim import fused

# Every parameter starts at a multiple of this many numbers and is padded with zeros: then vector instructions meet the
# same numbers in the same lanes whatever the stack's size, and a model stays bitwise itself.
ALIGN = 32
# The eager rules make several passes over the weights; blocks of about this many numbers stay in the cache meanwhile.
BLOCK = 1 << 17


class Rule(Protocol):
    """An elementwise update, in place on weight and state; see ``suite.blocks.optim``.

    It is called with tensors [R, n] and with lr and decay of [R, 1]; where ``per_parameter`` is true, with one
    parameter [R, ...] at a time and lr, decay of [R, 1, ...].  ``step`` counts from 1.  A rule with an attribute
    ``single_pass`` that is true goes over the numbers once and is not fed in blocks.
    """

    @property
    def state(self) -> tuple[str, ...]: ...

    @property
    def per_parameter(self) -> bool: ...

    def __call__(
        self, weight: Tensor, gradient: Tensor, state: tuple[Tensor, ...], lr: Tensor, decay: float | Tensor, step: int
    ) -> None: ...


@dataclass(frozen=True)
class Group:
    """Which rule updates which parameters of which models, with which rate and decay.

    rule     e.g. ``lion.Rule()``
    lr       one number, or R of them
    decay    likewise; vectors, that is parameters [R, n] such as biases and norm gains, only with ``decay_vectors``
    only     patterns of parameter names, e.g. ("embedding.*",); empty means all.  The first group that fits takes it
    models   the rows that it serves, e.g. range(0, 8); None means all.  By this, arms of different rules share a stack
    """

    rule: Any  # a Rule; checkers do not let a class constant stand for a property
    lr: float | Sequence[float] = field(kw_only=True)
    decay: float | Sequence[float] = field(default=0.0, kw_only=True)
    only: tuple[str, ...] = field(default=(), kw_only=True)
    models: Sequence[int] | None = field(default=None, kw_only=True)
    decay_vectors: bool = field(default=False, kw_only=True)

    def fits(self, row: int, name: str) -> bool:
        if self.models is not None and row not in self.models:
            return False
        return not self.only or any(fnmatch.fnmatchcase(name, pattern) for pattern in self.only)


@dataclass(frozen=True, kw_only=True)
class _Segment:
    """A rectangle of the buffers that one rule updates in one call, and its views."""

    rule: Rule
    rows: slice
    weight: Tensor
    gradient: Tensor
    state: tuple[Tensor, ...]
    base: Tensor  # lr before the schedule
    lr: Tensor
    decay: float | Tensor


def models_of(model: nn.Module) -> int:
    """R, the number of models in the stack.

    >>> stack = nn.Module(); stack.weight = nn.Parameter(torch.zeros(3, 4, 5)); models_of(stack)
    3
    """
    sizes = {parameter.shape[0] if parameter.ndim else 0 for parameter in model.parameters()}
    if len(sizes) != 1 or 0 in sizes:
        raise ValueError(f"the parameters of a stack share a leading axis, one entry per model; found {sorted(sizes)}")
    return sizes.pop()


def row_hashes(model: nn.Module) -> list[str]:
    """sha256 over the bytes of each model's parameters, in the order of their names: R strings."""
    found = [hashlib.sha256() for _ in range(models_of(model))]
    for name, parameter in sorted(model.named_parameters()):
        values = parameter.detach().cpu().contiguous().numpy()
        for row, digest in enumerate(found):
            digest.update(name.encode())
            digest.update(values[row].tobytes())
    return [digest.hexdigest() for digest in found]


class StackOptimizer(torch.optim.Optimizer):
    """Updates a stack by elementwise rules, with learning rate, decay and clip per model.

    schedule  multiplier(step) of every learning rate, a number or a tensor [R]; steps count from 0
    clip      largest global gradient norm of a model, one number or R (``inf``: none), as ``clip_grad_norm_`` per model

    The parameters of ``model`` become views of the buffer ``weights``; ``step`` gathers their gradients into the buffer
    ``gradients``.  Both are [R, P], a row for each model, or [1, R P], one parameter of all models after the other,
    where all models share rate, decay and schedule and none is clipped: then an update is one call over everything.
    A parameter without a gradient counts as one with a zero gradient, so that it still decays.  Build the optimizer
    after the model has been moved to its device.
    """

    def __init__(
        self,
        model: nn.Module,
        groups: Group | Sequence[Group],
        *,
        schedule: Callable[[int], float | Tensor] | None = None,
        clip: float | Sequence[float] | None = None,
    ) -> None:
        groups = [groups] if isinstance(groups, Group) else list(groups)
        named = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
        super().__init__(list(named.values()), {})
        self.models = models_of(model)
        self.schedule = schedule
        self.steps = 0
        runs = _runs(groups, self.models)
        owners = {name: tuple(_owner(groups, rows.start, name) for rows in runs) for name in named}
        order = sorted(named, key=lambda name: (owners[name], named[name].ndim <= 2))  # else as the model has them
        scheduled = schedule is not None and isinstance(schedule(0), Tensor)
        self.uniform = clip is None and not scheduled and len(runs) == 1 and all(map(_uniform, groups))
        self._lay_out({name: named[name] for name in order})
        self.clip = None if clip is None else self._column(clip)
        self.norms: Tensor | None = None
        self._seen = torch.zeros(self.models, dtype=torch.float64, device=self.weights.device)
        self._states: list[Tensor] = []
        self._segments = [
            segment
            for number, rows in enumerate([slice(0, 1)] if self.uniform else runs)
            for segment in self._cut(groups, rows, [(name, owners[name][number]) for name in order])
        ]
        self._state_elements = [
            sum(size[0].numel() * len(groups[_owner(groups, row, name)].rule.state) for name, size in named.items())
            for row in range(self.models)
        ]

    def _lay_out(self, named: Mapping[str, nn.Parameter]) -> None:
        first = next(iter(named.values()))
        self._columns: dict[str, slice] = {}
        self._shapes = {name: parameter.shape for name, parameter in named.items()}
        self._rows = 1 if self.uniform else self.models
        width = 0
        for name, parameter in named.items():
            if parameter.dtype != first.dtype or parameter.device != first.device:
                found = f"{name} is {parameter.dtype} on {parameter.device}"
                raise ValueError(f"all parameters of a stack share dtype and device; {found}")
            size = math.ceil(parameter[0].numel() / ALIGN) * ALIGN * (self.models // self._rows)
            self._columns[name] = slice(width, width + size)
            width += size
        self.weights = torch.zeros(self._rows, width, dtype=first.dtype, device=first.device)
        self.gradients = torch.zeros_like(self.weights)
        self._parameters: list[tuple[nn.Parameter, Tensor]] = []  # with the view of the gradient
        for name, parameter in named.items():
            view, gradient = (self._view(buffer, name) for buffer in (self.weights, self.gradients))
            view.copy_(parameter.detach())
            parameter.data = view
            self._parameters.append((parameter, gradient))

    def _view(self, buffer: Tensor, name: str) -> Tensor:
        """The part of a buffer that is a parameter, in its shape; padding left out."""
        shape = self._shapes[name]
        part = buffer[:, self._columns[name]]
        part = part.view(self.models, -1) if self.uniform else part
        return part[:, : math.prod(shape[1:])].view(shape)

    def _column(self, values: float | Sequence[float], rows: slice = slice(None)) -> Tensor:
        """[rows, 1] of one number or of R numbers."""
        column = torch.as_tensor(values, dtype=torch.float64).flatten()
        if len(column) not in (1, self.models):
            raise ValueError(f"expected one number or {self.models}, one per model; got {len(column)}")
        if self.uniform:
            return column[:1].to(self.weights).view(1, 1)
        return column.expand(self.models)[rows].to(self.weights).reshape(-1, 1).contiguous()

    def _cut(self, groups: Sequence[Group], rows: slice, owned: Sequence[tuple[str, int]]) -> Iterable[_Segment]:
        """The segments of these rows: neighbouring parameters of one owner that all decay, or all do not."""
        pieces: list[tuple[tuple[int, bool], list[str]]] = []
        for name, owner in owned:
            key = (owner, groups[owner].decay_vectors or len(self._shapes[name]) > 2)
            if pieces and pieces[-1][0] == key and not groups[owner].rule.per_parameter:
                pieces[-1][1].append(name)
            else:
                pieces.append((key, [name]))
        for (owner, decays), names in pieces:
            columns = slice(self._columns[names[0]].start, self._columns[names[-1]].stop)
            shape = self._shapes[names[0]][1:] if groups[owner].rule.per_parameter else None
            yield from self._segment(groups[owner], decays, rows, columns, shape)

    def _segment(
        self, group: Group, decays: bool, rows: slice, columns: slice, shape: Sequence[int] | None
    ) -> Iterable[_Segment]:
        """One rectangle in blocks that fit the cache; ``shape`` is that of a parameter that must stay whole."""
        width = math.ceil((columns.stop - columns.start) / ALIGN) * ALIGN
        height = rows.stop - rows.start
        state = [self.weights.new_zeros(height, width) for _ in group.rule.state]
        self._states.extend(state)
        on_cpu = self.weights.device.type == "cpu"
        once = getattr(group.rule, "single_pass", False)
        wide = BLOCK if on_cpu and shape is None and not once else width
        high = max(1, BLOCK // width) if on_cpu and not once else height
        for top, left in itertools.product(range(0, height, high), range(0, width, wide)):
            count, size = min(high, height - top), min(wide, width - left)  # padding included: no ragged ends
            inner = (slice(top, top + count), slice(left, left + (math.prod(shape) if shape is not None else size)))
            outer = tuple(
                slice(s.start + o, s.stop + o) for s, o in zip(inner, (rows.start, columns.start), strict=True)
            )
            whole = (count, *(shape if shape is not None else (size,)))
            one = (count,) + (1,) * (len(whole) - 1)
            lr, decay = (self._column(values, outer[0]).view(one) for values in (group.lr, group.decay))
            weight, gradient = self.weights[outer].view(whole), self.gradients[outer].view(whole)
            kept = tuple(tensor[inner].view(whole) for tensor in state)
            if once:
                fused.keep_rows(weight, gradient, *kept)
            yield _Segment(
                rule=group.rule,
                rows=outer[0],
                weight=weight,
                gradient=gradient,
                state=kept,
                base=lr,
                lr=lr.clone(),
                decay=decay if decays and bool(decay.any()) else 0.0,
            )

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update of every model; the closure, where given, computes the loss and the gradients first."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self.update()
        return loss

    @torch.no_grad()
    def update(self) -> None:
        """``step`` without a closure and without the marks that torch puts around it for its profiler."""
        self.gather()
        if self.schedule is not None:
            self._schedule(self.schedule(self.steps))
        if self.clip is not None:
            self.norms = self.gradient_norms()
            factors = (self.clip / (self.norms.view(-1, 1) + 1e-6)).clamp_(max=1.0)
            if factors.is_cuda or not bool((factors == 1).all()):  # a pass over the numbers; NaN is not 1
                self.gradients.mul_(factors)
        self.steps += 1
        for segment in self._segments:
            segment.rule(segment.weight, segment.gradient, segment.state, segment.lr, segment.decay, self.steps)

    def _schedule(self, multiplier: float | Tensor) -> None:
        for segment in self._segments:
            if isinstance(multiplier, Tensor):
                if self.uniform:
                    raise ValueError("schedule= returned a number for step 0 and now a tensor; return one kind always")
                torch.mul(
                    segment.base, multiplier[segment.rows].to(segment.base).view(segment.base.shape), out=segment.lr
                )
            else:
                torch.mul(segment.base, multiplier, out=segment.lr)

    def gather(self) -> None:
        """Copy every parameter's gradient into the buffer ``gradients``, unless it was left there."""
        for parameter, view in self._parameters:
            found = parameter.grad
            if found is None:
                view.zero_()
            elif found.data_ptr() != view.data_ptr():
                view.copy_(found)
            gradients.withdraw(parameter)

    def expect(self) -> None:
        """Before a backward pass: drop every parameter's gradient, and offer the buffer for the new ones."""
        for parameter, view in self._parameters:
            parameter.grad = None
            if view.is_contiguous():
                gradients.offer(parameter, view)

    def gradient_norms(self) -> Tensor:
        """Global norm of each model's gathered gradient [R]."""
        whole = self.gradients
        if self.uniform:
            whole = torch.cat([view.flatten(1) for _, view in self._parameters], 1)
        return torch.linalg.vector_norm(whole, dim=1)

    @torch.no_grad()
    def note(self, losses: Tensor) -> None:
        """Remember the models whose loss [R] is not finite: they are lost."""
        self._seen.add_(losses)  # once it is not finite it stays so

    @property
    def lost(self) -> Tensor:
        """Which models [R] have had a loss that is not finite."""
        return ~self._seen.isfinite()

    @torch.no_grad()
    def wipe_lost(self) -> None:
        """Make the weights of lost models NaN: as sign(NaN) is 0, a sign rule would freeze them at finite weights."""
        lost = self.lost
        for parameter, _ in self._parameters:
            parameter.masked_fill_(lost.view(-1, *[1] * (parameter.ndim - 1)), math.nan)

    def state_elements(self) -> list[int]:
        """Numbers of optimizer state that each model keeps, padding left out."""
        return list(self._state_elements)

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps, "seen": self._seen, "state": list(self._states)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        self.steps = int(state_dict["steps"])
        self._seen.copy_(state_dict["seen"])
        for tensor, value in zip(self._states, state_dict["state"], strict=True):
            tensor.copy_(value)


def _runs(groups: Sequence[Group], models: int) -> list[slice]:
    """Stretches of neighbouring rows that the same groups serve."""
    signatures = [tuple(group.models is None or row in group.models for group in groups) for row in range(models)]
    starts = [row for row in range(models) if row == 0 or signatures[row] != signatures[row - 1]]
    return [slice(start, stop) for start, stop in zip(starts, [*starts[1:], models], strict=True)]


def _uniform(group: Group) -> bool:
    """Whether the group treats all models alike, and its rule takes numbers in any arrangement."""
    one = (
        len({values} if isinstance(values, (int, float)) else set(values)) == 1 for values in (group.lr, group.decay)
    )
    return group.models is None and not group.rule.per_parameter and all(one)


def _owner(groups: Sequence[Group], row: int, name: str) -> int:
    for number, group in enumerate(groups):
        if group.fits(row, name):
            return number
    raise ValueError(
        f"no group updates parameter {name!r} of model {row}; end the list with a group that fits every parameter"
    )
