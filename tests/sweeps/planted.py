"""Simulated data-scaling experiments with a known truth: what an interval claims can be counted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit, logit, ndtri

from sweeps.scaling.fit import ScalingFit, fit_many
from sweeps.scaling.laws import Floats

SIZES: Floats = np.geomspace(32.0, 8192.0, 9)
SEEDS = 3
WITHIN, BEYOND = 1_500.0, 30_000.0  # sizes to be found: interpolated, and at 3.7 times the largest

Noise = Literal["free", "nested", "blocks", "shift"]
Law = Callable[[Floats], Floats]
Fits = list[ScalingFit]


def drawn(chance: np.random.Generator, shape: tuple[int, int, int], noise: Noise) -> Floats:
    """(experiments, seeds, sizes) of noise, of which a run by itself has a standard deviation of 1.

    free: each run for itself. nested: the runs of a seed, each of whose subsets holds those before it; a mean over n
    examples, of which it shares n/m with the one of m, correlates with it by √(n/m). blocks: as free, and each seed as
    much again for all its sizes together. shift: that alone, but for a tenth.
    """
    own = chance.standard_normal(shape)
    if noise == "nested":
        shares = np.sqrt(np.minimum.outer(SIZES, SIZES) / np.maximum.outer(SIZES, SIZES))
        return np.asarray(own @ np.linalg.cholesky(shares).T)
    if noise == "free":
        return own
    return np.asarray((own if noise == "blocks" else own / 10) + chance.standard_normal((*shape[:2], 1)))


@dataclass(frozen=True)
class Kind:
    """A true curve of losses and its noise, a coefficient of variation `cv` of one run."""

    name: str
    truth: Law
    cv: float
    noise: Noise = "free"
    seeds: int = SEEDS

    def losses(self, experiments: int, seed: int) -> Floats:
        """(experiments, seeds, sizes)."""
        noise = drawn(np.random.default_rng(seed), (experiments, self.seeds, len(SIZES)), self.noise)
        return np.asarray(self.truth(SIZES) * (1 + self.cv * noise))

    def fits(self, experiments: int, size: float, seed: int = 0) -> Fits:
        """All experiments asked for the loss that the truth has at `size`, as anybody would ask."""
        return _asked(self.losses(experiments, seed), self.truth, size)


@dataclass(frozen=True)
class Accuracy:
    """A true curve of accuracies, which rises from chance, seen on items. The seeds' subsets nest.

    Its noise is .05 in the logit of a run's chance of a right answer, and its items: `alike` of what makes one of them
    hard is the item's own in all runs, the rest is new in each. Where they are not new altogether, the error over items
    of each run is said, as `sweep results` does.
    """

    name: str
    truth: Law
    chance: float
    seeds: int = SEEDS
    items: int = 512
    alike: float = 0.9

    def accuracies(self, experiments: int, seed: int) -> Floats:
        """(experiments, seeds, sizes)."""
        chance = np.random.default_rng(seed)
        right = expit(logit(self.truth(SIZES)) + 0.05 * drawn(chance, (experiments, self.seeds, len(SIZES)), "nested"))
        if not self.alike:
            return np.asarray(chance.binomial(self.items, right) / self.items)
        shares = np.zeros_like(right)
        for place, skill in enumerate(ndtri(right)):
            own, new = chance.standard_normal(self.items), chance.standard_normal((*skill.shape, self.items))
            hard = np.sqrt(self.alike) * own + np.sqrt(1 - self.alike) * new
            shares[place] = (hard < skill[:, :, None]).mean(axis=2)
        return shares

    def fits(self, experiments: int, size: float, seed: int = 0) -> Fits:
        """All experiments asked for the accuracy that the truth has at `size`."""
        shares = self.accuracies(experiments, seed)
        error = np.sqrt(shares * (1 - shares) / (self.items - 1)) if self.alike else None
        return _asked(shares, self.truth, size, chance=self.chance, error=error)


def _asked(
    values: Floats, truth: Law, size: float, *, chance: float | None = None, error: Floats | None = None
) -> Fits:
    """Fits of (experiments, seeds, sizes) values with the true value at `size` as their target."""
    experiments, seeds, count = values.shape
    return fit_many(
        np.tile(SIZES, seeds),
        values.reshape(experiments, -1),
        seed=np.repeat(np.arange(seeds), count),
        targets=float(truth(np.array([size]))[0]),
        chance=chance,
        error=None if error is None else error.reshape(experiments, -1),
    )


def offset(exponent: float) -> Callable[[Floats], Floats]:
    return lambda n: np.asarray(1.2 + 3.0 * n**-exponent)


def plateau(n: Floats) -> Floats:
    """The shifted law of a base model that is worth 100 examples; noise of 1 % hides that it begins flat."""
    return np.asarray(1.2 + 8.0 * (n + 100.0) ** -0.4)


def pure(n: Floats) -> Floats:
    return np.asarray(6.0 * n**-0.15)


def bounded(chance: float, floor: float, exponent: float, shift: float) -> Law:
    """Accuracies that rise from chance to 1 - floor."""
    return lambda n: np.asarray(1 - floor - (1 - chance - floor) * (1 + n / shift) ** -exponent)


TABLE: Mapping[str, tuple[Law, float]] = {
    "cv .3%": (offset(0.3), 0.003),
    "cv 1%": (offset(0.3), 0.01),
    "shallow a=.15, cv .5%": (offset(0.15), 0.005),
    "plateau, cv 1%": (plateau, 0.01),
    "pure, cv .5%": (pure, 0.005),
}
KINDS = tuple(
    Kind(f"{name}, {noise}", *what, noise=noise)
    for noise in ("free", "nested", "blocks")
    for name, what in TABLE.items()
)
TWO_SEEDS = tuple(
    Kind(f"{name}, {noise}, 2 seeds", *what, noise=noise, seeds=2)
    for noise in ("nested", "blocks", "shift")
    for name, what in TABLE.items()
)
SHIFTS = tuple(Kind(f"{name}, shift", *what, noise="shift") for name, what in TABLE.items())
CHOICE, WRITTEN, EASY = bounded(0.25, 0.1, 0.5, 100.0), bounded(0.0, 0.1, 0.5, 100.0), bounded(0.25, 0.02, 0.9, 60.0)
ACCURACIES = (
    Accuracy("chosen of 4", CHOICE, 0.25),
    Accuracy("chosen of 4, 2 seeds", CHOICE, 0.25, seeds=2),
    Accuracy("written", WRITTEN, 0.0),
    Accuracy("written, 2 seeds", WRITTEN, 0.0, seeds=2),
    Accuracy("easy", EASY, 0.25),
    Accuracy("chosen, 2,048 new items each", CHOICE, 0.25, items=2048, alike=0.0),
    Accuracy("written, 2,048 new items each", WRITTEN, 0.0, items=2048, alike=0.0),
)
EVERY: Sequence[Kind | Accuracy] = (*KINDS, *SHIFTS, *TWO_SEEDS, *ACCURACIES)


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
        bounded = [answer for answer in answers if answer and answer.low is not None]
        bounds = [(answer.low or 0.0, answer.high or np.inf) for answer in bounded]
        return cls(
            len(bounded) / len(fits),
            sum(low <= size <= high for low, high in bounds) / max(len(bounded), 1),
            sum(np.isinf(high) for _, high in bounds) / max(len(bounded), 1),
            float(np.median([high / low for low, high in bounds])) if bounds else np.inf,
        )
