"""How much data a domain needs: the law that fits its losses, how far to trust it, and what it says of a target.

A fit is judged by what it has not seen: without its two largest sizes it has to predict them. Above 2 % of error it
warns, above 10 % it is refused, as it is where sizes are too few or the loss rises with more data. A refused fit may
still be drawn; it answers no question about a target. Where laws cannot be told apart, all are shown, and the interval
holds what any of them believes. And what four times the data would bring is told with how far off it may be.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from sweeps.scaling.laws import FREE, Curves, Floats, Law
from sweeps.scaling.profile import FARTHEST, Aim, Blocks, find_band, find_reach
from sweeps.scaling.selection import REFUSE, SPARE, WARN, Candidates, Runs

RISE = 0.01  # relative rise of the loss from one size to the next that is no longer a wobble
AHEAD = 4  # times the largest size: how far off is the curve there?
FALL = 0.05  # the same of an accuracy, absolute: it is of few items

Status = Literal["interpolated", "extrapolated", "met", "unreachable", "not identified", "refused"]


class MinimumData(NamedTuple):
    """The size at which the curve reaches `target`, in examples, with a 95 % profile-likelihood interval.

    met: the smallest size is already there, `point` is that size. interpolated: within the sizes. extrapolated: `times`
    the largest size; `holdout_error` is how far to trust that. unreachable: the floor is beyond the target, and so is
    every floor that the losses allow. not identified: the curve gets there at more than ten times the largest size, if
    at all; then `low` is the least that may be enough. `high` is None where the interval goes on beyond ten times the
    largest size. A `low` of the smallest size may be still less. `may_be_unreachable`: the losses allow a floor that is
    not below the target, so that no amount of data may be enough.
    """

    target: float
    status: Status
    point: float | None = None
    low: float | None = None
    high: float | None = None
    times: float | None = None
    holdout_error: float | None = None
    may_be_unreachable: bool = False


class Prediction(NamedTuple):
    """Losses (or accuracies) at sizes, and the 95 % band of the curve there, each (N,); of a run it is not."""

    value: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, eq=False)
class ScalingFit:
    """The fit, or with `curve` None the reason (`refused`) why there is none."""

    n: Floats  # distinct sizes, ascending
    loss: Floats  # mean losses there; accuracies, where those were given
    curve: Curves | None = None  # of one experiment
    r2: float | None = None
    max_residual: float | None = None  # the largest, relative (in an accuracy: in the unit of its weight)
    holdout_error: float | None = None  # fitted without the two largest sizes: the largest relative error there
    ahead: Prediction | None = None  # at four times the largest size, (1,), as `predict` has it
    warnings: tuple[str, ...] = ()
    refused: str | None = None
    minimum_data: MinimumData | None = None  # of this law and the alternatives together
    alternatives: tuple["ScalingFit", ...] = ()  # laws that cannot be told apart from this one, each with its answer
    blocks: Blocks | None = None

    @property
    def law(self) -> Law | None:
        return self.curve.law if self.curve else None

    @property
    def params(self) -> Mapping[str, float]:
        """E, A, a and n0 of the laws' formulas, those that the law has; of the bounded law also e0, which was given."""
        if self.curve is None:
            return {}
        found = {"a": float(self.curve.exponent[0])}
        found |= {"e0": self.curve.ceiling} if self.law == "bounded" else {"A": float(self.curve.scale[0])}
        found |= {"E": float(self.curve.floor[0])} if self.law != "pure" else {}
        return found | ({"n0": float(self.curve.shift[0])} if self.law in ("shifted", "bounded") else {})

    def predict(self, n: npt.ArrayLike) -> Prediction:
        """The curve at n examples, with the band of all laws that cannot be told apart (`profile.band`).

        Raises ValueError where there is no curve.
        """
        sizes = np.atleast_1d(np.asarray(n, float))
        fits = (self, *self.alternatives)
        return _widest([_shown(fit.drawn, sizes, *find_band(fit.drawn, sizes, fit.blocks))[0] for fit in fits])

    def line(self, n: npt.ArrayLike) -> Floats:
        """The curve alone, (N,), which costs nothing. Raises ValueError where there is none."""
        value = self.drawn.predict(n)[0]
        return np.asarray(1 - value if self.law == "bounded" else value)

    @property
    def drawn(self) -> Curves:
        """The curve. Raises ValueError where there is none."""
        if self.curve is None:
            raise ValueError(f"no curve was fitted: {self.refused}")
        return self.curve


def fit_scaling(
    n: npt.ArrayLike,
    loss: npt.ArrayLike,
    *,
    seed: Sequence[int] | None = None,
    target: float | None = None,
    law: Law | None = None,
    chance: float | None = None,
    error: npt.ArrayLike | None = None,
) -> ScalingFit:
    """Fit a law to the losses (R,) of R runs at sizes n (R,), the mean over the seeds of a size being one point.

    The law is, unless `law` says it, among those that the number of sizes allows the one with the least AICc that
    predicts the two largest sizes within 2 % and that the spread of the seeds does not contradict (F test of lack of
    fit, 5 %); if none does both, the one with the least AICc that predicts, and else the one with the least AICc. (At
    seven sizes AICc alone prefers few parameters even where they plainly miss the points.) Those within 2 of it are
    the `alternatives`.

    With `chance`, the accuracy of guessing, `loss` holds accuracies, and the law is the bounded one. Runs at size 0
    (zero-shot) and losses that are not finite are left out, the latter with a warning. `seed` (R,) warns of sizes that
    lack one and of a single one, and makes each seed a block of the intervals (`profile`): give it where a seed's
    subsets nest.
    With `target`, a loss or an accuracy, `minimum_data` answers; one that is no number, as a share of a loss that
    diverged, is left out with a warning. `error`, one or (R,), is the standard error over the held-out items of each
    loss less the target (of a share of the base's loss: of the items' loss - share·base): the interval then holds for
    other items, too (`profile`), while the band stays that of these items. Never raises for what was measured:
    `refused` says it. Raises ValueError where not every run has a size, a loss and a seed.
    """
    sizes, values = np.asarray(n, float), np.asarray(loss, float)
    _see_that_they_belong_together(sizes, loss=values, seed=seed)
    trained = sizes > 0
    good = trained & np.isfinite(values) & ((values > 0) if chance is None else (values >= 0) & (values <= 1))
    seeds = None if seed is None else np.asarray(seed)[good]
    sought = target if target is not None and math.isfinite(target) else None
    errors = None if error is None else np.broadcast_to(np.asarray(error, float), values.shape)[good]
    found = fit_many(
        sizes[good], values[good][None, :], seed=seeds, targets=sought, law=law, chance=chance, error=errors
    )[0]
    lost = _lost(int((trained & ~good).sum()), "loss" if chance is None else "accuracy")
    lacking = () if seed is None else _uneven(sizes[good], np.asarray(seed)[good])
    aimless = () if sought == target else (f"the target is {target}, which is no number to find_reach",)
    lonely = () if seed is None or found.refused else _lonely(np.asarray(seed)[good])
    return replace(found, warnings=(*aimless, *lost, *lacking, *lonely, *found.warnings))


def fit_many(
    n: Floats,
    losses: Floats,
    *,
    seed: npt.ArrayLike | None = None,
    targets: npt.ArrayLike | None = None,
    law: Law | None = None,
    chance: float | None = None,
    error: npt.ArrayLike | None = None,
) -> list[ScalingFit]:
    """`fit_scaling` of many experiments (E, R) with the same R runs at once, all finite; `targets` is one or (E,).

    A thousand take as long as ten one by one: what simulations and resampling want.
    """
    sizes, places = np.unique(n, return_inverse=True)
    values = losses if chance is None else 1 - losses
    seeds = None if seed is None else np.asarray(seed)
    runs = Runs(sizes, places, values, seeds, chance is not None, 1.0 if chance is None else 1 - chance)
    means = runs.means
    shown = means if chance is None else 1 - means
    goals = None if targets is None else np.broadcast_to(np.asarray(targets, float), (len(losses),))
    errors = None if error is None else np.broadcast_to(np.asarray(error, float), losses.shape)
    steps = runs.steps if len(sizes) else np.zeros((len(losses), 0))
    wanted = law or ("pure" if chance is None else "bounded")
    reasons = [_unfit(sizes, means[row], steps[row], wanted, law) for row in range(len(losses))]
    fits = [
        ScalingFit(sizes, shown[row], refused=reason, minimum_data=_unanswered(goals, row))
        for row, reason in enumerate(reasons)
    ]
    rows = np.array([row for row, reason in enumerate(reasons) if reason is None], int)
    if len(rows):
        part = replace(runs, losses=values[rows])
        aim = None if goals is None else _aim(part, goals[rows], None if errors is None else errors[rows])
        for row, fit in zip(rows, _fitted(part, shown[rows], aim, law), strict=True):
            fits[row] = fit
    return fits


def _aim(runs: Runs, goals: Floats, errors: Floats | None) -> Aim:
    """What is aimed at, in the unit that the law is of. A size's error is at most the mean of those of its runs."""
    return Aim(1 - goals if runs.bounded else goals, None if errors is None else replace(runs, losses=errors).means)


def _fitted(runs: Runs, shown: Floats, aim: Aim | None, law: Law | None) -> list[ScalingFit]:
    """The fits of experiments that can be fitted, with their laws chosen."""
    candidates = Candidates.of(runs, law)
    kept = [candidates.kept(row) for row in range(len(shown))]
    far = AHEAD * runs.sizes[-1:]
    each: dict[tuple[int, Law], ScalingFit] = {}
    for one, curves in candidates.curves.items():
        rows = np.array([row for row, laws in enumerate(kept) if one in laws], int)
        if not len(rows):
            continue
        own, blocks = curves.rows(rows), runs.blocks(curves)
        blocks = blocks and blocks.rows(rows)
        errors, contradicted = candidates.holdouts[one][rows], candidates.contradicted[one][rows]
        answers = [None] * len(rows) if aim is None else _answers(own, blocks, aim.rows(rows), errors)
        ahead = _shown(own, far, *find_band(own, far, blocks))
        for place, row in enumerate(rows):
            only = np.array([place])
            fit = ScalingFit(
                runs.sizes, shown[row], own.rows(only), blocks=blocks and blocks.rows(only), ahead=ahead[place]
            )
            each[row, one] = _judged(fit, float(errors[place]), bool(contradicted[place]), answers[place])
    return [_together([each[row, one] for one in laws]) for row, laws in enumerate(kept)]


def _shown(curves: Curves, n: Floats, low: Floats, high: Floats) -> list[Prediction]:
    """The curves at n with their bands (R, N), for each experiment; accuracies, where the law is of their errors."""
    every = zip(curves.predict(n), low, high, strict=True)
    if curves.law == "bounded":
        return [Prediction(1 - value, 1 - most, 1 - least) for value, least, most in every]
    return [Prediction(*each) for each in every]


def _widest(predictions: Sequence[Prediction]) -> Prediction:
    """The first with the band of all."""
    low, high = (np.array([getattr(each, side) for each in predictions]) for side in ("low", "high"))
    return Prediction(predictions[0].value, low.min(axis=0), high.max(axis=0))


def _judged(fit: ScalingFit, error: float, contradicted: bool, answer: MinimumData | None) -> ScalingFit:
    """The fit with what is to be said about it."""
    curve, refused = fit.drawn, None
    warnings: tuple[str, ...] = ()
    if error > REFUSE:
        refused = f"fitted without the two largest sizes it misses them by {error:.0%}: no {curve.law} law is seen here"
        if curve.law == "bounded" and fit.blocks is not None and not contradicted:
            refused += ", nor do the seeds contradict one: more items or seeds would tell"
        answer = answer and MinimumData(answer.target, "refused")
    elif error > WARN:
        warnings += (f"fitted without the two largest sizes it misses them by {error:.1%}",)
    if contradicted:
        warnings += (f"the seeds contradict the {curve.law} law: it misses sizes by more than they differ",)
    if curve.law != "pure" and curve.floor[0] == 0:
        warnings += ("the floor is not identified: it came out as 0, so do not extrapolate far",)
    missed = fit.loss - fit.line(fit.n)
    return replace(
        fit,
        r2=float(1 - np.sum(missed**2) / np.sum((fit.loss - fit.loss.mean()) ** 2)),
        max_residual=float(np.abs(curve.residuals).max()),
        holdout_error=error,
        warnings=warnings,
        refused=refused,
        minimum_data=answer,
    )


def _together(fits: Sequence[ScalingFit]) -> ScalingFit:
    """The chosen fit with its alternatives: an interval that holds all of theirs, and a band."""
    chosen, others = fits[0], tuple(fits[1:])
    warnings, first = chosen.warnings, chosen.minimum_data
    if others:
        said = " and ".join(f"{fit.law}" for fit in others)
        warnings += (f"the {chosen.law} law cannot be told apart from {said}: their answers are shown, too",)
    if first is not None and first.status in ("interpolated", "extrapolated", "not identified", "unreachable"):
        first = _united(first, [fit.minimum_data for fit in fits if fit.minimum_data])
    ahead = _widest([fit.ahead for fit in fits if fit.ahead])
    if not chosen.refused:
        warnings += _loose(float(chosen.n[-1]), "accuracy" if chosen.law == "bounded" else "loss", ahead)
    return replace(chosen, warnings=warnings, alternatives=others, minimum_data=first, ahead=ahead)


def _loose(largest: float, what: str, ahead: Prediction) -> tuple[str, ...]:
    """That four times the largest size is not known within 2 %."""
    value, low, high = (float(each[0]) for each in ahead)
    off = max(high - value, value - low) / max(value, 1e-12)
    if off <= WARN:
        return ()
    seen = f"{low:.4g} to {high:.4g}" if max(abs(low), abs(high)) < 1e6 else "no bounds"
    return (f"extrapolated to {AHEAD * largest:,.0f} examples the {what} may be off by {off:.1%} (95 % band {seen})",)


def _united(first: MinimumData, answers: Sequence[MinimumData]) -> MinimumData:
    """The first answer with the interval of all; one that reaches the target nowhere leaves it open."""
    lows = [answer.point if answer.status == "met" else answer.low for answer in answers]
    known = [low for low in lows if low is not None]
    highs = [answer.point if answer.status == "met" else answer.high for answer in answers]
    closed = [high for high in highs if high is not None]
    status: Status = first.status
    if status == "unreachable" and any(answer.status != "unreachable" for answer in answers):
        status = "not identified"
    high = max(closed) if len(closed) == len(answers) else None
    perhaps = any(answer.may_be_unreachable for answer in answers)
    return first._replace(status=status, low=min(known) if known else None, high=high, may_be_unreachable=perhaps)


def _answers(curves: Curves, blocks: Blocks | None, aim: Aim, errors: Floats) -> list[MinimumData | None]:
    """Invert the law, n* = (A / (target - E))^(1/a) - n0, with the interval; what is told is in the metric's unit."""
    rising = curves.law == "bounded"
    points, found = curves.reaching(aim.target), find_reach(curves, aim, blocks)
    goals = 1 - aim.target if rising else aim.target
    met = aim.target >= curves.predict(curves.n[:1])[:, 0]
    perhaps = found.floored | np.isinf(points)
    answers: list[MinimumData | None] = []
    largest = float(curves.n[-1])
    for row, goal in enumerate(goals.tolist()):
        point, low, high = (_size(float(sizes[row]), up=rising) for sizes in (points, found.low, found.high))
        answer = MinimumData(goal, "interpolated", point, low, high, may_be_unreachable=bool(perhaps[row]))
        if met[row]:
            answer = MinimumData(goal, "met", point=float(curves.n[0]))
        elif bool(found.never[row]) and math.isinf(points[row]):
            answer = MinimumData(goal, "unreachable", may_be_unreachable=True)
        elif point is None or point > FARTHEST * largest:
            least = FARTHEST * largest if low is None else low
            answer = answer._replace(status="not identified", point=None, low=least, high=None)
        elif point > largest:
            times, error = point / largest, float(errors[row])
            answer = answer._replace(status="extrapolated", times=times, holdout_error=error)
        answers.append(answer)
    return answers


def _size(n: float, *, up: bool) -> float | None:
    """None for what is nowhere; an accuracy's sizes are whole, and rather too large."""
    if math.isinf(n):
        return None
    return float(math.ceil(n - 1e-6 * n)) if up else n


def _unanswered(goals: Floats | None, row: int) -> MinimumData | None:
    return None if goals is None else MinimumData(float(goals[row]), "refused")


def _unfit(n: Floats, loss: Floats, steps: Floats, wanted: Law, law: Law | None) -> str | None:
    """Why no law can be fitted to the mean losses (or errors) of sizes n, both (M,)."""
    needed = FREE[wanted] + SPARE
    if len(n) < needed:
        return f"{len(n)} sizes; the {law or 'simplest'} law needs {needed}"
    what, worsens = ("accuracy", "falls") if wanted == "bounded" else ("loss", "rises")
    for (before, after), (small, large), error in zip(pairwise(loss), pairwise(n), steps, strict=True):
        if after - before > max(FALL if wanted == "bounded" else RISE * before, 2 * error):
            first, then = (1 - before, 1 - after) if wanted == "bounded" else (before, after)
            return f"the {what} {worsens} with more data, from {first:.4g} at {small:g} to {then:.4g} at {large:g}"
    better = "rise" if wanted == "bounded" else "fall"
    return None if loss[-1] < loss[0] else f"the {what} does not {better} with more data"


def _see_that_they_belong_together(n: Floats, **others: npt.ArrayLike | None) -> None:
    """Raises ValueError where something has not one entry for each run."""
    for name, values in others.items():
        if values is not None and np.shape(values) != n.shape:
            raise ValueError(f"n is of {n.size} runs and {name} of {np.size(values)}; one entry for each run is right")


def _lost(count: int, what: str) -> tuple[str, ...]:
    return (f"{count} runs without a finite {what} were left out: they diverged",) if count else ()


def _lonely(seeds: npt.NDArray[np.int_]) -> tuple[str, ...]:
    """With nested subsets, one seed and nine sizes the intervals of 95 % hold the truth in half of all experiments."""
    said = "the runs of one seed go up and down together, which one seed does not show: its intervals are too narrow"
    return (said,) if len(set(seeds.tolist())) == 1 else ()


def _uneven(n: Floats, seeds: npt.NDArray[np.int_]) -> tuple[str, ...]:
    everyone = set(seeds.tolist())
    lacking = [size for size in np.unique(n) if set(seeds[n == size].tolist()) != everyone]
    listed = ", ".join(f"{size:g}" for size in lacking)
    return (f"not every seed has a result at size {listed}",) if lacking else ()
