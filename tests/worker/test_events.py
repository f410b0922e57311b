"""A report to Flower that fails does not end an attempt."""

from typing import Any

import pytest
from kombu.exceptions import OperationalError

from scheduler.state import keys
from sweeps.stage import Stage
from tests.support import wait_until
from tests.worker.workshop import Silent, Workshop
from worker.outcome import Succeeded
from worker.pipeline import attempt_stages


class Deaf:
    """A task whose broker is away."""

    def __getattr__(self, name: str) -> Any:
        raise OperationalError("Connection refused")


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("REDIS_URL", "redis://localhost:1/0")
    from worker.tasks import CeleryEvents

    return CeleryEvents(Deaf())


def test_an_attempt_succeeds_while_the_broker_is_away_and_its_client_is_closed(workshop: Workshop, events: Any) -> None:
    stages: list[Stage] = list(workshop.submit().plan.stages)
    train = next(stage for stage in stages if stage.kind == "train")
    sent = workshop.store.dispatch(train.id, sweep="one", patience=20)
    assert isinstance(attempt_stages(workshop.context, train.id, sent.attempt, events), Succeeded)
    workshop.spread()
    assert {workshop.state(stage) for stage in stages if train.id in stage.parents} == {"succeeded"}, "and its children"


def test_a_client_is_closed_and_its_slot_free_however_the_attempt_goes_on(workshop: Workshop) -> None:
    """Kept open, it would go on beside the one that takes its slot when that has run out."""

    class Broken(Silent):
        def report_continued(self, label: str) -> Any:
            raise RuntimeError(label)

    train = next(stage for stage in workshop.submit().plan.stages if stage.kind == "train")
    sent = workshop.store.dispatch(train.id, sweep="one", patience=20)
    with pytest.raises(RuntimeError):
        attempt_stages(workshop.context, train.id, sent.attempt, Broken())
    slots = keys.slots("offline/training")
    wait_until(lambda: workshop.store.client.zcard(slots) == 0, "the slot to be given back", seconds=10)
