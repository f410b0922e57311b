"""Intervals by profile likelihood: which sizes reach a target, and which losses a size may have.

Both ask one question of a law: how much worse does it fit when its curve has to pass through a loss L at a size n? All
(n, L) with

    RSS(n, L) - RSS ≤ s²·t²(0.975, f)·q        s² = RSS / (sizes - parameters)

are believed. Along L = target they are the interval of the minimum data, along n = constant the band of a prediction:
one region, so that the two never contradict each other (and no replicates are drawn, so that nothing has a seed).
Without seeds f = sizes - parameters and q = 1 (Bates and Watts 1988, ch. 6).

The runs of one seed share their data, as subsets nest, so their misses go together and the curve goes with them, which
residuals about the curve cannot show. So each seed is a block. Linearised, the answer's error is a sum over the seeds;
V_own is its variance from s², V_blocks from how far the K seeds' parts differ (K - 1 degrees of freedom). Of few seeds
V_blocks is by luck far too small: of two, in a quarter of experiments, less than a tenth of what it should be. How far
runs of one size differ is known better, from all sizes, and that subsets nest says what it makes of the answer: a mean
over n examples, of which it shares n/m with the one of m, correlates with it by √(n/m). That is V_nested, which counts
as a variance does that is known beforehand (Smyth 2004, section 3), for as much as a quarter of a seed:

    V_seeds = ((K - 1)·V_blocks + V_nested/4) / (K - 1 + 1/4)

Where V_seeds is greater than V_own, q = V_seeds / V_own, and with h the share of the excess in V_seeds

    1/f = (1 - h)² / (sizes - parameters) + √h / (K - 1)

Welch and Satterthwaite would have h² for √h, which takes the excess for better known than it is: with nested subsets
and three seeds such intervals held the truth in 90 of 100 experiments, these in 93, both without V_nested. With it
those of two seeds hold it in 95 to 99 of 100, where they had 89 to 98, and are 5 to 10 % wider in the logarithm within
the sizes (of three seeds 1 %). More weight covers more than is promised; and Smyth's degrees of freedom, which count
V_nested, too, cover less where seeds do nothing but shift all sizes alike (docs/evidence/scaling-intervals.md).

All sizes are measured on the same items, so other items would move the whole curve. Of that only the error e of the
curve at n against the target matters, however the items' errors hang together over the sizes, for L(n) = L* is asked
there alone: a miss of d = L(n) - L* is then believed where RSS's share of it, or e's, or both in quadrature reach it.
With r² the left side above as a share of the right one, a loss is believed if

    1 / (1/r² + (1.96·e/d)² + (m/d)²) ≤ 1

where m is half of the law's own 95 % interval (`misfit`) on the side of the target. So seeds, items and misfit add in
quadrature, and one region gives band and answer.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sweeps.scaling.laws import EXACT, Curves, Floats, Rows, find_influences
from sweeps.scaling.least_squares import FitProblem, place_grid, solve
from sweeps.scaling.misfit import Misfit

Truths = npt.NDArray[np.bool_]
LEVEL = 0.95
FARTHEST = 10  # times the largest size: beyond it no point is told
REACH = 32  # times the largest size: so far an upper end is told
SURE = 1.96  # standard deviations of the normal distribution for LEVEL
STEPPED = 64  # times the largest size: so far the highest loss is looked at size by size
NODES = 27  # sizes that are tried first, from the smallest to the farthest
ZOOM = 6  # and twice as many between the last that is believed and the first that is not
NESTED = 0.25  # of a seed: as much does V_nested count beside V_blocks


@dataclass(frozen=True, eq=False)
class Blocks:
    """What K seeds add to the mean of each size, in the unit of residuals: (R, P, M) of P kinds, at least K.

    The squares of what the kinds add, over K - 1, are the variance of the means; `scatter` (R,), the variance of a run
    about the mean of its size, times `nesting` (M, M) is their covariance where subsets nest.
    """

    parts: Floats
    seeds: int
    scatter: Floats
    nesting: Floats

    def variance(self, influence: Floats) -> Floats:
        """V_seeds of Σ influence·mean over the sizes, with influences (R, Q, M): (R, Q)."""
        squares = ((influence @ self.parts.transpose(0, 2, 1)) ** 2).sum(axis=2)  # (K - 1)·V_blocks
        nested = self.scatter[:, None] * ((influence @ self.nesting) * influence).sum(axis=2)
        return np.asarray((squares + NESTED * nested) / (self.seeds - 1 + NESTED))

    def rows(self, rows: Rows) -> "Blocks":
        """Select some experiments."""
        return replace(self, parts=self.parts[rows], scatter=self.scatter[rows])


class Reach(NamedTuple):
    """For R targets: the sizes believed to reach them, from low to high, of those from the smallest to the farthest.

    `high` is infinite where the farthest is believed, `low` where none is. `floored`: a floor at the target, which no
    amount of data goes below, is believed, too. `never`: nothing else is, and the best floor is not below the target.
    """

    low: Floats
    high: Floats
    floored: Truths
    never: Truths


class Parts(NamedTuple):
    """Shares of the variance of an answer: other seeds, other items, and that no law is exactly true. They sum to 1.

    Without several seeds, `seeds` is what the points scatter about the curve.
    """

    seeds: float
    items: float
    misfit: float

    @property
    def largest(self) -> str:
        """Name the greatest part."""
        return max(self._fields, key=lambda name: float(getattr(self, name)))


@dataclass(frozen=True, eq=False)
class Aim:
    """R targets, and of each of M sizes the standard error over items of the loss less the target: (R,) and (R, M)."""

    target: Floats
    error: Floats | None = None

    def interpolate(self, curves: Curves, n: Floats) -> Floats:
        """The errors at sizes n (R, Q): along the logarithm of the size, and beyond the sizes that of the last."""
        if self.error is None:
            return np.zeros_like(n)
        logs = np.log(curves.n)
        return np.stack([np.interp(np.log(row), logs, own) for row, own in zip(n, self.error, strict=True)])

    def rows(self, rows: Rows) -> "Aim":
        """Select some experiments."""
        return Aim(self.target[rows], None if self.error is None else self.error[rows])


@dataclass(frozen=True, eq=False)
class Question:
    """Which sizes reach the targets of R experiments, and what makes the answer uncertain."""

    curves: Curves
    aim: Aim
    blocks: Blocks | None = None
    misfit: Misfit | None = None

    def rows(self, rows: Rows) -> "Question":
        """Select some experiments."""
        blocks, misfit = self.blocks and self.blocks.rows(rows), self.misfit and self.misfit.rows(rows)
        return Question(self.curves.rows(rows), self.aim.rows(rows), blocks, misfit)

    def doubt(self, at: Floats) -> Floats:
        """(R, Q) how far the targets at sizes `at` are from being believed: up to 1 they are."""
        target = np.broadcast_to(self.aim.target[:, None], at.shape)
        near = np.minimum(at, 1e6 * REACH * self.curves.n[-1])  # as good as infinite
        other = SURE * self.aim.interpolate(self.curves, near)
        if self.misfit is not None:
            low, high, _ = self.misfit.measure(at)
            other = np.hypot(other, np.where(target < self.curves.predict(at), low, high))
        return _excess(self.curves, at, target, find_tolerance(self.curves, near, self.blocks), other)


def find_tolerance(curves: Curves, at: Floats, blocks: Blocks | None) -> Floats:
    """How much RSS may rise for a curve that passes elsewhere at sizes `at` (R, Q): s²·t²·q, (R, Q)."""
    from scipy.special import stdtrit  # the quantile of t

    spare = len(curves.n) - curves.free
    if blocks is None or blocks.seeds < 2:
        return np.broadcast_to(curves.variance[:, None] * stdtrit(spare, (1 + LEVEL) / 2) ** 2, at.shape)
    influence = find_influences(curves, at)
    own = curves.variance[:, None] * np.maximum((influence**2).sum(axis=2), 1e-300)
    excess = np.maximum(blocks.variance(influence) - own, 0)
    share = excess / (own + excess)
    freedom = 1 / ((1 - share) ** 2 / spare + np.sqrt(share) / (blocks.seeds - 1))
    return np.asarray(curves.variance[:, None] * (1 + excess / own) * stdtrit(freedom, (1 + LEVEL) / 2) ** 2)


def fit_pinned(curves: Curves, at: Floats, value: Floats, *, near: bool = False) -> Floats:
    """RSS (R, Q) of the curves that have to pass through `value` at the sizes `at`, both (R, Q)."""
    count = at.shape[1]
    task = FitProblem(
        curves.law,
        curves.n,
        np.repeat(curves.loss, count, axis=0),
        np.repeat(curves.weights, count, axis=0),
        curves.ceiling,
        at.ravel(),
        value.ravel(),
    )
    begin = np.repeat(place_grid(task, curves.exponent, curves.shift), count, axis=0) if near else None
    return solve(task, near=begin).squares.reshape(at.shape)


def find_reach(question: Question) -> Reach:
    """Find the interval of the sizes at which each curve reaches its target."""
    curves, aim = question.curves, question.aim
    point = curves.reaching(aim.target)
    farthest = REACH * curves.n[-1]
    grid = np.geomspace(curves.n[0], farthest, NODES)
    nodes = np.concatenate(
        [np.broadcast_to(grid, (len(point), NODES)), np.clip(point, grid[0], grid[-1])[:, None]], axis=1
    )
    nodes.sort(axis=1)
    worse = question.doubt(nodes)
    believed = _end_above(worse <= 1, nodes >= np.clip(point, grid[0], grid[-1])[:, None])
    first, last = _hull(believed)
    every, none = np.arange(len(point)), ~believed.any(axis=1)
    outside = np.stack([np.maximum(first - 1, 0), np.minimum(last + 1, NODES)], axis=1)
    inside = np.stack([first, last], axis=1)
    ends = _crossed(question, nodes[every[:, None], outside], nodes[every[:, None], inside])
    low = np.where(first == 0, nodes[:, 0], ends[:, 0])
    high = np.where(last == NODES, np.inf, ends[:, 1])
    floored = _floored(question, np.flatnonzero(none | (last == NODES)))
    never = none & ~floored & (aim.target <= curves.floor)
    return Reach(np.where(none, np.inf, low), np.where(none, np.inf, high), floored, never)


def find_parts(question: Question, n: Floats) -> list[Parts]:
    """Split the variance of the curve at sizes n (R,), to first order."""
    at, curves, misfit = n[:, None], question.curves, question.misfit
    own = find_tolerance(curves, at, question.blocks) * (find_influences(curves, at) ** 2).sum(axis=2)
    items = (SURE * question.aim.interpolate(curves, at)) ** 2
    off = np.zeros_like(own) if misfit is None else np.maximum(*misfit.measure(at)[:2]) ** 2
    whole = np.maximum(own + items + off, 1e-300)
    shares = np.concatenate([own / whole, items / whole, off / whole], axis=1)
    return [Parts(*row) for row in shares.tolist()]


def _floored(question: Question, rows: Rows) -> Truths:
    """(R,) is a floor at the target believed? Asked of these rows; a pure law has no floor."""
    believed = np.zeros(len(question.aim.target), bool)
    if question.curves.law != "pure" and len(rows):
        believed[rows] = question.rows(rows).doubt(np.full((len(rows), 1), np.inf))[:, 0] <= 1
    return believed


def find_band(
    curves: Curves, n: Floats, blocks: Blocks | None = None, misfit: Misfit | None = None
) -> tuple[Floats, Floats]:
    """Find the lowest and highest plausible losses at sizes n (N,), each (R, N).

    Beyond the sizes the highest is never above that of a smaller size: a loss falls with more data.
    """
    largest = float(curves.n[-1])
    if misfit is None or not (n > largest).any():
        return _find_edges(curves, n, blocks, misfit)
    steps = int(np.ceil(np.log2(min(n.max() / largest, STEPPED)) * 2))
    nodes = largest * 2 ** (np.arange(steps + 1) / 2)
    every = np.concatenate([n, nodes])
    low, high = _find_edges(curves, every, blocks, misfit)
    before = np.where((every >= largest) & (every < n[:, None]), high[:, None, :], np.inf).min(axis=2)
    return low[:, : len(n)], np.minimum(high[:, : len(n)], before)


def _find_edges(curves: Curves, n: Floats, blocks: Blocks | None, misfit: Misfit | None) -> tuple[Floats, Floats]:
    """Find the lowest and highest plausible losses, size by size."""
    at = np.broadcast_to(n, (len(curves.loss), len(n)))
    middle, allowed = curves.predict(n), find_tolerance(curves, at, blocks)
    half = np.sqrt(np.maximum(allowed * (find_influences(curves, at) ** 2).sum(axis=2), EXACT * middle**2))
    off = np.zeros((2, *at.shape)) if misfit is None else np.stack(misfit.measure(at)[:2])
    sides = np.hypot(half, off) * np.array([-1, 1])[:, None, None]  # to first order; then by the secant of the root
    limit = curves.ceiling if curves.law == "bounded" else np.inf
    both, twice = np.concatenate([at, at], axis=1), np.concatenate([allowed, allowed], axis=1)
    for _ in range(4):
        losses = np.clip(middle + sides, 1e-9 * middle, limit)
        factors = _excess(
            curves, both, np.concatenate([*losses], axis=1), twice, np.concatenate([*off], axis=1), near=True
        )
        roots = np.clip(np.stack(np.split(factors, 2, axis=1)), 0.3, 3)
        sides = (losses - middle) / roots
        if np.abs(roots - 1).max() < 1e-3:
            break
    low, high = np.clip(middle + sides, 0, limit)
    return low, high


def _excess(curves: Curves, at: Floats, value: Floats, allowed: Floats, other: Floats, *, near: bool = False) -> Floats:
    """(R, Q) how far curves through `value` at `at` are from being believed: up to 1 they are.

    `other`: half of the interval that errors beside the profile's make there.
    """
    worse = fit_pinned(curves, at, value, near=near) - curves.squares[:, None]
    root = np.sqrt(np.maximum(worse, 0) / allowed)
    away = np.abs(curves.predict(at) - value)
    return np.asarray(np.where(other > 0, root * away / np.maximum(np.hypot(away, other * root), 1e-300), root))


def _end_above(believed: Truths, above: Truths) -> Truths:
    """Let belief end at the first size above the point that is not believed: a loss that is met is met with more data.

    The misfit grows with the size, but what holds at one size bounds the loss at all larger ones.
    """
    return np.asarray(believed & (~above | np.logical_and.accumulate(believed | ~above, axis=1)))


def _hull(believed: Truths) -> tuple[Rows, Rows]:
    """The first and the last that is believed, of each row."""
    return believed.argmax(axis=1), believed.shape[1] - 1 - believed[:, ::-1].argmax(axis=1)


def _crossed(question: Question, outside: Floats, inside: Floats) -> Floats:
    """Where belief ends between sizes outside it and inside it, both (R, 2): zoomed in twice, then a straight line."""
    shares = np.linspace(0, 1, ZOOM + 2)
    sides, rows = np.arange(2), np.arange(len(outside))[:, None]
    worse = np.zeros((len(outside), 2, ZOOM + 2))
    sizes = worse
    for _ in range(2):
        logs = np.log(outside)[:, :, None] * (1 - shares) + np.log(inside)[:, :, None] * shares
        sizes = np.exp(logs)
        worse = question.doubt(sizes.reshape(len(outside), -1)).reshape(sizes.shape)
        after = np.maximum((worse <= 1).argmax(axis=2), 1)
        outside, inside = sizes[rows, sides, after - 1], sizes[rows, sides, after]
    far, near = worse[rows, sides, after - 1], worse[rows, sides, after]
    share = np.clip((far - 1) / np.maximum(far - near, 1e-12), 0, 1)
    return np.asarray(np.exp(np.log(outside) * (1 - share) + np.log(inside) * share))
