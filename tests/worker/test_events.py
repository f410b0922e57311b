"""What Flower is told is for its eyes only: an attempt does not end for it."""

from typing import Any

import pytest
from kombu.exceptions import OperationalError

from sweeps.stage import Stage
from tests.worker.workshop import Workshop
from worker.outcome import Succeeded
from worker.pipeline import attempt


class Deaf:
    """A task whose broker is away."""

    def __getattr__(self, name: str) -> Any:
        raise OperationalError("Connection refused")


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("REDIS_URL", "redis://localhost:1/0")
    from worker.tasks import Events

    return Events(Deaf())


def test_an_attempt_succeeds_while_the_broker_is_away_and_its_client_is_closed(workshop: Workshop, events: Any) -> None:
    stages: list[Stage] = list(workshop.submit().plan.stages)
    train = next(stage for stage in stages if stage.kind == "train")
    sent = workshop.store.dispatch(train.id, sweep="one", patience=20)
    assert isinstance(attempt(workshop.hands, train.id, sent.attempt, events), Succeeded)
    workshop.spread()
    assert {workshop.state(stage) for stage in stages if train.id in stage.parents} == {"succeeded"}, "and its children"
