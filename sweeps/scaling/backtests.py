"""Fit a law to fewer sizes and compare what it says of the others with what was measured there.

Two kinds of fits are made, all of them in one call of the solver. A rolling origin (Tashman 2000) fits the first k
sizes and forecasts the later ones, for every k. Leaving out one inner size shows how far the law is off between sizes.
"""

from dataclasses import dataclass, replace

import numpy as np

from sweeps.scaling.laws import EXACT, Curves, Floats, Rows, find_influences
from sweeps.scaling.least_squares import FitProblem, solve


@dataclass(frozen=True, eq=False)
class Backtests:
    """B forecasts of one law for R experiments, and its errors inside the sizes."""

    first: Rows  # (B,) sizes that the forecast was fitted on
    place: Rows  # (B,) of the size that was forecast
    horizon: Floats  # (B,) log of that size over the largest one that was fitted
    error: Floats  # (R, B) loss measured - forecast
    fall: Floats  # (R, B) by how much the loss was to fall from the largest size that was fitted
    relative: Floats  # (R, B) the error as a share of what was measured; of an accuracy, not of its error
    inside: Floats  # (R, I) relative errors at inner sizes, each fitted without it
    newest: Floats  # (R, 2) relative errors at the two largest sizes, fitted without them
    last: Floats  # (R, S) relative errors at the largest size, fitted without the 1, 2, ..., S largest
    known: Floats | None  # (R,) mean square of one-step errors over what the seeds' noise explains; None: not known

    def rows(self, rows: Rows) -> "Backtests":
        """Select some experiments."""
        own = {name: getattr(self, name)[rows] for name in ("error", "fall", "relative", "inside", "newest", "last")}
        return replace(self, **own, known=None if self.known is None else self.known[rows])


def run_backtests(curves: Curves, noise: tuple[Floats, Floats] | None) -> Backtests:
    """Make all forecasts of a law.

    `noise`: the variance of a run's residual (R,), and the covariance of the sizes' means as a multiple of it (M, M).
    """
    count, size = len(curves.loss), len(curves.n)
    starts = np.arange(curves.free, size)
    inner = np.arange(1, size - 1)
    places = np.arange(size)
    masks = np.concatenate([places < starts[:, None], places != inner[:, None]]).astype(float)
    fits = _refit(curves, masks)
    forecast = fits.predict(curves.n).reshape(count, len(masks), size)
    missed = curves.loss[:, None, :] - forecast
    shown = 1 - curves.loss if curves.law == "bounded" else curves.loss
    relative = missed / np.maximum(shown, 1e-12)[:, None, :]
    row, place = np.nonzero((places >= starts[:, None]) & (starts[:, None] > curves.free))
    first = starts[row]
    logs = np.log(curves.n)
    return Backtests(
        first,
        place,
        logs[place] - logs[first - 1],
        missed[:, row, place],
        np.abs(forecast[:, row, first - 1] - forecast[:, row, place]),
        relative[:, row, place],
        _relate(missed[:, len(starts) + np.arange(len(inner)), inner], curves.loss[:, inner]),
        relative[:, len(starts) - 2, -2:],
        relative[:, len(starts) - 1 :: -1, -1],
        None if noise is None else _compare_with_noise(curves, fits, masks[: len(starts)], missed, noise),
    )


def _relate(missed: Floats, loss: Floats) -> Floats:
    """Divide misses by their losses; a miss of a loss of 0, such as that of a perfect accuracy, is one of 100 %."""
    return np.asarray(missed / np.where(loss > 0, loss, np.maximum(np.abs(missed), 1e-300)))


def _refit(curves: Curves, masks: Floats) -> Curves:
    """Fit every experiment to the sizes of each mask (T, M): (R·T) curves."""
    count, tasks = len(curves.loss), len(masks)
    loss = np.repeat(curves.loss, tasks, axis=0)
    weights = np.repeat(curves.weights, tasks, axis=0) * np.tile(masks, (count, 1))
    task = FitProblem(curves.law, curves.n, loss, weights, curves.ceiling)
    solution = solve(task)
    return replace(
        curves,
        loss=loss,
        weights=weights,
        floor=solution.floor,
        scale=solution.scale,
        exponent=solution.exponent,
        shift=solution.shift,
    )


def _compare_with_noise(
    curves: Curves, fits: Curves, masks: Floats, missed: Floats, noise: tuple[Floats, Floats]
) -> Floats:
    """(R,) mean square of the one-step errors over their variance, were the law true and the runs' noise all.

    The recursive residuals of Brown, Durbin and Evans (1975): under a true law they are independent. Subsets that nest
    make neighbouring sizes alike. Whether they do is not known, so the variance is the larger one of both.
    """
    count, size = curves.loss.shape
    scatter, alike = noise
    tasks = len(fits.loss) // count
    starts = np.arange(len(masks))
    starts = starts[masks.sum(axis=1) > curves.free]
    if not len(starts):
        return np.full(count, np.inf)
    rows = (np.arange(count)[:, None] * tasks + starts).ravel()
    place = masks[starts].sum(axis=1).astype(int)
    at = np.tile(curves.n[place], count)[:, None]
    influence = find_influences(fits.rows(rows), at).reshape(count, len(starts), size)
    own = np.sqrt(curves.weights[:, place])
    vector = np.eye(size)[place] - influence * own[:, :, None]
    shares = np.maximum(((vector @ alike) * vector).sum(axis=2), (vector**2 * np.diag(alike)).sum(axis=2))
    variance = np.maximum(scatter[:, None] * shares, EXACT)
    squares = (missed[:, starts, place] * own) ** 2
    return np.asarray((squares / variance).mean(axis=1))
