"""What follows a failure: the service's costs nothing, the stage's own is final, an unknown one gets a few tries."""

import random

import pytest

from scheduler.retry import ATTEMPTS, BACKOFF, Fault, GiveUp, Park, RetryAt, decide

SEED = 3


def chance() -> random.Random:
    return random.Random(SEED)


@pytest.mark.parametrize("attempt", [1, 2, 5, 50, 10_000])
@pytest.mark.parametrize("failures", [0, 2, 100])
def test_a_failure_of_the_service_is_never_charged_and_never_the_end(attempt: int, failures: int) -> None:
    decision = decide(Fault.SERVICE, failures=failures, attempt=attempt, chance=chance())
    assert isinstance(decision, RetryAt)
    assert not decision.charged
    assert BACKOFF[0] / 2 <= decision.delay <= BACKOFF[1]


@pytest.mark.parametrize("failures", [0, 7])
def test_a_failure_that_is_the_stages_own_ends_it_at_once(failures: int) -> None:
    assert decide(Fault.STAGE, failures=failures, attempt=1, chance=chance()) == GiveUp()


@pytest.mark.parametrize("failures", [0, 7])
def test_an_account_that_cannot_pay_waits_for_a_person(failures: int) -> None:
    assert decide(Fault.ACCOUNT, failures=failures, attempt=9, chance=chance()) == Park(BACKOFF[1])


def test_an_unknown_failure_is_charged_and_tried_a_few_times() -> None:
    decisions = [decide(Fault.UNKNOWN, failures=n, attempt=n + 1, chance=chance()) for n in range(ATTEMPTS + 2)]
    assert [isinstance(each, RetryAt) and each.charged for each in decisions] == [True] * (ATTEMPTS - 1) + [False] * 3
    assert decisions[ATTEMPTS - 1 :] == [GiveUp()] * 3


def test_the_wait_grows_and_then_stays() -> None:
    waits = []
    for attempt in range(1, 12):
        decision = decide(Fault.SERVICE, failures=0, attempt=attempt, chance=chance())
        assert isinstance(decision, RetryAt)
        waits.append(decision.delay)
    assert waits == sorted(waits)
    assert waits[-1] == waits[-2]


def test_waits_are_spread_so_that_all_do_not_come_back_at_once() -> None:
    source = chance()
    waits = {decide(Fault.SERVICE, failures=0, attempt=4, chance=source) for _ in range(20)}
    assert len(waits) == 20
