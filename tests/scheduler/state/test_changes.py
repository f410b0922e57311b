"""Whoever may change a sweep does, and each change has a line in the audit log; nobody else changes anything."""

from collections.abc import Callable

import pytest

from scheduler.errors import BudgetTooSmall, NotAllowed, UnknownSweep
from scheduler.state import keys
from scheduler.state.people import sweep_changes as changes
from scheduler.state.people.actors import Actor, Scope
from scheduler.state.people.audit_log import read_audit
from scheduler.state.store import Store
from tests.scheduler.night import Night
from tests.scheduler.plans import single

CHANGES: dict[str, Callable[[Store, Actor, str], object]] = {
    "pause": changes.pause_sweep,
    "resume": changes.resume_sweep,
    "cancel": changes.cancel_sweep,
    "retry": lambda store, actor, name: changes.retry_sweep(store, actor, name, failed=False),
    "priority": lambda store, actor, name: changes.set_priority(store, actor, name, 7),
    "budget": lambda store, actor, name: changes.set_budget(store, actor, name, 9_000_000),
}
STATES = {"pause": "paused", "cancel": "cancelled"}


@pytest.mark.parametrize("what", CHANGES)
def test_only_the_owner_and_an_admin_change_a_sweep(night: Night, what: str) -> None:
    night.submit(single("s", 1), user="ada")
    before = night.snapshot()
    for actor in (Actor("ada", "", Scope.READ), Actor("bob", "", Scope.READ), Actor("bob", "", Scope.SUBMIT)):
        with pytest.raises(NotAllowed):
            CHANGES[what](night.store, actor, "s")
    assert night.snapshot() == before
    for actor in (Actor("ada", "10.0.0.1", Scope.SUBMIT), Actor("bob", "10.0.0.2", Scope.ADMIN)):
        CHANGES[what](night.store, actor, "s")
    assert night.sweep_state("s") == STATES.get(what, "active")
    lines = [(line.who, line.origin, line.what, line.target) for line in read_audit(night.store, last=9)]
    assert lines == [("ada", "10.0.0.1", what, "s"), ("bob", "10.0.0.2", what, "s")]


@pytest.mark.parametrize("what", CHANGES)
def test_a_sweep_that_does_not_exist_is_not_changed(night: Night, what: str) -> None:
    with pytest.raises(UnknownSweep):
        CHANGES[what](night.store, Actor("ada", ""), "none")
    assert night.snapshot() == {}


def test_a_budget_below_what_is_held_is_refused_and_the_line_says_who_tried(night: Night) -> None:
    night.submit(single("s", 1), limit=5_000)
    night.start("train-0000", "s")
    with pytest.raises(BudgetTooSmall):
        changes.set_budget(night.store, Actor("ada", ""), "s", 999)
    assert night.store.client.hget(keys.sweep("s"), "limit") == "5000"
    assert changes.set_budget(night.store, Actor("ada", ""), "s", 1_000) == (0, 1_000, 0)
    assert [line.what for line in read_audit(night.store, last=9)] == ["budget", "budget"]
