"""Simulated data-scaling experiments with a known truth: what an interval claims can be counted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sweeps.laws import Floats
from sweeps.scaling import ScalingFit, fit_many

SIZES: Floats = np.geomspace(32.0, 8192.0, 9)
SEEDS = 3
WITHIN, BEYOND = 1_500.0, 30_000.0  # sizes to be found: interpolated, and at 3.7 times the largest

Noise = Literal["free", "nested", "blocks"]


@dataclass(frozen=True)
class Kind:
    """A true curve and its noise, a coefficient of variation `cv` of one run, in one of three ways.

    free: each run for itself. nested: the runs of a seed, each of whose subsets holds those before it; a mean over n
    examples, of which it shares n/m with the one of m, correlates with it by √(n/m). blocks: as free, and each seed as
    much again for all its sizes together.
    """

    name: str
    truth: Callable[[Floats], Floats]
    cv: float
    noise: Noise = "free"

    def losses(self, experiments: int, seed: int) -> Floats:
        """(experiments, SEEDS, sizes)."""
        chance = np.random.default_rng(seed)
        shape = (experiments, SEEDS, len(SIZES))
        drawn = chance.standard_normal(shape)
        if self.noise == "nested":
            shares = np.sqrt(np.minimum.outer(SIZES, SIZES) / np.maximum.outer(SIZES, SIZES))
            drawn = drawn @ np.linalg.cholesky(shares).T
        elif self.noise == "blocks":
            drawn = drawn + chance.standard_normal((*shape[:2], 1))
        return np.asarray(self.truth(SIZES) * (1 + self.cv * drawn))

    def fits(self, experiments: int, size: float, seed: int = 0) -> list[ScalingFit]:
        """All experiments asked for the loss that the truth has at `size`, as anybody would ask."""
        target = float(self.truth(np.array([size]))[0])
        runs = self.losses(experiments, seed).reshape(experiments, -1)
        return fit_many(np.tile(SIZES, SEEDS), runs, seed=np.repeat(np.arange(SEEDS), len(SIZES)), targets=target)


def offset(exponent: float) -> Callable[[Floats], Floats]:
    return lambda n: np.asarray(1.2 + 3.0 * n**-exponent)


def plateau(n: Floats) -> Floats:
    """The shifted law of a base model that is worth 100 examples; noise of 1 % hides that it begins flat."""
    return np.asarray(1.2 + 8.0 * (n + 100.0) ** -0.4)


TABLE: Mapping[str, tuple[Callable[[Floats], Floats], float]] = {
    "cv .3%": (offset(0.3), 0.003),
    "cv 1%": (offset(0.3), 0.01),
    "shallow a=.15, cv .5%": (offset(0.15), 0.005),
    "plateau, cv 1%": (plateau, 0.01),
}
KINDS = tuple(
    Kind(f"{name}, {noise}", *what, noise=noise)
    for noise in ("free", "nested", "blocks")
    for name, what in TABLE.items()
)


@dataclass(frozen=True)
class Coverage:
    """Of many experiments, shares: answered with an interval, of those holding the truth, of those open above."""

    answered: float
    covered: float
    open: float
    width: float  # median of high / low, open ones counted as infinite

    @classmethod
    def of(cls, fits: Sequence[ScalingFit], size: float) -> "Coverage":
        answers = [fit.minimum_data for fit in fits]
        told = [answer for answer in answers if answer and answer.low is not None]
        bounds = [(answer.low or 0.0, answer.high or np.inf) for answer in told]
        return cls(
            len(told) / len(fits),
            sum(low <= size <= high for low, high in bounds) / max(len(told), 1),
            sum(np.isinf(high) for _, high in bounds) / max(len(told), 1),
            float(np.median([high / low for low, high in bounds])) if bounds else np.inf,
        )
