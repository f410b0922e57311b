"""Weigh what a sweep has done and what is left by the expected cost of its stages: a pace by number misleads.

Evaluations are many and short, and large sizes come last.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from scheduler.state import keys
from scheduler.state.pages import read_in_pages
from scheduler.state.states import StageState, SweepState
from scheduler.state.store import Store
from scheduler.state.views import SweepView

STATES = list(StageState)  # in the order of `COUNTED` in `_prelude_notices.lua`
ENOUGH = 3  # stages that must have ended before there is a pace to speak of
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


def read_progress(store: Store, name: str) -> dict[str, float]:
    """Read how far each stage of a sweep is: 1 once it has ended, the share of its steps while it runs, else 0.

    A stage's score in its sweep is its position and, in sixteenths, its state.
    """
    scored = store.client.zrange(keys.sweep_stages(name), 0, -1, withscores=True)
    states = {stage: STATES[code - 1] for stage, score in scored if (code := round(score % 1 * 16))}
    progress = {stage: float(states.get(stage) in ENDED) for stage, _ in scored}
    running = [stage for stage, state in states.items() if state == StageState.RUNNING]
    for stage, text in read_in_pages(
        store.client, running, lambda pipe, stage: pipe.hget(keys.stage(stage), "progress")
    ):
        progress[stage] = _read_share(json.loads(text or "{}"))
    return progress


def _read_share(progress: Mapping[str, Any]) -> float:
    step, steps = progress.get("step"), progress.get("steps")
    return min(1.0, step / steps) if step and steps else 0.0


def share_work(
    work: Mapping[str, StageWork], now: Mapping[str, float], before: Mapping[str, float]
) -> tuple[float, float]:
    """Return the weight of what was done since, and of what is left."""
    done = sum(known.weight * (now.get(stage, 0.0) - before.get(stage, 0.0)) for stage, known in work.items())
    return done, sum(known.weight * (1 - now.get(stage, 0.0)) for stage, known in work.items())


def estimate_seconds_left(store: Store, view: SweepView) -> float | None:
    """Estimate from what ended since the sweep's first stage started, by expected cost; reused results do not count."""
    started, before = store.client.hmget(keys.sweep(view.name), ["started", "ended_before"])
    done = view.ended - int(before or 0)
    if view.state != SweepState.ACTIVE or started is None or done < ENOUGH:
        return None
    work, progress = read_work(store, view.name), read_progress(store, view.name)
    earlier = {stage: 1.0 for stage, known in work.items() if progress.get(stage) == 1 and known.since < int(started)}
    finished, left = share_work(work, progress, earlier)
    return (store.scripts.read_time() - int(started)) / 1000 / finished * left if finished else None
