"""Doubled, late or lost Celery messages change nothing but time."""

import json
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from scheduler.engine.capacity import Bounds
from scheduler.engine.dispatch import Nudges
from scheduler.engine.tick import TickLimits, tick
from scheduler.state import keys, views
from scheduler.state.store import Store
from tests.chaos.fleet import Fleet, build_small_spec
from tests.support import wait_until

# A message that is not there in 3 s is thought lost.
LIMITS = TickLimits(Bounds(floor=8, ceiling=8, start=8), stall=600, claim=3)


class BadPost(Nudges):
    """Doubles every message, or keeps the first one of each stage back until all is over, or loses it."""

    def __init__(self, url: str, habit: str) -> None:
        super().__init__(url)
        self._habit = habit
        self.late: list[tuple[str, int, str]] = []
        self.posted = 0

    def send(self, stage: str, attempt: int, label: str) -> bool:
        if self._habit == "doubled":
            self._post(stage, attempt, label)
        elif attempt == 1:
            if self._habit == "late":
                self.late.append((stage, attempt, label))
            return True
        return self._post(stage, attempt, label)

    def deliver(self) -> None:
        for late_message in self.late:
            self._post(*late_message)

    def _post(self, stage: str, attempt: int, label: str) -> bool:
        self.posted += 1
        return super().send(stage, attempt, label)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with Fleet(tmp_path_factory.mktemp("post") / "fleet", workers=1).up(scheduler=False) as fleet:
        yield fleet


@pytest.mark.parametrize("habit", ["doubled", "late", "lost"])
def test_the_post_changes_nothing_but_time(fleet: Fleet, habit: str) -> None:
    plan = fleet.submit(build_small_spec(habit)).plan
    post, before_it = BadPost(fleet.redis.url, habit), _ended(fleet)
    with fleet.store() as store:
        wait_until(lambda: _ticked_to_the_end(store, post, habit), f"{habit} to finish", seconds=60)
        before = _standing(store, habit)
        post.deliver()
        wait_until(lambda: _ended(fleet) - before_it == post.posted, "the worker to be done with every message")
        assert _standing(store, habit) == before, "what came late changed nothing"
        view = views.read_sweep(store, habit)
    assert view.counts == {"succeeded": len(plan.stages)}
    assert view.tokens == plan.totals.tokens, "nothing was done twice"
    ends = Counter(event["stage"] for event in fleet.events() if event.get("to") == "succeeded")
    assert all(ends[stage.id] == 1 for stage in plan.stages)
    # Evaluations continue on the live client, without a message; that of the untrained model has one of its own.
    assert len(post.late) == (4 if habit == "late" else 0)
    post.close()


def _ticked_to_the_end(store: Store, post: BadPost, sweep: str) -> bool:
    tick(store, post, LIMITS)
    time.sleep(0.05)  # between two ticks, as the scheduler's own loop
    return views.read_sweep(store, sweep).state == "finished"


def _standing(store: Store, sweep: str) -> str:
    rows = {stage.id: store.client.hgetall(keys.stage(stage.id)) for stage in views.read_stages(store, sweep)}
    return json.dumps([rows, views.read_cells(store, sweep)], sort_keys=True)


def _ended(fleet: Fleet) -> int:
    """Messages that the worker is done with, as Celery says of each."""
    return fleet.children["worker-1"].said().count("] succeeded in ")
