"""A right that Redis takes away during an attempt fails no stage, and costs nothing once it is given back: real ACL."""

import threading
from typing import Any

import pytest

from scheduler.state import keys
from scheduler.state.bug_log import read_bugs
from scheduler.state.missing_rights import read_refusal
from tests.support import wait_until
from tests.wording import lacks
from tests.worker.workshop import SPEC, Silent, Workshop, tokens
from worker import pipeline
from worker.attempt import Attempt
from worker.outcome import Outcome, Succeeded


@pytest.fixture
def admin(workshop: Workshop) -> Any:
    """All are the same user here; what takes rights away may give them back."""
    return workshop.store.client


def test_a_result_waits_for_its_right(workshop: Workshop, admin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = workshop.submit(SPEC).plan
    stage = next(stage for stage in plan.stages if stage.kind == "train")
    conclude = pipeline.conclude

    def conclude_without_rights(this: Attempt, outcome: Outcome) -> bool:
        admin.execute_command("ACL", "SETUSER", "default", "-hset")
        giving = threading.Thread(target=give_back)
        giving.start()
        stands = conclude(this, outcome)
        giving.join()
        return stands

    def give_back() -> None:
        wait_until(lambda: bool(read_refusal(admin)), "the refusal to be recorded")
        admin.execute_command("ACL", "SETUSER", "default", "+hset")

    monkeypatch.setattr(pipeline, "conclude", conclude_without_rights)
    assert isinstance(workshop.attempt(stage), Succeeded)
    assert workshop.state(stage) == "succeeded"
    assert not lacks(read_refusal(admin), "ACL SETUSER")
    assert read_bugs(workshop.store) == []
    assert tokens(workshop, stage) == stage.tokens


def test_a_claim_that_is_not_allowed_fails_no_stage(workshop: Workshop, admin: Any) -> None:
    plan = workshop.submit(SPEC).plan
    stage = next(stage for stage in plan.stages if stage.kind == "train")
    sent = workshop.store.dispatch(stage.id, sweep="one", patience=20)
    admin.execute_command("ACL", "SETUSER", "default", "-hset")
    try:
        assert pipeline.attempt_stages(workshop.context, stage.id, sent.attempt, Silent()) is None
    finally:
        admin.execute_command("ACL", "SETUSER", "default", "+hset")
    assert workshop.state(stage) == "dispatched"
    assert not lacks(read_refusal(admin), "ACL SETUSER")
    assert isinstance(pipeline.attempt_stages(workshop.context, stage.id, sent.attempt, Silent()), Succeeded)
    assert admin.zcard(keys.BUGS) == 0
