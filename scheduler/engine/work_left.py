"""Weigh what a sweep has done and what is left by the expected cost of its stages: a pace by number misleads.

Evaluations are many and short, and large sizes come last.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from scheduler.state import keys
from scheduler.state.pages import read_in_pages
from scheduler.state.states import StageState
from scheduler.state.store import Store

STATES = list(StageState)  # in the order of `COUNTED` in `_prelude_notices.lua`
ENDED = (StageState.SUCCEEDED, StageState.FAILED, StageState.CANCELLED, StageState.SKIPPED)


class StageWork(NamedTuple):
    """One stage: what it is expected to cost, and when it came to its state."""

    weight: float  # micro-dollars, the mean of the low and the high estimate
    since: int  # milliseconds since 1970


def read_work(store: Store, name: str) -> dict[str, StageWork]:
    """Read all stages of a sweep; where no price is known, every stage weighs the same."""
    stages = store.client.zrange(keys.sweep_stages(name), 0, -1)
    fields = ["estimate", "low_estimate", "since"]
    rows = read_in_pages(store.client, stages, lambda pipe, stage: pipe.hmget(keys.stage(stage), fields))
    work = {
        stage: StageWork((int(high or 0) + int(low or 0)) / 2, int(since or 0)) for stage, (high, low, since) in rows
    }
    if any(known.weight for known in work.values()):
        return work
    return {stage: known._replace(weight=1.0) for stage, known in work.items()}


def read_ended(store: Store, name: str) -> set[str]:
    """Read which stages have ended, as the sweep has counted them: a stage's score is its position and its state."""
    scored = store.client.zrange(keys.sweep_stages(name), 0, -1, withscores=True)
    codes = {stage: round(score % 1 * 16) for stage, score in scored}
    return {stage for stage, code in codes.items() if code and STATES[code - 1] in ENDED}


def share_work(work: Mapping[str, StageWork], ended: Collection[str], before: Collection[str]) -> tuple[float, float]:
    """Return the weight of what has ended, except what had ended before, and of what has not."""
    done = sum(work[stage].weight for stage in ended if stage in work and stage not in before)
    return done, sum(known.weight for stage, known in work.items() if stage not in ended)
