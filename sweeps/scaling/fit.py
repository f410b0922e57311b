"""Fit a law to the losses of a domain: which law, how far to trust it, and what it says about a target.

A law is judged by what it has not seen: fitted to the first sizes, it forecasts the later ones (`backtests`). How far
off it was makes its interval wider (`misfit`), decides between laws (`selection`) and says how far beyond the sizes it
may be asked (`trust`). A fit is refused where sizes are too few, where the loss rises with more data or a constant fits
as well, and where the largest size was missed by more than 10 %. A refused fit may still be drawn, but it answers no
question about a target. Laws that fit about equally well are all shown, and the interval covers them all.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sweeps.formatting import percent
from sweeps.scaling.bend import Bend
from sweeps.scaling.coded_text import CodedText
from sweeps.scaling.fit_checks import (
    check_lengths,
    find_obstacle,
    warn_of_far_errors,
    warn_of_left_out,
    warn_of_missing_seeds,
    warn_of_one_seed,
)
from sweeps.scaling.laws import Curves, Floats, Law
from sweeps.scaling.minimum_data import MinimumData, list_answers, refuse_answer, share_interval, unite_answers
from sweeps.scaling.misfit import PUBLISHED_PRIOR, Misfit, MisfitPrior
from sweeps.scaling.profile import Aim, Blocks, Question, find_band
from sweeps.scaling.selection import AHEAD, WARN, Candidates, Runs
from sweeps.scaling.trust import Trust, find_trust


class Prediction(NamedTuple):
    """Losses (or accuracies) at sizes, and the 95 % band of the curve there, each (N,). A single run varies more."""

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
    alternatives: tuple["ScalingFit", ...] = ()  # laws that fit about equally well, each with its answer, no interval
    blocks: Blocks | None = None
    misfit: Misfit | None = None  # of the chosen law
    trust: Trust | None = None  # how far beyond the sizes the law may be asked

    @property
    def law(self) -> Law | None:
        return self.curve.law if self.curve else None

    @property
    def bend(self) -> Bend | None:
        """Where the curve bends, if a law that bends forecast its largest sizes better."""
        return self.misfit.bends[0] if self.misfit and self.misfit.bends else None

    @property
    def params(self) -> Mapping[str, float]:
        """E, A, a and n0 of the laws' formulas, those that the law has; of the bounded law also e0, which was given."""
        if self.curve is None:
            return {}
        parameters = {"a": float(self.curve.exponent[0])}
        parameters |= {"e0": self.curve.ceiling} if self.law == "bounded" else {"A": float(self.curve.scale[0])}
        parameters |= {"E": float(self.curve.floor[0])} if self.law != "pure" else {}
        return parameters | (
            {"n0": float(self.curve.shift[0])} if self.law in ("shifted", "rectified", "bounded") else {}
        )

    def predict(self, n: npt.ArrayLike) -> Prediction:
        """The curve at n examples, with the band of all laws that cannot be told apart (`profile.band`).

        Raises ValueError where there is no curve.
        """
        sizes = np.atleast_1d(np.asarray(n, float))
        fits = (self, *self.alternatives)
        return _widest(
            [_predict_curves(fit.drawn, sizes, *find_band(fit.drawn, sizes, fit.blocks, fit.misfit))[0] for fit in fits]
        )

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
    prior: MisfitPrior = PUBLISHED_PRIOR,
) -> ScalingFit:
    """Fit a law to the losses (R,) of R runs at sizes n (R,), the mean over the seeds of a size being one point.

    The law is, unless `law` says it, chosen among those that the number of sizes allows (`Candidates.keep_laws`): by
    the error that is expected of it at the size that reaches the target, and by AICc among laws that predict about as
    well. Those within 2 of its AICc are the `alternatives`. `prior` is what is known of the error of laws beforehand.

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
    check_lengths(sizes, loss=values, seed=seed)
    trained = sizes > 0
    good = trained & np.isfinite(values) & ((values > 0) if chance is None else (values >= 0) & (values <= 1))
    seeds = None if seed is None else np.asarray(seed)[good]
    sought = target if target is not None and math.isfinite(target) else None
    errors = None if error is None else np.broadcast_to(np.asarray(error, float), values.shape)[good]
    fit = fit_many(
        sizes[good],
        values[good][None, :],
        seed=seeds,
        targets=sought,
        law=law,
        chance=chance,
        error=errors,
        prior=prior,
    )[0]
    lost = warn_of_left_out(values[trained & ~good], "loss" if chance is None else "accuracy")
    lacking = () if seed is None else warn_of_missing_seeds(sizes[good], np.asarray(seed)[good])
    aimless = () if sought == target else (CodedText("no_target", f"the target is not finite: {target}"),)
    lonely = () if seed is None or fit.refused else warn_of_one_seed(np.asarray(seed)[good])
    return replace(fit, warnings=(*aimless, *lost, *lacking, *lonely, *fit.warnings))


def fit_many(
    n: Floats,
    losses: Floats,
    *,
    seed: npt.ArrayLike | None = None,
    targets: npt.ArrayLike | None = None,
    law: Law | None = None,
    chance: float | None = None,
    error: npt.ArrayLike | None = None,
    prior: MisfitPrior = PUBLISHED_PRIOR,
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
    reasons = [find_obstacle(sizes, means[row], steps[row], wanted, law) for row in range(len(losses))]
    fits = [
        ScalingFit(sizes, shown[row], refused=reason, minimum_data=refuse_answer(goals, row))
        for row, reason in enumerate(reasons)
    ]
    rows = np.array([row for row, reason in enumerate(reasons) if reason is None], int)
    if len(rows):
        part = replace(runs, losses=values[rows])
        aim = None if goals is None else _aim(part, goals[rows], None if errors is None else errors[rows])
        for row, fit in zip(rows, _fitted(part, shown[rows], aim, law, prior), strict=True):
            fits[row] = fit
    return fits


def _aim(runs: Runs, goals: Floats, errors: Floats | None) -> Aim:
    """What is aimed at, in the unit that the law is of. A size's error is at most the mean of those of its runs."""
    return Aim(1 - goals if runs.bounded else goals, None if errors is None else replace(runs, losses=errors).means)


def _fitted(runs: Runs, shown: Floats, aim: Aim | None, law: Law | None, prior: MisfitPrior) -> list[ScalingFit]:
    """The fits of experiments that can be fitted, with their laws chosen."""
    candidates = Candidates.fit_all(runs, law, prior, None if aim is None else aim.target)
    kept = [candidates.keep_laws(row) for row in range(len(shown))]
    far = AHEAD * runs.sizes[-1:]
    fits: dict[tuple[int, Law], ScalingFit] = {}
    for candidate, curves in candidates.curves.items():
        for first in (True, False):  # the chosen law has a misfit of its own, the others show what else would fit
            rows = np.array(
                [row for row, laws in enumerate(kept) if candidate in laws and (laws[0] == candidate) is first], int
            )
            if not len(rows):
                continue
            own, blocks = curves.rows(rows), runs.blocks(curves)
            blocks, misfit = blocks and blocks.rows(rows), candidates.misfits[candidate].rows(rows)
            misfit = misfit.look_for_bends() if first else misfit
            errors, contradicted = candidates.holdouts[candidate][rows], candidates.contradicted[candidate][rows]
            used = misfit if first else None
            trusts = [find_trust(misfit, place) for place in range(len(rows))]
            answers: list[MinimumData | None] = [None] * len(rows)
            if aim is not None:
                answers = list_answers(Question(own, aim.rows(rows), blocks, used), errors, trusts)
            ahead = _predict_curves(own, far, *find_band(own, far, blocks, used))
            for place, row in enumerate(rows):
                only = np.array([place])
                fit = ScalingFit(
                    runs.sizes,
                    shown[row],
                    own.rows(only),
                    blocks=blocks and blocks.rows(only),
                    ahead=ahead[place],
                    misfit=used and used.rows(only),
                    trust=trusts[place],
                )
                fits[row, candidate] = _judged(fit, float(errors[place]), bool(contradicted[place]), answers[place])
    return [_together([fits[row, candidate] for candidate in laws]) for row, laws in enumerate(kept)]


def _predict_curves(curves: Curves, n: Floats, low: Floats, high: Floats) -> list[Prediction]:
    """The curves at n with their bands (R, N), for each experiment; accuracies, where the law is of their errors."""
    every = zip(curves.predict(n), low, high, strict=True)
    if curves.law == "bounded":
        return [Prediction(1 - value, 1 - most, 1 - least) for value, least, most in every]
    return [Prediction(*parts) for parts in every]


def _widest(predictions: Sequence[Prediction]) -> Prediction:
    """The first with the band of all."""
    low, high = (np.array([getattr(prediction, side) for prediction in predictions]) for side in ("low", "high"))
    return Prediction(predictions[0].value, low.min(axis=0), high.max(axis=0))


def _judged(fit: ScalingFit, error: float, contradicted: bool, answer: MinimumData | None) -> ScalingFit:
    """The fit with what is to be said about it."""
    curve, refused = fit.drawn, None
    warnings: tuple[str, ...] = ()
    if fit.trust and fit.trust.is_refused:
        failed = fit.trust.reason
        if curve.law == "bounded" and fit.blocks is not None and not contradicted:
            failed += "; the seeds do not contradict it, so use more items or seeds"
        refused = CodedText("law_failed", failed)
        answer = answer and MinimumData(answer.target, "refused")
    elif error > WARN:
        missed_by = f"{percent(error, 2)} (more than {percent(WARN, 0)} is a warning)"
        missed = f"fitted without the two largest sizes, the curve misses them by {missed_by}"
        warnings += (CodedText("law_misses", missed),)
    if contradicted:
        contradiction = f"the seeds contradict the {curve.law} law: it misses sizes by more than the seeds differ"
        warnings += (CodedText("seeds_contradict", contradiction),)
    if fit.bend is not None:
        warnings += (CodedText("law_bends", fit.bend.describe()),)
    if curve.law != "pure" and curve.floor[0] == 0:
        limit = "highest reachable accuracy" if curve.law == "bounded" else "lowest reachable loss"
        unknown = f"the {limit} could not be estimated"
        far = f"{unknown}, so do not trust the curve far beyond the measured sizes"
        warnings += (CodedText("limit_unknown", far),)
    residuals = fit.loss - fit.line(fit.n)
    r2 = float(1 - np.sum(residuals**2) / np.sum((fit.loss - fit.loss.mean()) ** 2))
    if refused is None and (r2 <= 0 or curve.is_flat[0]):
        constant = f"a constant fits as well; the curve explains no more than chance would (R² {r2:.2g})"
        refused = CodedText("flat", constant)
        answer = answer and MinimumData(answer.target, "refused")
    return replace(
        fit,
        r2=r2,
        max_residual=float(np.abs(curve.residuals).max()),
        holdout_error=error,
        warnings=warnings,
        refused=refused,
        minimum_data=answer,
    )


def _name_alike(fits: Sequence[ScalingFit]) -> str:
    """Say that several laws fit, whose answers are all shown."""
    laws, every = " and the ".join(f"{fit.law}" for fit in fits), "both" if len(fits) == 2 else "all"
    shown = "the table has a row for each"
    if fits[0].minimum_data is not None and fits[0].minimum_data.has_interval:
        shown += f", and the interval is the same in these rows: it covers {every} answers"
    return CodedText("laws_tie", f"the {laws} law fit about equally well; {shown}")


def _together(fits: Sequence[ScalingFit]) -> ScalingFit:
    """The chosen fit with its alternatives: an interval that holds all of theirs, and a band."""
    chosen, others = fits[0], tuple(fits[1:])
    warnings, first = chosen.warnings, chosen.minimum_data
    standing = [fit for fit in fits if not fit.refused]  # the others give no answers that could tie
    warnings += (_name_alike(standing),) if len(standing) > 1 and not chosen.refused else ()
    if first is not None and first.has_interval:
        first = unite_answers(first, [fit.minimum_data for fit in fits if fit.minimum_data])
    others = tuple(replace(fit, minimum_data=share_interval(fit.minimum_data, first)) for fit in others)
    ahead = _widest([fit.ahead for fit in fits if fit.ahead])
    if not chosen.refused:
        warnings += warn_of_far_errors(
            float(chosen.n[-1]), AHEAD, "accuracy" if chosen.law == "bounded" else "loss", *ahead
        )
    return replace(chosen, warnings=warnings, alternatives=others, minimum_data=first, ahead=ahead)
