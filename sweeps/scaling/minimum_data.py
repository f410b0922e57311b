"""The size at which a fitted curve reaches a target, with its interval."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from sweeps.scaling.laws import Curves, Floats
from sweeps.scaling.profile import FARTHEST, LEVEL, SURE, Blocks, Parts, Question, find_parts, find_reach
from sweeps.scaling.trust import Trust

BEYOND = 2  # times the point: of published intervals without an upper end, five in six had one after such a run

Status = Literal["interpolated", "extrapolated", "met", "unreachable", "not identified", "refused"]


class MinimumData(NamedTuple):
    """The size at which the curve reaches `target`, in examples, with its 95 % interval (`profile`).

    met: the smallest size is already there, `point` is that size. interpolated: within the sizes. extrapolated: `times`
    the largest size; `holdout_error` is how far to trust that. unreachable: the floor is beyond the target, and so is
    every floor that the losses allow. not identified: the curve gets there at more than ten times the largest size, if
    at all; then `low` is the least that may be enough. `high` is None where the interval goes on beyond REACH times the
    largest size. A `low` of the smallest size may be still less; it is
    never below a size whose mean clearly misses the target. `may_be_unreachable`: the losses allow a floor that is
    not below the target, so that no amount of data may be enough. `parts`: what makes the interval as wide as it is.
    `next_size`: where an interval has no upper end, a run of this size would probably give it one.
    refused: no law fits, or, with a `reason`, the law was off by more than 10 % when it last looked as far ahead.
    """

    target: float
    status: Status
    point: float | None = None
    low: float | None = None
    high: float | None = None
    times: float | None = None
    holdout_error: float | None = None
    may_be_unreachable: bool = False
    parts: Parts | None = None
    reason: str = ""
    next_size: float | None = None

    @property
    def has_interval(self) -> bool:
        """Whether sizes between `low` and `high` are its answer."""
        return self.status in ("interpolated", "extrapolated", "not identified", "unreachable")


def list_answers(question: Question, errors: Floats, trusts: Sequence[Trust]) -> list[MinimumData | None]:
    """Invert the law, n* = (A / (target - E))^(1/a) - n0, with the interval; what is told is in the metric's unit."""
    curves, aim = question.curves, question.aim
    rising = curves.law == "bounded"
    points, reach = curves.reaching(aim.target), find_reach(question)
    goals = 1 - aim.target if rising else aim.target
    proven, missed = _judge_sizes(question)
    met = (aim.target >= curves.predict(curves.n[:1])[:, 0]) & (missed == 0)
    points = np.maximum(np.where(proven, np.minimum(points, curves.n[-1]), points), missed)
    reach = reach._replace(low=np.maximum(reach.low, missed), high=np.maximum(reach.high, missed))
    perhaps = (reach.floored | np.isinf(points)) & ~proven
    answers: list[MinimumData | None] = []
    largest = float(curves.n[-1])
    shares = find_parts(question, np.clip(points, curves.n[0], FARTHEST * largest))
    for row, goal in enumerate(goals.tolist()):
        point, low, high = (_size(float(sizes[row]), up=rising) for sizes in (points, reach.low, reach.high))
        answer = MinimumData(goal, "interpolated", point, low, high, may_be_unreachable=bool(perhaps[row]))
        answer = answer._replace(parts=shares[row])
        if met[row]:
            answer = MinimumData(goal, "met", point=float(curves.n[0]))
        elif proven[row]:
            least = min(low or largest, point or largest)
            answer = answer._replace(low=least, high=min(high or largest, largest))
        elif bool(reach.never[row]) and math.isinf(points[row]):
            answer = MinimumData(goal, "unreachable", may_be_unreachable=True)
        elif point is None or point > FARTHEST * largest:
            least = FARTHEST * largest if low is None else low
            answer = answer._replace(status="not identified", point=None, low=least, high=None)
        elif point > largest:
            times, error = point / largest, float(errors[row])
            answer = answer._replace(status="extrapolated", times=times, holdout_error=error)
        if answer.status == "extrapolated" and points[row] / largest > trusts[row].limit:
            answer = MinimumData(goal, "refused", reason=trusts[row].reason)
        answers.append(answer)
    return answers


class _Measured(NamedTuple):
    """What the means of single sizes show, whatever a law says: a loss does not rise with more data.

    `proven` (R,): the largest size meets the target with its whole 95 % interval, so it is enough, and the interval of
    the answer ends there. `missed` (R,): the largest size that misses it with its whole interval, so more is needed,
    and the interval does not begin below; 0 where there is none.
    """

    proven: npt.NDArray[np.bool_]
    missed: Floats


def _judge_sizes(question: Question) -> _Measured:
    """Judge each size by the mean of its runs, for other seeds (t, with the scatter of all sizes) and other items.

    One seed alone shows nothing.
    """
    curves, aim, blocks = question.curves, question.aim, question.blocks
    experiments = len(aim.target)
    if blocks is None or blocks.seeds < 2:
        return _Measured(np.zeros(experiments, bool), np.zeros(experiments))
    items = aim.interpolate(curves, np.broadcast_to(curves.n, (experiments, len(curves.n))))
    half = np.hypot(find_half_widths(curves, blocks), SURE * items)
    goals = aim.target[:, None]
    misses = curves.loss - half > goals
    return _Measured(curves.loss[:, -1] + half[:, -1] <= aim.target, np.where(misses, curves.n, 0.0).max(axis=1))


def find_half_widths(curves: Curves, blocks: Blocks, more: int = 0) -> Floats:
    """(R, M) half of the 95 % interval of each size's mean for other seeds (t, with the scatter of all sizes).

    `more`: what it would be with so many seeds more and the same scatter. At least 2 seeds are needed.
    """
    from scipy.special import stdtrit  # the quantile of t

    spread = np.sqrt(blocks.scatter[:, None] * np.diag(blocks.nesting) / curves.weights)
    seeds = blocks.seeds + more
    return np.asarray(stdtrit(seeds - 1, (1 + LEVEL) / 2) * spread * math.sqrt(blocks.seeds / seeds))


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
    first = first._replace(status=status, low=min(known) if known else None, high=high)
    return first._replace(
        may_be_unreachable=any(answer.may_be_unreachable for answer in answers), next_size=_find_next_size(first)
    )


def _find_next_size(answer: MinimumData) -> float | None:
    """Find the size to measure next, with two digits; None where there is an upper end, or no point."""
    if answer.high is not None or answer.point is None or answer.status not in ("interpolated", "extrapolated"):
        return None
    size = BEYOND * answer.point
    unit = 10.0 ** (math.floor(math.log10(max(size, 1.0))) - 1)
    return math.ceil(size / unit) * unit if unit >= 1 else float(math.ceil(size))


def share_interval(answer: MinimumData | None, whole: MinimumData | None) -> MinimumData | None:
    """Give one law among several the interval of all laws together: its own would be too narrow."""
    if answer is None or whole is None or answer.status in ("met", "unreachable", "refused"):
        return answer and answer._replace(low=None, high=None, parts=None)
    return answer._replace(low=whole.low, high=whole.high, parts=None)


def refuse_answer(goals: Floats | None, row: int) -> MinimumData | None:
    """Answer that the fit is refused; None without a target."""
    return None if goals is None else MinimumData(float(goals[row]), "refused")
