"""The three data-scaling laws, and their fit by variable projection.

    pure     L = A·n^-a            Hestness 2017; Kaplan et al. 2020, eq. 1.2
    offset   L = E + A·n^-a        Hoffmann et al. 2022, approach 3, with the model size fixed
    shifted  L = E + A·(n + n0)^-a Hernandez et al. 2021 with the transferred data n0 constant

L is a loss, n a number of examples; E ≥ 0 is the floor, and n0 ≥ 0 the data that the base model is already worth.
For a given exponent a (and n0) the law is linear in E and A, which have a closed form; so only a (and n0) are
searched, on a grid and then around its best point: no starting values, no local minima missed. Weights 1/L² make the
residuals relative.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Law = Literal["pure", "offset", "shifted"]
LAWS: Mapping[Law, int] = {"pure": 2, "offset": 3, "shifted": 4}  # free parameters

EXPONENTS = np.geomspace(0.005, 4, 240)
SHIFTS = 60  # steps of the grid over n0, from a tenth of the smallest size to ten times the largest; and 0


@dataclass(frozen=True, eq=False)
class Curve:
    """One law with its parameters, fitted to mean losses at distinct sizes."""

    law: Law
    n: Floats  # (sizes,), ascending
    loss: Floats  # (sizes,)
    floor: float  # E
    scale: float  # A
    exponent: float  # a
    shift: float  # n0

    def predict(self, n: npt.ArrayLike) -> Floats:
        """The loss at n examples, in the units of the fitted losses."""
        return self.floor + self.scale * (np.asarray(n, float) + self.shift) ** -self.exponent

    @cached_property
    def residuals(self) -> Floats:
        """(loss - prediction) / loss at each size."""
        return 1 - self.predict(self.n) / self.loss

    @property
    def aicc(self) -> float:
        """M ln(RSS/M) + 2k + 2k(k+1)/(M-k-1), k with the variance; infinite where M - k - 1 is not positive."""
        count, free = len(self.n), LAWS[self.law] + 1
        if count - free - 1 <= 0:
            return float("inf")
        squares = max(float(self.residuals @ self.residuals), count * 1e-12)  # smaller ones are no evidence
        return count * math.log(squares / count) + 2 * free + 2 * free * (free + 1) / (count - free - 1)


def fit_law(law: Law, n: Floats, loss: Floats) -> Curve:
    """The least relative squares of one law at distinct ascending sizes n with mean losses; E, A ≥ 0."""
    exponents, shifts = np.meshgrid(EXPONENTS, _shifts(law, n), indexing="ij")
    squares = _project(law, n, loss, exponents.ravel(), shifts.ravel())[0]
    best = int(np.argmin(squares))
    exponent, shift = _refined(law, n, loss, exponents.ravel()[best], shifts.ravel()[best])
    _, floor, scale = _project(law, n, loss, np.array([exponent]), np.array([shift]))
    return Curve(law, n, loss, float(floor[0]), float(scale[0]), exponent, shift)


def _shifts(law: Law, n: Floats) -> Floats:
    if law != "shifted":
        return np.zeros(1)
    return np.concatenate([[0.0], np.geomspace(n[0] / 10, 10 * n[-1], SHIFTS)])


def _refined(law: Law, n: Floats, loss: Floats, exponent: float, shift: float) -> tuple[float, float]:
    """Descend from the best point of the grid, within its bounds."""
    from scipy.optimize import minimize  # half a second that commands without a fit need not wait

    unit = n[0] / 10
    bounds: list[tuple[float, float]] = [
        (float(np.log(EXPONENTS[0])), float(np.log(EXPONENTS[-1]))),
        (0.0, float(np.log1p(10 * n[-1] / unit))),
    ]
    free = 2 if law == "shifted" else 1

    def place(point: Floats) -> tuple[Floats, Floats]:
        return np.exp(point[:1]), unit * np.expm1(point[1:]) if free == 2 else np.zeros(1)

    def misfit(point: Floats) -> float:
        return 1e4 * float(_project(law, n, loss, *place(point))[0][0])

    found = minimize(
        misfit,
        np.array([np.log(exponent), np.log1p(shift / unit)][:free]),
        method="Nelder-Mead",
        bounds=bounds[:free],
        options={"xatol": 1e-7, "fatol": 1e-12, "maxiter": 400},
    )
    exponents, shifts = place(found.x)
    return float(exponents[0]), float(shifts[0])


def _project(law: Law, n: Floats, loss: Floats, exponents: Floats, shifts: Floats) -> tuple[Floats, Floats, Floats]:
    """For each (a, n0) of two (G,) arrays: the least squares of relative residuals, and its E and A, each (G,)."""
    middle = float(np.exp(np.mean(np.log(n))))  # sizes in units of it, so that nothing over- or underflows
    powers = ((n + shifts[:, None]) / middle) ** -exponents[:, None]
    weights = loss**-2.0
    mean_power, mean_loss = powers @ weights / weights.sum(), loss @ weights / weights.sum()
    centred = powers - mean_power[:, None]
    spread = np.maximum((centred**2) @ weights, 1e-300)
    slope = np.maximum((centred * weights) @ (loss - mean_loss) / spread, 0)
    floor = mean_loss - slope * mean_power
    through = floor < 0 if law != "pure" else np.ones_like(floor, bool)
    slope = np.where(through, powers @ (weights * loss) / (powers**2 @ weights), slope)
    floor = np.where(through, 0.0, floor)
    misses = 1 - (floor[:, None] + slope[:, None] * powers) / loss
    return (misses**2).sum(axis=1), floor, slope * middle**exponents
