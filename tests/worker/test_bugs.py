"""A bug in a Lua verb that a worker calls fails the stage that met it, by name; it is no outage and no lost lease."""

import pytest

from scheduler.state import keys
from scheduler.state.bug_log import read_bugs, read_stopping_bugs
from scheduler.state.scripts import build_script
from sweeps.stage import Stage
from tests.support import wait_until
from tests.worker.workshop import SPEC, Workshop
from worker.outcome import Failed


def training(workshop: Workshop) -> Stage:
    plan = workshop.submit(SPEC).plan
    return next(stage for stage in plan.stages if stage.kind == "train")


def plant(workshop: Workshop, verb: str) -> None:
    text = build_script(verb, "write('INCR', PREFIX .. 'sequence') error('planted')")
    workshop.store.scripts._verbs[verb] = workshop.store.client.register_script(text)


@pytest.mark.parametrize("verb", ["claim_stage", "report_progress", "commit_checkpoint", "settle_stage"])
def test_the_stage_fails_once_and_says_which_verb(workshop: Workshop, verb: str) -> None:
    stage = training(workshop)
    plant(workshop, verb)
    workshop.attempt(stage)
    row = workshop.store.client.hgetall(keys.stage(stage.id))
    assert (row["state"], row["attempt"], row.get("reserved")) == ("failed", "1", None)
    assert f"`{verb}`" in row["cause"]
    assert "planted" in row["cause"]
    assert [bug.failed for bug in read_bugs(workshop.store) if bug.verb == verb] == [1]


@pytest.mark.parametrize("field", ["recipe", "rates"])
def test_a_stage_of_which_nothing_can_be_read_fails_at_once(workshop: Workshop, field: str) -> None:
    stage = training(workshop)
    workshop.store.client.hset(keys.breaker("offline"), "model", "offline/ngram-s")
    sent = workshop.store.dispatch(stage.id, sweep="one", patience=20)
    workshop.store.client.hset(keys.stage(stage.id), field, "{")
    from tests.worker.workshop import Silent
    from worker.pipeline import attempt_stages

    assert isinstance(attempt_stages(workshop.context, stage.id, sent.attempt, Silent()), Failed)
    assert workshop.state(stage) == "failed"
    assert "JSONDecodeError" in next(bug.message for bug in read_bugs(workshop.store))


@pytest.mark.parametrize("verb", ["renew_leases", "report_signal"])
def test_what_keeps_leases_alive_is_named_soon_and_nothing_new_is_started(workshop: Workshop, verb: str) -> None:
    stage = training(workshop)
    plant(workshop, verb)
    sent = workshop.store.dispatch(stage.id, sweep="one", patience=20)
    lease = workshop.store.claim(stage.id, attempt=sent.attempt, worker="w1", lease=30)
    assert lease is not None
    with workshop.context.leases.hold(lease, asked_at=0.0):
        wait_until(lambda: [bug.verb for bug in read_stopping_bugs(workshop.store)] == [verb], "it to be named")
