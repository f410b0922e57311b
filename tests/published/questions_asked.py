"""Ask the fit of a published curve's first sizes for the data that a later, measured loss needs, and judge the answer.

The fit sees the first k sizes. Three targets are losses measured at the largest of them (x1), at twice and at four
times that size (x2, x4). A fourth is the loss at a middle size that the fit did not see ("left out"). The truth is the
size at which the loss was measured.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from sweeps.scaling.fit import ScalingFit, fit_many
from sweeps.scaling.laws import Floats
from sweeps.scaling.minimum_data import MinimumData
from sweeps.scaling.misfit import MisfitPrior
from tests.published.curves_table import PublishedCurve

FITTED = (5, 6, 8, 10, 12)  # how many sizes a fit sees
HORIZONS = ("left out", "x1", "x2", "x4")
TIMES = {"x1": 1.0, "x2": 2.0, "x4": 4.0}
NEAR = 0.15  # relative distance of a measured size from the one that a horizon names


class Question(NamedTuple):
    """Sizes and losses that the fit sees, and the measured point that it is asked for."""

    source: str
    curve: str
    fitted: int
    horizon: str
    sizes: Floats
    losses: Floats
    size: float
    target: float


class Judgement(NamedTuple):
    """What the answer to a question is worth. Widths are in natural logarithms; infinite where an end is open."""

    source: str
    curve: str
    fitted: int
    horizon: str
    size: float
    status: str
    answered: bool
    held: bool  # the interval of the minimum data holds the size
    band_held: bool  # the band of the curve holds the loss
    band_width: float
    interval_width: float
    warned: bool
    bends: bool  # the fit says that the curve bends
    error: float  # log of the predicted loss over the measured one


def list_questions(curve: PublishedCurve) -> Iterator[Question]:
    """List the questions that a curve's sizes allow."""
    sizes, losses = curve.sizes, curve.losses
    for count in (count for count in FITTED if count <= len(sizes)):
        for horizon in HORIZONS:
            at = count // 2 if horizon == "left out" else _find_size(sizes, TIMES[horizon] * sizes[count - 1])
            if at is None:
                continue
            seen = np.arange(count) if horizon != "left out" else np.delete(np.arange(count), at)
            yield Question(
                curve.source,
                curve.name,
                count,
                horizon,
                sizes[seen],
                losses[seen],
                float(sizes[at]),
                float(losses[at]),
            )


def _find_size(sizes: Floats, wanted: float) -> int | None:
    """Find the measured size nearest to the wanted one; None if it is too far off."""
    at = int(np.abs(np.log(sizes / wanted)).argmin())
    return at if abs(sizes[at] / wanted - 1) <= NEAR else None


def group_questions(questions: Sequence[Question], largest: int = 30) -> list[list[int]]:
    """Group the places of a source's questions about the same sizes: `fit_many` fits them in one go, each by itself."""
    places: dict[tuple[str | float, ...], list[int]] = {}
    for place, question in enumerate(questions):
        places.setdefault((question.source, *question.sizes.tolist()), []).append(place)
    return [same[start : start + largest] for same in places.values() for start in range(0, len(same), largest)]


def ask_questions(questions: Sequence[Question], prior: MisfitPrior) -> list[Judgement]:
    """Fit, ask and judge questions about the same sizes, each as `fit_scaling` would by itself."""
    losses = np.array([question.losses for question in questions])
    fits = fit_many(questions[0].sizes, losses, targets=[question.target for question in questions], prior=prior)
    return [judge_fit(question, fit) for question, fit in zip(questions, fits, strict=True)]


def judge_fit(question: Question, fit: ScalingFit) -> Judgement:
    """Compare what a fit answers with what was measured."""
    answer = fit.minimum_data
    status = "refused" if fit.refused or answer is None else answer.status
    low, high = (0.0, math.inf) if answer is None else _find_ends(answer, question.sizes[0])
    value = band_low = band_high = math.nan
    if status != "refused":
        value, band_low, band_high = (float(part[0]) for part in fit.predict(question.size))
    return Judgement(
        question.source,
        question.curve,
        question.fitted,
        question.horizon,
        question.size,
        status,
        answered=status != "refused",
        held=low <= question.size * (1 + 1e-9) and high >= question.size * (1 - 1e-9),
        band_held=band_low <= question.target <= band_high,
        band_width=math.log(band_high / band_low) if band_low > 0 else math.inf,
        interval_width=math.log(high / low) if low > 0 and high > 0 else math.inf,
        warned=bool(fit.warnings),
        bends=fit.bend is not None,
        error=math.log(value / question.target) if value > 0 else math.nan,
    )


def _find_ends(answer: MinimumData, smallest: float) -> tuple[float, float]:
    """Find the ends of the interval: "met" is anything up to the smallest size, "unreachable" holds nothing."""
    if answer.status == "met":
        return 0.0, smallest
    if answer.status == "unreachable":
        return math.inf, 0.0
    low = 0.0 if answer.low is None else answer.low
    return low, math.inf if answer.high is None else answer.high
