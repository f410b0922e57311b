"""Compare a law with one that bends, by what both said of sizes that they had not seen.

The broken law of Caballero et al. 2023 (arXiv 2210.14891) with one break,

    L = E + S·n^-c·(1 + (n/d)^(1/f))^(-(c' - c)·f)

falls with the exponent c before the size d and with c' behind it; f is how gradual the change is. Its six parameters
are too many to answer with. But if it forecast the largest sizes much better than the chosen law, there is a bend: the
answer warns, and its band holds what the broken law says as well.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sweeps.formatting import percent
from sweeps.scaling.backtests import Backtests
from sweeps.scaling.laws import Curves, Floats

Truths = npt.NDArray[np.bool_]
FEWEST = 7  # sizes that the broken law is fitted to
NEWEST, FORECASTS = 3, 3  # origins whose forecasts are compared, and the fewest forecasts
BETTER = 3.0  # times closer, in the root mean square, are the forecasts of a law that is believed to bend
SMALL = 0.005  # relative error of forecasts: a law that is off by less needs no bend
BEFORE = np.array([0.005, 0.02, 0.05, 0.1, 0.17, 0.27, 0.4, 0.6, 0.9])
BEHIND = np.array([0.005, 0.03, 0.07, 0.13, 0.2, 0.3, 0.45, 0.7, 1.1])
GRADUAL = np.array([0.15, 0.5])
ALIKE = 0.1  # exponents whose logarithms are nearer are no bend
STEP, SHIFT = 0.35, 0.6  # of the first zoom: of the logarithms of exponents; of the sizes', as a share of the grid's
ZOOMS, NARROWER = 6, 0.55  # how often the search is zoomed in, and by which factor


@dataclass(frozen=True, eq=False)
class Bend:
    """A broken law that forecast better than the chosen law; errors are root mean squares, relative."""

    place: Floats  # (4,): both exponents, the logarithm of d, f
    floor: float
    scale: float
    middle: float  # the logarithm of the unit of the sizes
    law_error: float
    error: float

    @property
    def size(self) -> float:
        """The size at which the curve bends."""
        return float(np.exp(self.place[2]))

    def predict(self, n: Floats) -> Floats:
        """The losses at sizes n, of the same shape."""
        logs = np.log(np.clip(n, 1e-300, 1e300))
        power = _compute_power(self.place[None], logs.reshape(-1), self.middle)[0]
        return np.asarray(self.floor + self.scale * power).reshape(n.shape)

    def describe(self) -> str:
        """Say where the curve bends, and by how much better a law that bends there forecast the largest sizes."""
        errors = f"off by {percent(self.error, 1)} instead of {percent(self.law_error, 1)}"
        better = f"fitted to the smaller sizes, a law with a bend there was nearer to the largest ({errors})"
        return f"the curve bends at a size of about {float(f'{self.size:.2g}'):,.0f}: {better}"


def find_bends(curves: Curves, tests: Backtests, kept: Floats) -> tuple[Bend | None, ...]:
    """Find for each experiment the bend, if a broken law forecast better; `kept` (R,): 0 where noise explains errors.

    Asked of losses only: an accuracy begins with a plateau, which the bounded law has.
    """
    if curves.law == "bounded" or len(curves.n) < FEWEST + 2:
        return (None,) * len(curves.loss)
    newest = tests.first >= max(FEWEST, len(curves.n) - NEWEST)
    if newest.sum() < FORECASTS:
        return (None,) * len(curves.loss)
    errors = np.sqrt((tests.relative[:, newest] ** 2).mean(axis=1))
    asked = (errors > SMALL) & (kept > 0)
    return tuple(
        _compare_with_bend(curves, tests, row, newest, float(errors[row])) if asked[row] else None
        for row in range(len(curves.loss))
    )


def _compare_with_bend(curves: Curves, tests: Backtests, row: int, newest: Truths, law_error: float) -> Bend | None:
    """Fit the broken law to the first sizes as the law was, and then to all, if its forecasts were better."""
    n, loss, weights = curves.n, curves.loss[row], curves.weights[row]
    squares = []
    for first in np.unique(tests.first[newest]):
        bend = _fit_bend(n[:first], loss[:first], weights[:first])
        places = tests.place[newest & (tests.first == first)]
        squares += ((1 - bend.predict(n[places]) / loss[places]) ** 2).tolist()
    error = float(np.sqrt(np.mean(squares)))
    if law_error <= BETTER * error:
        return None
    return replace(_fit_bend(n, loss, weights), law_error=law_error, error=error)


def _fit_bend(n: Floats, loss: Floats, weights: Floats) -> Bend:
    """Fit by least weighted squares: on a grid, then on ever finer ones about the best place."""
    logs = np.log(n)
    bends = np.linspace(logs[1], logs[-2], 2 * (len(n) - 3) + 1)
    grid = _cross(BEFORE, BEHIND, bends, GRADUAL)
    grid = grid[np.abs(np.log(grid[:, 0] / grid[:, 1])) > ALIKE]
    fit = _choose_place(grid, logs, loss, weights)
    around = _cross(*[np.linspace(-1, 1, 5)] * 3)
    step = np.array([STEP, STEP, SHIFT * (bends[1] - bends[0])])
    for _ in range(ZOOMS):
        places = np.repeat(fit.place[None], len(around), axis=0)
        places[:, :2] *= np.exp(around[:, :2] * step[:2])
        places[:, 2] = np.clip(places[:, 2] + around[:, 2] * step[2], logs[1], logs[-2])
        fit, step = _choose_place(places, logs, loss, weights), step * NARROWER
    return fit


def _choose_place(places: Floats, logs: Floats, loss: Floats, weights: Floats) -> Bend:
    """Choose of places (P, 4) the one with the least squares; E and S have a closed form, and neither is negative."""
    middle = float(logs.mean())
    g = _compute_power(places, logs, middle)
    total, y = weights.sum(), (weights * loss).sum()
    sums, squares, products = g @ weights, g**2 @ weights, g @ (weights * loss)
    scale = np.maximum((total * products - sums * y) / np.maximum(total * squares - sums**2, 1e-300), 0)
    floor = (y - scale * sums) / total
    scale, floor = np.where(floor < 0, products / squares, scale), np.maximum(floor, 0)
    missed = (loss - floor[:, None] - scale[:, None] * g) ** 2 @ weights
    best = int(missed.argmin())
    return Bend(places[best], float(floor[best]), float(scale[best]), middle, 0.0, 0.0)


def _compute_power(places: Floats, logs: Floats, middle: float) -> Floats:
    """(P, M) what falls with the size."""
    before, behind, bend, gradual = (places[:, column, None] for column in range(4))
    along = np.logaddexp(0, (logs - bend) / gradual) * gradual
    return np.asarray(np.exp(-before * (logs - middle) - (behind - before) * along))


def _cross(*axes: Floats) -> Floats:
    """(P, axes) all combinations."""
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
