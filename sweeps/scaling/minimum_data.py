"""The size at which a fitted curve reaches a target, with its interval."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from sweeps.scaling.laws import Curves, Floats
from sweeps.scaling.profile import FARTHEST, Aim, Blocks, find_reach

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


def list_answers(curves: Curves, blocks: Blocks | None, aim: Aim, errors: Floats) -> list[MinimumData | None]:
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
    """Return None for a size that does not exist; round up the sizes of an accuracy."""
    if math.isinf(n):
        return None
    return float(math.ceil(n - 1e-6 * n)) if up else n


def unite_answers(first: MinimumData, answers: Sequence[MinimumData]) -> MinimumData:
    """Give the first answer the interval of all; one that never reaches the target leaves it open."""
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


def refuse_answer(goals: Floats | None, row: int) -> MinimumData | None:
    """Answer that the fit is refused; None without a target."""
    return None if goals is None else MinimumData(float(goals[row]), "refused")
