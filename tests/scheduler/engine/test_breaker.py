"""A service that does nothing for anybody is looked at; one that is down holds nobody's work and costs no attempt."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import ResponseError

from scheduler.engine.breaker import ServiceHealth, Timing, find_suspicion
from scheduler.engine.capacity import START
from scheduler.services import make_lane
from scheduler.state import keys
from scheduler.state.states import BREAKER_MOVES, BreakerState
from scheduler.state.store import Lease, Meter, Renewal
from tests.scheduler.night import LEASE, Fleet, Night
from tests.scheduler.plans import single

SERVICE = "offline"
TIMING = Timing()
STAGE = "train-0000"


def state(night: Night) -> str:
    return night.store.client.hget(keys.breaker(SERVICE), "state") or "closed"


def taken(night: Night, name: str) -> str:
    return night.store.take_canary(SERVICE, name, tokens=3, patience=TIMING.patience, pace=TIMING.pace)


def canary(night: Night, word: str, name: str = "c") -> str:
    """Take the duty, and tell what was found; the state of the breaker then."""
    assert taken(night, name)
    return night.store.record_canary_result(SERVICE, name, word, "as it was found", tries=1)


def opened(night: Night, fleet: Fleet, count: int = 2) -> list[Lease]:
    """A service that is down, with attempts at work there."""
    night.submit(single("s", 10))
    fleet.tick(slots=count)
    leases = fleet.claim_all()
    night.store.scripts.run("suspect_service", SERVICE, "nothing gets on")
    assert canary(night, "down") == "open"
    return leases


@given(st.integers(1, 10**7), st.integers(0, 10**7), st.integers(0, 10**7))
def test_only_silence_towards_somebody_who_waits_is_suspicious(now: int, heard: int, since: int) -> None:
    heard, since = min(heard, now), min(since, now)
    suspicion = find_suspicion(ServiceHealth(now, heard, since), TIMING)
    assert (suspicion is not None) == (since > 0 and now - max(heard, since) > 1000 * TIMING.silence)


def test_a_service_that_does_nothing_for_anybody_is_suspected_and_nothing_new_is_started(
    night: Night, fleet: Fleet
) -> None:
    night.submit(single("s", 10))
    fleet.tick(slots=2)
    leases = fleet.claim_all()
    for second in range(round(TIMING.silence) // 5 + 1):
        assert state(night) == "closed", f"after {5 * second} s"
        night.renew(*leases)
        night.clock.pass_seconds(5)
        fleet.tick(slots=2)
    assert state(night) == "suspect"
    assert night.renew(*leases) == ["held", "held"], "it may be nothing: what runs goes on"
    assert fleet.tick(slots=8).dispatched == 0
    assert canary(night, "healthy") == "closed"
    assert fleet.tick(slots=8).dispatched == 6
    assert state(night) == "closed", "what the canary was answered counts as being heard"


def test_one_attempt_that_gets_on_is_proof_that_the_service_is_there(night: Night, fleet: Fleet) -> None:
    night.submit(single("s", 2))
    fleet.tick(slots=2)
    silent, lively = fleet.claim_all()
    for _ in range(100):
        night.clock.pass_seconds(5)
        night.store.renew([Renewal(silent, 500.0), Renewal(lively, 2.0, 2.0)], lease=LEASE)
        fleet.tick(slots=2)
    assert state(night) == "closed"


@pytest.mark.parametrize("signal", ["queued", "limited", "starved"])
def test_who_is_told_to_wait_makes_nobody_suspicious(night: Night, fleet: Fleet, signal: str) -> None:
    night.submit(single("s", 2))
    fleet.tick(slots=2)
    leases = fleet.claim_all()
    for lease in leases:
        night.store.report_signal(lease, signal, ago=0)
    for _ in range(100):
        night.clock.pass_seconds(5)
        night.renew(*leases)
        fleet.tick(slots=2)
    assert state(night) == "closed"


def test_what_runs_at_a_service_that_is_down_is_parked_and_nothing_is_charged(night: Night, fleet: Fleet) -> None:
    leases = opened(night, fleet)
    assert night.renew(*leases) == ["park", "park"]
    for lease in leases:
        assert night.store.give_back(lease, Meter(1, 1), delay=0, failure="", cost="at most", cause="parked")
        night.close(lease)
    assert fleet.tick(slots=8).dispatched == 0
    assert night.store.dispatch(STAGE, sweep="s", patience=9).refused == "breaker"
    row = night.store.client.hgetall(keys.stage(STAGE))
    assert not [field for field in row if field.startswith("failed:")]
    assert canary_after(night, TIMING.pace, "healthy") == "closed"
    assert fleet.tick(slots=8).dispatched == 8


def canary_after(night: Night, seconds: float, word: str) -> str:
    night.clock.pass_seconds(seconds)
    return canary(night, word, name=f"at {night.clock()}")


def test_canaries_follow_each_other_one_at_a_time_and_a_lost_one_is_followed_by_the_next(
    night: Night, fleet: Fleet
) -> None:
    opened(night, fleet)
    take = partial(taken, night)
    night.clock.pass_seconds(TIMING.pace)
    assert take("a")
    assert take("a"), "the same call again, after a lost answer"
    assert not take("b")
    night.clock.pass_seconds(TIMING.patience)
    assert take("b"), "whoever had it has died"
    assert night.store.record_canary_result(SERVICE, "a", "healthy", "too late", tries=1) == "open"
    assert night.store.record_canary_result(SERVICE, "b", "down", "still", tries=1) == "open"
    assert not take("c"), "not before it is due"


def test_no_canary_is_sent_to_a_service_that_is_well_or_stopped(night: Night, fleet: Fleet) -> None:
    night.submit(single("s", 2))
    fleet.tick(slots=1)
    assert not taken(night, "a")
    assert night.store.stop_service(SERVICE, "402")
    assert not night.store.stop_service(SERVICE, "402 again"), "a person is told once"
    assert not taken(night, "a")


def test_a_canary_is_paid_by_the_day_and_none_is_sent_where_that_has_no_room(night: Night, fleet: Fleet) -> None:
    opened(night, fleet)  # with the first of them
    book = night.store.client.hgetall(keys.day(SERVICE, night.clock() // 86_400_000))
    assert (book["spent"], book["canaries"]) == ("3", "1")
    night.store.scripts.run("set_limits", f"day:{SERVICE}", 5 + 2_000)  # what runs holds the rest
    night.clock.pass_seconds(TIMING.pace)
    assert not taken(night, "a")
    night.store.scripts.run("set_limits", f"day:{SERVICE}", 6 + 2_000)
    assert taken(night, "a")


def test_a_refused_account_stops_all_spending_until_a_person_acts(night: Night, fleet: Fleet) -> None:
    night.submit(single("s", 10))
    fleet.tick(slots=2)
    leases = fleet.claim_all()
    night.store.stop_service(SERVICE, "402: the bill is not paid")
    assert night.renew(*leases) == ["park", "park"]
    night.clock.pass_seconds(24 * 3600)
    assert fleet.tick(slots=8).dispatched == 0
    assert night.store.scripts.run("resume_service", SERVICE) == 1
    assert night.store.scripts.run("resume_service", SERVICE) == 0
    assert canary(night, "stopped", "still") == "stopped"
    night.store.scripts.run("resume_service", SERVICE)
    assert canary(night, "healthy", "paid") == "closed"
    assert fleet.tick(slots=8).dispatched > 0


def test_behind_an_outage_work_begins_slowly(night: Night, fleet: Fleet) -> None:
    night.submit(single("s", 60))
    fleet.tick(slots=40)
    for lease in fleet.claim_all():
        night.store.give_back(lease, Meter(0, 0), delay=0, failure="", cost="exact", cause="parked")
        night.close(lease)
    night.store.scripts.run("suspect_service", SERVICE, "nothing gets on")
    canary(night, "down")
    assert canary_after(night, TIMING.pace, "healthy") == "closed"
    searching = fleet.searching(ceiling=40)
    assert fleet.tick(searching).dispatched == START


def test_other_services_go_on(night: Night) -> None:
    night.store.stop_service("tinker", "403")
    night.submit(single("s", 1))
    assert night.start(STAGE, "s")


def test_each_outage_and_its_end_is_told_once_and_a_false_alarm_is_not(night: Night) -> None:
    night.submit(single("s", 1), notify=("HOOK",))
    night.start(STAGE, "s")
    for _ in range(2):
        night.store.scripts.run("suspect_service", SERVICE, "nothing gets on")
        canary_after(night, TIMING.pace, "healthy")
    night.store.scripts.run("suspect_service", SERVICE, "nothing gets on")
    for word in ("down", "down", "healthy"):
        canary_after(night, TIMING.pace, word)
    night.store.stop_service(SERVICE, "402")
    night.store.stop_service(SERVICE, "402")
    kinds = [notice.rpartition("-")[2] for notice in night.store.client.zrange(keys.NOTICES, 0, -1)]
    assert kinds == ["started", "breaker_open", "breaker_closed", "account"]


@pytest.mark.parametrize("source", BreakerState)
@pytest.mark.parametrize("target", BreakerState)
def test_only_the_turns_of_the_table_are_possible(night: Night, source: BreakerState, target: BreakerState) -> None:
    """By the verbs' own means, and only from where the breaker stands."""
    night.store.client.hset(keys.breaker(SERVICE), "state", source)
    lua = f"return move_breaker('{SERVICE}', '{source}', '{target}', 'why') and 1 or 0"
    if target in BREAKER_MOVES[source]:
        assert night.run_lua(lua) == 1
        assert state(night) == target
        assert night.run_lua(lua) == 0, "it stands elsewhere now"
    else:
        with pytest.raises(ResponseError, match=f"illegal move of breaker {SERVICE}"):
            night.run_lua(lua)
        assert state(night) == source


def test_a_canary_goes_to_the_model_that_was_last_opened_and_not_to_one_that_was_only_asked_for(
    night: Night,
) -> None:
    night.submit(single("s", 2))
    served = night.start(STAGE, "s")
    night.store.report_signal(served, "active", ago=0)
    night.store.client.hset(keys.stage("train-0001"), "lane", make_lane("offline/withdrawn"))
    night.start("train-0001", "s")
    night.store.scripts.run("suspect_service", SERVICE, "nothing gets on")
    assert taken(night, "c") == "offline/ngram-s"
