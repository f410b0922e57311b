"""An adapter under training: the gradient gathered since the last step, and Adam (Kingma and Ba, 2015)."""

import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinker_offline.ngram import Adapter, Flags, Floats, Gradient

Block = slice | npt.NDArray[np.intp]
Arrays = Mapping[str, npt.NDArray[Any]]


class AdamParams(NamedTuple):
    """As clients of the service send them. Weight decay is decoupled; a `grad_clip_norm` of 0 clips nothing."""

    learning_rate: float = 1e-4
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-12
    weight_decay: float = 0.0
    grad_clip_norm: float = 0.0


@dataclass
class Learner:
    """The state of one live model. Gradient and moments come into being when they are first needed."""

    adapter: Adapter
    first: Adapter | None = None
    second: Adapter | None = None
    steps: int = 0
    gradient: Gradient | None = None

    def pending(self) -> Gradient:
        """The gradient that the next step will use: the sum of every backward pass since the last step."""
        if self.gradient is None:
            reached: Flags = np.zeros(len(self.adapter.down), np.bool_)
            if self.second is not None:
                self.second.down.any(axis=1, out=reached)
            self.gradient = Gradient(self.adapter.zeros(), reached)
        return self.gradient

    def step(self, params: AdamParams) -> float:
        """Apply Adam to the pending gradient (zero, if there was none) and return its norm before clipping."""
        sums, reached = self.pending()
        norm = _norm(sums)
        if 0 < params.grad_clip_norm < norm:
            for array in sums:
                np.multiply(array, params.grad_clip_norm / norm, out=array)
        if self.first is None or self.second is None:
            self.first, self.second = self.adapter.zeros(), self.adapter.zeros()
        self.steps += 1
        dense = bool(params.weight_decay) or float(reached.mean()) > 0.5
        for name in Adapter._fields:
            state = _State(*(getattr(part, name) for part in (self.adapter, sums, self.first, self.second)))
            for at in _blocks(reached, self.adapter.rank, dense=dense) if name == "down" else [slice(None)]:
                _adam(state, at, params, self.steps)
        return norm

    def arrays(self) -> Arrays:
        """Everything that a checkpoint keeps. A gradient that was not applied is not part of it."""
        first, second = self.first or self.adapter.zeros(), self.second or self.adapter.zeros()
        parts = {"adapter": self.adapter, "first": first, "second": second}
        named = {f"{part}.{name}": array for part, whole in parts.items() for name, array in _named(whole)}
        return {**named, "steps": np.array(self.steps)}

    @classmethod
    def restored(cls, arrays: Arrays, *, with_optimizer: bool) -> "Learner":
        if not with_optimizer:
            return cls(adapter_from(arrays))
        first, second = adapter_from(arrays, "first"), adapter_from(arrays, "second")
        return cls(adapter_from(arrays), first, second, int(arrays["steps"]))


def adapter_arrays(adapter: Adapter) -> Arrays:
    return {f"adapter.{name}": array for name, array in _named(adapter)}


def adapter_from(arrays: Arrays, part: str = "adapter") -> Adapter:
    return Adapter(*(arrays[f"{part}.{name}"] for name in Adapter._fields))


def _named(adapter: Adapter) -> list[tuple[str, Floats]]:
    return list(zip(Adapter._fields, adapter, strict=True))


def _norm(gradient: Adapter) -> float:
    return float(np.sqrt(sum(float(np.vdot(array, array)) for array in gradient)))


def _blocks(reached: Flags, rank: int, *, dense: bool) -> Iterator[Block]:
    """The rows that a step has to visit, in blocks that fit in the cache.

    Where both moments are zero and no gradient ever came, Adam leaves a row as it is, to the bit; so visiting only
    the rows ever reached equals visiting all. Weight decay moves every row.
    """
    size = max(1, 2**15 // rank)
    if dense:
        yield from (slice(start, start + size) for start in range(0, len(reached), size))
    else:
        rows = np.flatnonzero(reached)
        yield from (rows[start : start + size] for start in range(0, len(rows), size))


class _State(NamedTuple):
    """What Adam knows of one parameter, all of one shape."""

    weights: Floats
    gradient: Floats
    first: Floats
    second: Floats


def _adam(state: _State, at: Block, params: AdamParams, step: int) -> None:
    """One step on the rows `at`, in place; uses the gradient up."""
    read = operator.itemgetter(at) if isinstance(at, slice) else operator.methodcaller("take", at, axis=0)
    weights, slope, mean, square = map(read, state)
    mean *= params.beta1
    mean += slope * (1 - params.beta1)
    square *= params.beta2
    np.square(slope, out=slope)
    slope *= 1 - params.beta2
    square += slope
    change = np.sqrt(square)
    change *= (1 - params.beta2**step) ** -0.5
    change += max(params.eps, 1e-30)
    np.divide(mean, change, out=change)
    change *= params.learning_rate / (1 - params.beta1**step)
    weights *= 1 - params.learning_rate * params.weight_decay
    weights -= change
    state.gradient[at] = 0
    if not isinstance(at, slice):  # a slice was worked on in place, rows are copies
        state.weights[at], state.first[at], state.second[at] = weights, mean, square
