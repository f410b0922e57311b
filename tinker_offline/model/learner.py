"""Train an adapter: accumulate a gradient, and apply Adam (Kingma and Ba, 2015)."""

import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinker_offline.model.ngram import Adapter, Flags, Floats, Gradient

Rows = npt.NDArray[np.intp]
Block = slice | Rows
Arrays = Mapping[str, npt.NDArray[Any]]
_BLOCK = 2**15  # numbers in a block
_SWEEP = 128  # steps between two checks for faded moments
_DENSE = 0.25  # share of rows from which visiting all is cheaper


class AdamParams(NamedTuple):
    """The optimizer's numbers. Weight decay is decoupled; a `grad_clip_norm` of 0 means no clipping."""

    learning_rate: float = 1e-4
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-12
    weight_decay: float = 0.0
    grad_clip_norm: float = 0.0


@dataclass
class Learner:
    """The state of one live model. Gradient and moments are created when first needed."""

    adapter: Adapter
    first: Adapter | None = None
    second: Adapter | None = None
    steps: int = 0
    gradient: Gradient | None = None
    reached: Flags | None = None

    def pending(self) -> Gradient:
        """Return the gradient for the next step: the sum of all backward passes since the last step."""
        if self.gradient is None:
            self.gradient = Gradient(self.adapter.zeros(), np.zeros(len(self.adapter.down), np.bool_))
        return self.gradient

    def step(self, params: AdamParams) -> float:
        """Apply Adam to the pending gradient (zero if there was none); return its norm before clipping."""
        gradient, touched = self.pending()
        first, second, reached = self._get_moments()
        reached |= touched
        norm = _compute_norm(gradient._replace(down=gradient.down.take(np.flatnonzero(touched), axis=0)))
        self.steps += 1
        pace = _step_factors(params, self.steps, norm)
        down, *others = (_State(*parts) for parts in zip(self.adapter, first, second, gradient, strict=True))
        for at in _split_blocks(reached, self.adapter.rank, every=pace.kept < 1):
            _apply_adam(down, at, pace)
        for state in others:
            _apply_adam(state, slice(None), pace)
        touched[...] = False
        if self.steps % _SWEEP == 0:
            _flush_faded(first.down, second.down)
        return norm

    def _get_moments(self) -> tuple[Adapter, Adapter, Flags]:
        """Return both moments, and which rows of `down` either of them covers."""
        first, second = self.first or self.adapter.zeros(), self.second or self.adapter.zeros()
        reached: Flags | None = self.reached
        if reached is None:
            reached = np.logical_or(first.down.any(axis=1), second.down.any(axis=1))
        self.first, self.second, self.reached = first, second, reached
        return first, second, reached

    def arrays(self) -> Arrays:
        """Return everything that a checkpoint keeps. A gradient that was not applied is not part of it."""
        first, second = self.first or self.adapter.zeros(), self.second or self.adapter.zeros()
        parts = {"adapter": self.adapter, "first": first, "second": second}
        named = {f"{part}.{name}": array for part, whole in parts.items() for name, array in _list_arrays(whole)}
        return {**named, "steps": np.array(self.steps)}

    @classmethod
    def restore(cls, arrays: Arrays, *, with_optimizer: bool) -> "Learner":
        if not with_optimizer:
            return cls(read_adapter(arrays))
        first, second = read_adapter(arrays, "first"), read_adapter(arrays, "second")
        return cls(read_adapter(arrays), first, second, int(arrays["steps"]))


def list_adapter_arrays(adapter: Adapter) -> Arrays:
    return {f"adapter.{name}": array for name, array in _list_arrays(adapter)}


def read_adapter(arrays: Arrays, part: str = "adapter") -> Adapter:
    named = {name: arrays[f"{part}.{name}"] for name in Adapter._fields if f"{part}.{name}" in arrays}
    return Adapter(**named)


def _list_arrays(adapter: Adapter) -> list[tuple[str, Floats]]:
    """List the arrays by name; empty ones are not written."""
    return [(name, array) for name, array in zip(Adapter._fields, adapter, strict=True) if array.size]


def _compute_norm(gradient: Adapter) -> float:
    return float(np.sqrt(sum(float(np.vdot(array, array)) for array in gradient)))


def _split_blocks(reached: Flags, rank: int, *, every: bool) -> Iterator[Block]:
    """Yield the rows that a step visits, in blocks.

    Where both moments are zero and no gradient came, Adam changes nothing, to the bit; so visiting the rows
    ever reached equals visiting `every` one. Weight decay has to visit all.
    """
    size = max(1, _BLOCK // rank)
    if every or np.count_nonzero(reached) > _DENSE * len(reached):
        yield from (slice(start, start + size) for start in range(0, len(reached), size))
    else:
        some = np.flatnonzero(reached)
        yield from (some[start : start + size] for start in range(0, len(some), size))


def _flush_faded(first: Floats, second: Floats) -> None:
    """Set the moments of rows without recent gradients to 0.

    They would shrink to subnormal numbers and stay there, where arithmetic is ten times slower. The loss is far
    below the precision of any weight.
    """
    for moment, least in ((first, 1e-20), (second, 1e-30)):
        moment[np.abs(moment) < least] = 0


class _State(NamedTuple):
    """What Adam knows about one parameter; all arrays have one shape."""

    weights: Floats
    first: Floats
    second: Floats
    slopes: Floats


class _StepFactors(NamedTuple):
    """The numbers of one step, with both bias corrections included."""

    beta1: float
    beta2: float
    eps: float
    rate: float
    kept: float  # of every weight, after its decay
    clip: float  # of every slope, after its clipping


def _step_factors(params: AdamParams, step: int, norm: float) -> _StepFactors:
    unbiased = (1 - params.beta2**step) ** 0.5
    rate = params.learning_rate * unbiased / (1 - params.beta1**step)
    kept = 1 - params.learning_rate * params.weight_decay
    clip = params.grad_clip_norm / norm if 0 < params.grad_clip_norm < norm else 1
    return _StepFactors(params.beta1, params.beta2, max(params.eps, 1e-30) * unbiased, rate, kept, clip)


def _apply_adam(state: _State, at: Block, pace: _StepFactors) -> None:
    """Do one step on the rows `at`, in place, and set their slopes to 0."""
    read = operator.itemgetter(at) if isinstance(at, slice) else operator.methodcaller("take", at, axis=0)
    weights, mean, square, slopes = map(read, state)
    if pace.clip < 1:
        slopes *= pace.clip
    mean *= pace.beta1
    change = slopes * (1 - pace.beta1)
    mean += change
    square *= pace.beta2
    np.square(slopes, out=change)
    change *= 1 - pace.beta2
    square += change
    np.sqrt(square, out=change)
    change += pace.eps
    np.divide(mean, change, out=change)
    change *= pace.rate
    if pace.kept < 1:
        weights *= pace.kept
    weights -= change
    state.slopes[at] = 0
    if not isinstance(at, slice):  # a slice was changed in place; rows are copies
        state.weights[at], state.first[at], state.second[at] = weights, mean, square
