"""The data-scaling laws, and what a fit of one is.

    pure     L = A·n^-a               Hestness 2017; Kaplan et al. 2020, eq. 1.2
    offset   L = E + A·n^-a           Hoffmann et al. 2022, approach 3, with the model size fixed
    shifted  L = E + A·(n + n0)^-a    Hernandez et al. 2021 with the transferred data n0 constant
    rectified  L = E + A/(1 + (n/n0)^a)   Lin et al. 2024, whose B and n0 are our A·n0^a and n0^a
    bounded  e = E + (e0 - E)·(1 + n/n0)^-a, the error of an accuracy, from that of chance e0 (known) down to E

L is a loss, n a number of examples; E ≥ 0 is the floor, and n0 ≥ 0 the data that the base model is already worth (in
the rectified and the bounded law: the size at which the loss begins to fall as a power). Losses weigh 1/L², so that
residuals are relative; errors weigh 1/(e(1 - e)), as counts of right answers do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from sweeps.scaling.least_squares import FitProblem, Floats, Law, Rows, solve

__all__ = ["FREE", "LAWS", "Curves", "Floats", "Law", "Rows", "find_influences", "fit_curves", "fit_law"]

LAWS: Mapping[Law, int] = {
    "pure": 2,
    "offset": 3,
    "shifted": 4,
    "rectified": 4,
}  # of losses, with their free parameters
FREE: Mapping[Law, int] = {**LAWS, "bounded": 3}
EXACT = 1e-12  # of a size's squares: smaller ones are no evidence of anything


@dataclass(frozen=True, eq=False)
class Curves:
    """One law fitted to R experiments with the same M sizes; most have R = 1."""

    law: Law
    n: Floats  # (M,), ascending
    loss: Floats  # (R, M) means over the seeds
    weights: Floats  # (R, M)
    floor: Floats  # (R,) E
    scale: Floats  # (R,) A; e0 - E in the bounded law
    exponent: Floats  # (R,) a
    shift: Floats  # (R,) n0; 0 in laws without
    ceiling: float = 1.0  # e0 of the bounded law

    def rows(self, rows: Rows) -> "Curves":
        """Select some experiments."""
        own = {name: getattr(self, name)[rows] for name in ("loss", "weights", "floor", "scale", "exponent", "shift")}
        return replace(self, **own)

    def power(self, n: Floats) -> Floats:
        """What falls with n, (R, N), for n (N,) or (R, N)."""
        shift, exponent = self.shift[:, None], self.exponent[:, None]
        if self.law == "rectified":
            return np.asarray(1 / (1 + (n / shift) ** exponent))
        return np.asarray((1 + n / shift if self.law == "bounded" else n + shift) ** -exponent)

    def predict(self, n: npt.ArrayLike) -> Floats:
        """The losses (R, N) at n (N,) or (R, N) examples, in the units of the fitted losses."""
        return np.asarray(self.floor[:, None] + self.scale[:, None] * self.power(np.atleast_1d(np.asarray(n, float))))

    def reaching(self, target: Floats) -> Floats:
        """The size at which each curve is down at its target (R,); infinite where the floor is not below it."""
        above = np.maximum(target - self.floor, 0)
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            share = np.where(above > 0, above / self.scale, 0.0)  # a flat curve has no scale
            if self.law == "rectified":
                return np.asarray(self.shift * np.maximum(1 / share - 1, 0) ** (1 / self.exponent))
            n = share ** (-1 / self.exponent)
        return np.asarray(np.maximum(self.shift * (n - 1) if self.law == "bounded" else n - self.shift, 0))

    @property
    def free(self) -> int:
        """Parameters of the law."""
        return FREE[self.law]

    @cached_property
    def residuals(self) -> Floats:
        """(R, M), each size's miss in the unit of its weight: for losses (loss - prediction) / loss."""
        return np.asarray(np.sqrt(self.weights) * (self.loss - self.predict(self.n)))

    @cached_property
    def squares(self) -> Floats:
        """(R,) sums of the squared residuals."""
        return np.asarray((self.residuals**2).sum(axis=1))

    @cached_property
    def variance(self) -> Floats:
        """(R,) of a size's mean about the curve, with sizes - parameters degrees of freedom."""
        count = len(self.n)
        return np.maximum(self.squares, count * EXACT) / max(count - self.free, 1)

    @property
    def aic(self) -> Floats:
        """(R,) M ln(RSS/M) + 2k, k with the variance."""
        count = len(self.n)
        return np.asarray(count * np.log(np.maximum(self.squares / count, EXACT)) + 2 * (self.free + 1))

    @property
    def aicc(self) -> Floats:
        """(R,) AIC + 2k(k+1)/(M-k-1), k with the variance; infinite where M - k - 1 is not positive."""
        free, spare = self.free + 1, len(self.n) - self.free - 2
        return self.aic + 2 * free * (free + 1) / spare if spare > 0 else np.full(len(self.loss), np.inf)

    @property
    def is_flat(self) -> npt.NDArray[np.bool_]:
        """(R,) does a constant fit as well, by AIC?"""
        count, total = len(self.n), self.weights.sum(axis=1, keepdims=True)
        mean = (self.weights * self.loss).sum(axis=1, keepdims=True) / total
        squares = (self.weights * (self.loss - mean) ** 2).sum(axis=1)
        return np.asarray(count * np.log(np.maximum(squares / count, EXACT)) + 4 <= self.aic)

    def slopes(self, n: Floats) -> Floats:
        """Derivatives of the curves at n (N,) or (R, N) by (E, log A, a, n0), (R, N, 4).

        A parameter that the law lacks, or that lies at its limit of 0, is taken as known: its column is 0.
        """
        g = self.power(n)
        fall = self.scale[:, None] * g
        shift, exponent = self.shift[:, None], self.exponent[:, None]
        bounded, rectified = self.law == "bounded", self.law == "rectified"
        by_floor = np.where(self.floor[:, None] > 0, 1 - g if bounded else np.ones_like(g), 0.0)
        by_scale = np.zeros_like(g) if bounded else fall
        if rectified:
            by_shift = fall * (1 - g) * exponent / shift
            by_exponent = -fall * (1 - g) * np.log(n / shift)
            return np.stack([by_floor, by_scale, by_exponent, by_shift], axis=-1)
        by_shift = fall * exponent * n / (shift * (shift + n)) if bounded else -fall * exponent / (n + shift)
        by_shift = np.where(shift > 0, by_shift, 0.0)
        by_exponent = -fall * np.log(1 + n / shift if bounded else n + shift)
        return np.stack([by_floor, by_scale, by_exponent, by_shift], axis=-1)


def find_influences(curves: Curves, at: Floats) -> Floats:
    """How a prediction at sizes `at` (R, Q) moves with each size's residual, to first order, (R, Q, M)."""
    slopes = curves.slopes(curves.n) * np.sqrt(curves.weights)[:, :, None]
    norms = np.maximum(np.linalg.norm(slopes, axis=1, keepdims=True), 1e-300)
    inverse = np.linalg.pinv(slopes / norms, rcond=1e-8)
    return np.asarray(curves.slopes(at) / norms @ inverse)


def fit_curves(law: Law, n: Floats, loss: Floats, *, ceiling: float = 1.0) -> Curves:
    """Fit by least weighted squares one law for R experiments: distinct ascending sizes n (M,), mean losses (R, M)."""
    weights = 1 / np.maximum(loss * (1 - loss), 0.01) if law == "bounded" else loss**-2.0
    solution = solve(FitProblem(law, n, loss, weights, ceiling))
    return Curves(law, n, loss, weights, solution.floor, solution.scale, solution.exponent, solution.shift, ceiling)


def fit_law(law: Law, n: Floats, loss: npt.ArrayLike, *, ceiling: float = 1.0) -> Curves:
    """Fit one experiment with losses (M,)."""
    return fit_curves(law, n, np.atleast_2d(np.asarray(loss, float)), ceiling=ceiling)
