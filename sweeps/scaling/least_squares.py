"""Least squares of a law for many experiments at once, by variable projection.

Every law is L(n) = E + S·g(n), where g falls and has one or two parameters (a, n0). For given a and n0 the rest is a
weighted straight line in g with a closed form, so only a and n0 are searched: on a grid, where all experiments share
the same powers, and then down from each one's best point (Levenberg and Marquardt's steps on the projected residuals,
whose derivatives by differences are those of Golub and Pereyra 1973). No starting values to guess, and none missed.

A task may be pinned: the curve then has to pass through `value` at the size `at`, which takes the place of E (of A in
the pure law). That is the profile likelihood's constraint E = L* - A·n*^-a.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]
Law = Literal["pure", "offset", "shifted", "rectified", "bounded"]

STEEPNESS = (0.005, 4.0)  # the exponents that are looked at
CHUNK = 128  # tasks whose grids are in memory at a time
BUMP = 1e-5  # of log a and of the logarithmic shift, for derivatives
NOTHING = 1e-22  # a sum of squares that is no more than rounding


class Sums(NamedTuple):
    """Weighted sums over the sizes of 1, g, g², y, g·y."""

    one: Floats
    g: Floats
    gg: Floats
    y: Floats
    gy: Floats


class Lines(NamedTuple):
    """The straight line in g: its floor E, its scale S, and how far a pin cannot be kept to (0: it is)."""

    floor: Floats
    scale: Floats
    broken: Floats


class Solution(NamedTuple):
    """For B tasks: E, S (of g as `FitProblem.power` has it), a, n0 and the remaining weighted squares, each (B,)."""

    floor: Floats
    scale: Floats
    exponent: Floats
    shift: Floats
    squares: Floats


@dataclass(frozen=True, eq=False)
class FitProblem:
    """B fits of one law at the same ascending sizes n (M,): values and weights (B, M), pins (B,) where there are any.

    `ceiling` is the bounded law's value at n = 0, the error of chance. A pin may lie at an infinite size.
    """

    law: Law
    n: Floats
    values: Floats
    weights: Floats
    ceiling: float = 1.0
    at: Floats | None = None
    value: Floats | None = None

    def part(self, rows: Rows) -> "FitProblem":
        """Select the problems of these rows."""
        at, value = (None if pin is None else pin[rows] for pin in (self.at, self.value))
        return FitProblem(self.law, self.n, self.values[rows], self.weights[rows], self.ceiling, at, value)

    @property
    def searched(self) -> int:
        """Parameters that are not linear."""
        return 2 if self.law in ("shifted", "rectified", "bounded") else 1

    @cached_property
    def limits(self) -> tuple[Floats, Floats]:
        """The least and the greatest (log a, log(1 + n0/u)) with u a tenth of the smallest size."""
        few, many = (0.0, 10 * self.n[-1]) if self.law == "shifted" else (self.n[0] / 1000, 100 * self.n[-1])
        unit = self.n[0] / 10
        logs = np.log(np.array(STEEPNESS))
        return np.array([logs[0], np.log1p(few / unit)]), np.array([logs[1], np.log1p(many / unit)])

    def unpacked(self, theta: Floats) -> tuple[Floats, Floats]:
        """a and n0 of (..., 2) places."""
        shift = self.n[0] / 10 * np.expm1(theta[..., 1]) if self.searched == 2 else np.zeros(theta.shape[:-1])
        return np.exp(theta[..., 0]), shift

    @cached_property
    def middle(self) -> float:
        """The unit of the sizes in g, so that nothing over- or underflows."""
        return float(np.exp(np.mean(np.log(self.n))))

    def power(self, n: Floats, theta: Floats) -> Floats:
        """g at sizes n for places theta (..., 2), broadcast (`laws` has the formulas)."""
        exponent, shift = self.unpacked(theta)
        if self.law == "rectified":
            return np.asarray(1 / (1 + (n / shift) ** exponent))
        base = 1 + n / shift if self.law == "bounded" else (n + shift) / self.middle
        return np.asarray(base**-exponent)

    def lines(self, sums: Sums, pinned: Floats | None, value: Floats | None) -> Lines:
        """The best E and S for what was summed; `pinned` is g at the pin."""
        if pinned is not None and value is not None:
            return _fit_through_value(self.law, sums, self.ceiling, pinned, value)
        if self.law == "bounded":
            rest = np.maximum(sums.one - 2 * sums.g + sums.gg, 1e-300)
            floor = (sums.y - sums.gy - self.ceiling * (sums.g - sums.gg)) / rest
            floor = np.clip(floor, 0, self.ceiling)
            return Lines(floor, self.ceiling - floor, np.zeros_like(floor))
        bent = np.maximum(sums.one * sums.gg - sums.g**2, 1e-300)
        scale = np.maximum((sums.one * sums.gy - sums.g * sums.y) / bent, 0)
        floor = (sums.y - scale * sums.g) / sums.one
        through = np.ones_like(floor, bool) if self.law == "pure" else floor < 0
        scale = np.where(through, sums.gy / sums.gg, scale)
        return Lines(np.where(through, 0.0, floor), scale, np.zeros_like(floor))

    def fitted(self, theta: Floats) -> tuple[Lines, Floats]:
        """The lines at one place (B, 2) for each task, and the weighted residuals (B, M)."""
        g = self.power(self.n, theta[:, None, :])
        weighted = self.weights * g
        sums = Sums(
            self.weights.sum(axis=1),
            weighted.sum(axis=1),
            (weighted * g).sum(axis=1),
            (self.weights * self.values).sum(axis=1),
            (weighted * self.values).sum(axis=1),
        )
        pinned = None if self.at is None else self.power(self.at, theta)
        lines = self.lines(sums, pinned, self.value)
        misses = np.sqrt(self.weights) * (self.values - lines.floor[:, None] - lines.scale[:, None] * g)
        return lines, misses * (1 + 1e3 * lines.broken[:, None]) + lines.broken[:, None]


def _fit_through_value(law: Law, sums: Sums, ceiling: float, pinned: Floats, value: Floats) -> Lines:
    """Lines with E + S·pinned = value, E ≥ 0 and S ≥ 0."""
    if law == "pure":
        scale = value / np.maximum(pinned, 1e-300)
        return Lines(np.zeros_like(scale), scale, np.zeros_like(scale))
    if law == "bounded":
        wanted = (value - ceiling * pinned) / np.maximum(1 - pinned, 1e-12)
        floor = np.clip(wanted, 0, ceiling)
        return Lines(floor, ceiling - floor, np.abs(wanted - floor))
    across = sums.gy - value * sums.g - pinned * sums.y + pinned * value * sums.one
    along = np.maximum(sums.gg - 2 * pinned * sums.g + pinned**2 * sums.one, 1e-300)
    scale = np.clip(across / along, 0, np.maximum(value, 0) / np.maximum(pinned, 1e-30))
    return Lines(value - scale * pinned, scale, np.zeros_like(scale))


def solve(task: FitProblem, *, near: Floats | None = None) -> Solution:
    """The least squares of every task; `near` (B, 2), places to begin at, saves the grid where they are known well."""
    theta, squares = _descended(task, _on_the_grid(task) if near is None else near)
    lines, _ = task.fitted(theta)
    exponent, shift = task.unpacked(theta)
    scale = lines.scale if task.law in ("bounded", "rectified") else lines.scale * task.middle**exponent
    return Solution(lines.floor, scale, exponent, shift, squares)


def place_grid(task: FitProblem, exponent: Floats, shift: Floats) -> Floats:
    """Where a and n0 lie for the search, (B, 2)."""
    return np.stack([np.log(exponent), np.log1p(shift / (task.n[0] / 10))], axis=-1)


def _on_the_grid(task: FitProblem) -> Floats:
    lower, upper = task.limits
    counts = (20, 10) if task.searched == 2 else (32, 1)
    axes = [np.linspace(lower[axis], upper[axis], counts[axis]) for axis in range(2)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    g = task.power(task.n, grid[:, None, :])
    nearest = [
        grid[np.argmin(_grid_squares(task.part(rows), grid, g), axis=1)]
        for rows in np.array_split(np.arange(len(task.values)), -(-len(task.values) // CHUNK))
    ]
    return np.concatenate(nearest)


def _grid_squares(task: FitProblem, grid: Floats, g: Floats) -> Floats:
    """(B, G) squares of B tasks at G places whose powers are g (G, M)."""
    weights, weighted = task.weights, task.weights * task.values
    sums = Sums(
        weights.sum(axis=1, keepdims=True),
        weights @ g.T,
        weights @ (g**2).T,
        weighted.sum(axis=1, keepdims=True),
        weighted @ g.T,
    )
    pinned = None if task.at is None else task.power(task.at[:, None], grid)
    value = None if task.value is None else task.value[:, None]
    floor, scale, broken = task.lines(sums, pinned, value)
    squares = (weighted * task.values).sum(axis=1, keepdims=True) - 2 * (floor * sums.y + scale * sums.gy)
    squares = squares + floor**2 * sums.one + 2 * floor * scale * sums.g + scale**2 * sums.gg
    return np.asarray(np.where(broken > 0, 1e6 * (1 + broken), squares))


def _descended(task: FitProblem, theta: Floats) -> tuple[Floats, Floats]:
    """From places (B, 2) down to the nearest least squares: those places, and the squares (B,)."""
    theta = np.clip(theta, *task.limits)
    misses = task.fitted(theta)[1]
    squares = (misses**2).sum(axis=1)
    damping = np.full(len(theta), 1e-3)
    active = np.flatnonzero(squares > NOTHING)
    for _ in range(60):
        if not len(active):
            break
        part = task.part(active)
        new = np.clip(theta[active] + _step(part, theta[active], misses[active], damping[active]), *task.limits)
        missed = part.fitted(new)[1]
        after = (missed**2).sum(axis=1)
        better = after < squares[active]
        gained = squares[active] - after
        still = np.where(better, gained > 1e-8 * after, damping[active] < 1e5) & (after > NOTHING)
        moved = active[better]
        theta[moved], misses[moved], squares[moved] = new[better], missed[better], after[better]
        damping[active] *= np.where(better, 0.1, 8.0)
        active = active[still]
    return theta, squares


def _step(task: FitProblem, theta: Floats, misses: Floats, damping: Floats) -> Floats:
    """Where to go from theta (B, 2): the damped Gauss-Newton step, along a limit where it would leave it."""
    lower, upper = task.limits
    slopes = np.zeros((2, *misses.shape))
    for axis in range(task.searched):
        bump = np.where(theta[:, axis] + BUMP > upper[axis], -BUMP, BUMP)
        bumped = theta.copy()
        bumped[:, axis] += bump
        slopes[axis] = (task.fitted(bumped)[1] - misses) / bump[:, None]
    down = -(slopes * misses).sum(axis=2)  # (2, B)
    at = theta.T
    held = ((at <= lower[:, None]) & (down < 0)) | ((at >= upper[:, None]) & (down > 0))
    down = np.where(held, 0.0, down)
    slopes = np.where(held[:, :, None], 0.0, slopes)
    own = (slopes**2).sum(axis=2) * (1 + damping) + 1e-30
    mixed = (slopes[0] * slopes[1]).sum(axis=1)
    volume = np.maximum(own[0] * own[1] - mixed**2, 1e-300)
    step = np.stack([own[1] * down[0] - mixed * down[1], own[0] * down[1] - mixed * down[0]], axis=1) / volume[:, None]
    return np.asarray(np.clip(step, -1.5, 1.5))
