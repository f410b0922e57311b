"""An attempt knows by its own clock that its lease is nearly over, whatever Redis says or does not say."""

import time

import pytest

from scheduler.state.store import Lease
from worker.held_lease import MARGIN, HeldLease, LeaseLost

SECONDS = 1000.0  # of a lease: no machine is so slow that one ends while a test runs


def hold(age: float) -> HeldLease:
    """A lease that was asked for so many seconds ago."""
    return HeldLease(Lease("train-a", "1"), SECONDS, asked_at=time.monotonic() - age)


def test_nothing_starts_close_to_the_end_of_a_lease() -> None:
    hold(0).check()
    hold(SECONDS * (1 - MARGIN) - 100).check()
    with pytest.raises(LeaseLost):
        hold(SECONDS * (1 - MARGIN) + 1).check()


def test_a_renewal_counts_from_when_it_was_asked_for() -> None:
    held = hold(SECONDS)
    held.renew(time.monotonic() - SECONDS)
    with pytest.raises(LeaseLost):
        held.check()
    held.renew(time.monotonic())
    held.check()


def test_what_redis_gave_to_another_attempt_is_lost_at_once() -> None:
    held = hold(0)
    held.lose()
    with pytest.raises(LeaseLost):
        held.check()
