"""Who asked to be told is told what happened: with the change itself, once, and never lost on the way."""

import re

import pytest

from scheduler.notify.outbox import (
    FIRST_WAIT,
    LONGEST_RETRY_AFTER,
    SENDING_SECONDS,
    TITLES,
    TRIES,
    Outbox,
    OutboxNotice,
    choose_delay,
    list_troubled_webhooks,
)
from scheduler.state import keys
from scheduler.state.connection import Client
from scheduler.state.store import Store
from sweeps.formatting import format_usd
from tests.scheduler.night import LEASE, PATIENCE, Night
from tests.scheduler.plans import single

Told = tuple[str, str, str]


def told(night: Night) -> list[Told]:
    """Whom, of what, and of which sweep, in the order in which it happened."""
    names = night.store.client.zrange(keys.NOTICES, 0, -1)
    rows = [night.store.client.hgetall(keys.notice(name)) for name in names]
    return sorted((row["kind"], row["sweep"], row["address"]) for row in rows)


def empty(night: Night) -> list[OutboxNotice]:
    """Everything is taken and sent, until nothing is left."""
    outbox, sent = Outbox(night.store), []
    while taken := outbox.take(100, []):
        sent += taken
        assert all(outbox.mark_sent(notice) for notice in taken)
    return sent


# The outbox: written with the change, once.


def test_a_sweep_that_starts_tells_it_in_the_same_step_and_once(night: Night) -> None:
    night.submit(single("s", 2), notify=("HOOK", "OTHER"))
    assert told(night) == []
    night.start("train-0000", "s")
    assert told(night) == [("started", "s", "HOOK"), ("started", "s", "OTHER")]
    night.start("train-0001", "s")
    assert len(told(night)) == 2


def test_a_claim_that_comes_again_tells_nothing_again(night: Night) -> None:
    night.submit(single("s", 1), notify=("HOOK",))
    night.store.dispatch("train-0000", sweep="s", patience=PATIENCE)
    for _ in range(2):
        assert night.store.scripts.run("claim_stage", "train-0000", 1, "w1", round(1000 * LEASE), "the call")
    assert told(night) == [("started", "s", "HOOK")]


def test_a_small_budget_is_told_of_in_sums_that_are_not_nothing(night: Night) -> None:
    night.submit(single("s", 2), limit=1_999, notify=("HOOK",))
    night.do("train-0000", "s", cost=1_000)
    assert night.store.dispatch("train-0001", sweep="s", patience=PATIENCE).refused == "budget"
    (headline,) = [notice.headline for notice in empty(night) if notice.kind == "budget"]
    assert headline.startswith(f"s: {TITLES['budget']}")
    assert re.findall(r"\$[\d.]+", headline) == ["$0.0010", "$0.0020"]
    for micro in (0, 7, 99, 100, 999_999, 1_000_000, 12_345_678):
        assert night.run_lua(f"return format_usd({micro})") == format_usd(micro)


def test_the_first_failure_is_told_with_what_failed_and_why_and_the_second_is_not(night: Night) -> None:
    night.submit(single("s", 3), notify=("HOOK",))
    leases = [night.start(f"train-000{n}", "s") for n in range(2)]
    for lease, cause in zip(leases, ("the loss is no number", "the same"), strict=True):
        night.fail(lease, cause)
        night.spread()
    _, failure = empty(night)
    assert failure.kind == "failure"
    assert failure.headline == f"s: {TITLES['failure']}: train 0000: the loss is no number"


def test_a_failure_of_a_shared_stage_is_told_to_every_sweep_that_wants_it(night: Night) -> None:
    for sweep in ("payer", "guest", "gone", "deaf"):
        night.submit(single(sweep, 1), notify=() if sweep == "deaf" else (f"OF_{sweep.upper()}",))
    night.tell("cancel_sweep", "gone")
    night.fail(night.start("train-0000", "payer"))
    night.spread()
    assert [notice for notice in told(night) if notice[0] in ("started", "failure")] == [
        ("failure", "guest", "OF_GUEST"),
        ("failure", "payer", "OF_PAYER"),
        ("started", "payer", "OF_PAYER"),
    ]


def test_the_end_is_told_with_the_end_and_again_after_a_retry_and_not_between(night: Night) -> None:
    night.submit(single("s", 1), notify=("HOOK",))
    night.fail(night.start("train-0000", "s"))
    night.spread()
    night.spread()
    assert [notice.kind for notice in empty(night)] == ["started", "failure", "finished"]
    night.tell("retry_sweep", "s")
    assert empty(night) == []
    night.do("train-0000", "s")
    assert [notice.kind for notice in empty(night)] == ["finished"], "that it started is known"


def test_a_cancelled_sweep_is_told_as_cancelled_and_not_as_finished(night: Night) -> None:
    night.submit(single("s", 2), notify=("HOOK",))
    for _ in range(2):
        night.tell("cancel_sweep", "s")
    assert told(night) == [("cancelled", "s", "HOOK")]


def test_what_concerns_the_fleet_is_told_to_each_address_once(night: Night) -> None:
    night.submit(single("a", 1), notify=("HOOK",))
    night.submit(single("b", 1, prefix="b"), notify=("HOOK", "OTHER"))
    night.submit(single("done", 1, prefix="d"), notify=("DONE",))
    night.do("train-d0000", "done")
    night.tell("pause_sweep", "b")
    outbox = Outbox(night.store)
    outbox.set_fleet_addresses(["OLD"])
    outbox.set_fleet_addresses(["OPS", "HOOK"])
    empty(night)
    for occurrence in (1, 1, 2, 2):
        night.run_lua("notify_all('breaker_open', 'tinker', ARGS[1])", occurrence)
        expected = [("breaker_open", "", address) for address in ("HOOK", "OPS", "OTHER")]
        assert told(night) == sorted(expected * occurrence)


@pytest.mark.parametrize(("occurrence", "times"), [("nil", 1), ("ARGS[1]", 3)])
def test_what_comes_again_is_told_again_and_what_comes_once_is_not(night: Night, occurrence: str, times: int) -> None:
    night.submit(single("s", 1), notify=("HOOK",))
    for number in (1, 1, 2, 2, 3):
        night.run_lua(f"notify('s', 'budget80', '', {occurrence})", number)
    assert told(night) == [("budget80", "s", "HOOK")] * times


# On the way.


@pytest.fixture
def outbox(night: Night) -> Outbox:
    """With one notice for HOOK."""
    night.submit(single("s", 1), notify=("HOOK",))
    night.start("train-0000", "s")
    return Outbox(night.store)


def test_a_notice_whose_sender_dies_is_sent_again_under_the_same_name(night: Night, outbox: Outbox) -> None:
    (taken,) = outbox.take(9, [])
    night.clock.pass_seconds(SENDING_SECONDS - 1)
    assert outbox.take(9, []) == [], "two schedulers do not send the same"
    night.clock.pass_seconds(1)
    assert outbox.take(9, []) == [taken]


def test_an_address_has_one_notice_under_way(night: Night, outbox: Outbox) -> None:
    night.tell("cancel_sweep", "s")
    night.submit(single("t", 1, prefix="t"), notify=("OTHER",))
    night.start("train-t0000", "t")
    assert outbox.take(0, []) == outbox.take(9, ["HOOK", "OTHER"]) == []
    assert [notice.address for notice in outbox.take(9, ["HOOK"])] == ["OTHER"]
    assert [(notice.address, notice.kind) for notice in outbox.take(9, [])] == [("HOOK", "started")]


def test_what_was_sent_is_gone_and_to_say_it_twice_is_harmless(night: Night, outbox: Outbox, client: Client) -> None:
    (taken,) = outbox.take(9, [])
    assert [outbox.mark_sent(taken), outbox.mark_sent(taken)] == [True, False]
    assert not outbox.mark_failed(taken, "late", 1)
    night.clock.pass_seconds(SENDING_SECONDS)
    assert outbox.take(9, []) == []
    assert not client.exists(keys.notice(taken.id))


def test_a_failure_is_counted_once_however_often_it_is_said(night: Night, outbox: Outbox) -> None:
    (taken,) = outbox.take(9, [])
    assert [outbox.mark_failed(taken, "answers 500", 10) for _ in range(2)] == [True, False]
    night.clock.pass_seconds(9)
    assert outbox.take(9, []) == []
    night.clock.pass_seconds(1)
    (again,) = outbox.take(9, [])
    assert (again.id, again.tries) == (taken.id, 1)


def test_it_is_given_up_after_about_an_hour_and_status_says_so_until_the_address_works_again(
    night: Night, outbox: Outbox, store: Store
) -> None:
    began = night.clock()
    for tries in range(TRIES):
        (taken,) = outbox.take(9, [])
        assert taken.tries == tries
        wait = choose_delay(tries, 0, 0.5)
        outbox.mark_failed(taken, "answers 502", wait)
        (trouble,) = list_troubled_webhooks(store)
        assert (trouble.variable, trouble.reason) == ("HOOK", "answers 502")
        assert (trouble.waiting, trouble.given_up) == ((1, 0) if wait else (0, 1))
        night.clock.pass_seconds(wait or 0)
    assert 45 * 60 < (night.clock() - began) / 1000 < 75 * 60
    assert outbox.take(9, []) == []
    night.tell("cancel_sweep", "s")
    (last,) = outbox.take(9, [])
    outbox.mark_sent(last)
    assert list_troubled_webhooks(store) == []


def test_since_when_an_address_fails_stays_while_it_does(night: Night, outbox: Outbox, store: Store) -> None:
    (taken,) = outbox.take(9, [])
    outbox.mark_failed(taken, "answers 502", 60)
    (trouble,) = list_troubled_webhooks(store)
    night.clock.pass_seconds(7200)
    outbox.mark_failed(outbox.take(9, [])[0], "answers 502", 60)
    assert list_troubled_webhooks(store) == [trouble]


def test_waits_grow_are_never_the_same_and_grant_a_wish_within_reason() -> None:
    waits = [[choose_delay(tries, 0, chance) or 0 for tries in range(TRIES - 1)] for chance in (0.0, 1.0)]
    for low, high in zip(*waits, strict=True):
        assert low < high
    assert waits[1] == sorted(waits[1])
    assert choose_delay(0, 120, 0.5) == 120
    assert choose_delay(0, 1e9, 0.5) == LONGEST_RETRY_AFTER
    assert (choose_delay(0, -5, 0.5), choose_delay(TRIES - 1, 120, 0.5)) == (FIRST_WAIT, None)
