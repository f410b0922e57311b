"""What was learnt about an account stays, with its time, until it is learnt otherwise."""

from datetime import UTC, datetime, timedelta

from scheduler.state.service_facts import (
    PendingBill,
    ServiceFacts,
    find_forward_class,
    read_facts,
    read_known_accounts,
    record_facts,
)
from scheduler.state.store import Store
from tests.support import FakeClock


def test_of_what_nobody_asked_nothing_is_known(store: Store) -> None:
    assert read_facts(store, "tinker") == ServiceFacts("tinker")
    assert read_known_accounts(store) == []
    assert read_facts(store, "tinker").asked_at is None


def test_answers_are_kept_for_their_service_and_may_arrive_twice(store: Store, clock: FakeClock) -> None:
    answers = {"moments": "yes", "finish": "no", "forward": "prefill", "clients": "3", "models": '["a", "b"]'}
    for _ in range(2):
        assert record_facts(store, "tinker", answers)
    now = datetime.fromtimestamp(clock() / 1000, UTC)
    times = dict.fromkeys(answers, now)
    facts = ServiceFacts("tinker", True, False, "prefill", 3, True, ("a", "b"), None, (), times)
    assert (read_facts(store, "tinker"), read_facts(store, "offline")) == (facts, ServiceFacts("offline"))
    assert read_known_accounts(store) == [facts]


def test_what_an_inquiry_does_not_learn_stays_as_it_was_learnt_before(store: Store, clock: FakeClock) -> None:
    record_facts(store, "tinker", {"moments": "no", "clients": "16+"})
    first = read_facts(store, "tinker")
    assert (first.clients, first.capped) == (16, False)
    clock.pass_seconds(86_400)
    record_facts(store, "tinker", {"clients": "4"})
    later = read_facts(store, "tinker")
    assert (later.moments, later.clients, later.capped) == (False, 4, True)
    assert later.asked_at == first.asked_at, "it is as old as its oldest answer"
    assert later.times["clients"] - later.times["moments"] == timedelta(days=1)


def test_forward_counts_as_the_dearer_until_it_is_known(store: Store) -> None:
    assert find_forward_class(store, "offline") == "training"
    record_facts(store, "offline", {"forward": "prefill"})
    assert (find_forward_class(store, "offline"), find_forward_class(store, "tinker")) == ("prefill", "training")


def test_a_bill_answers_only_while_it_is_waited_for(store: Store) -> None:
    record_facts(store, "tinker", {"pending": "s1 a/model"})
    first = read_facts(store, "tinker").pending
    assert first is not None
    assert (first.session, first.model) == ("s1", "a/model")
    record_facts(store, "tinker", {"pending": "s2 a/model"})
    assert not record_facts(store, "tinker", {"forward": "prefill", "pending": ""}, bill=first)
    second = read_facts(store, "tinker").pending
    assert isinstance(second, PendingBill)
    assert record_facts(store, "tinker", {"forward": "training", "pending": ""}, bill=second)
    assert (read_facts(store, "tinker").pending, read_facts(store, "tinker").forward) == (None, "training")
    assert not record_facts(store, "tinker", {"forward": "prefill", "pending": ""}, bill=second)
