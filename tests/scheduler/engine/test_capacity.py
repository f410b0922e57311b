"""How many clients there may be: what a service says shrinks the limit, and what ails it only stops growth."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scheduler.engine.capacity import (
    COOL_DOWN,
    SETTLE,
    TROUBLED,
    Bounds,
    Capacity,
    PoolSnapshot,
    adapt_capacity,
    count_room,
)

NOW = 10_000_000
BOUNDS = Bounds(floor=1, ceiling=64)
WIDE = st.builds(lambda floor, more: Bounds(floor, floor + more, floor), st.integers(1, 8), st.integers(0, 60))
CAPACITIES = st.builds(
    Capacity,
    limit=st.integers(1, 64),
    proven=st.integers(0, 64),
    steps=st.integers(0, 5),
    before=st.integers(0, 64),
    least=st.integers(0, 64),
    changed=st.integers(NOW - 100_000, NOW),
    not_before=st.integers(NOW - 100_000, NOW + 100_000),
    searching=st.booleans(),
)
COUNTS = st.integers(0, 12)
SIGHTS = st.builds(
    PoolSnapshot,
    now=st.just(NOW),
    taken=st.integers(12, 80),
    opened=COUNTS,
    opening=COUNTS,
    queued=COUNTS,
    limited=COUNTS,
    starved=COUNTS,
    troubled=COUNTS,
    signalled_at=st.integers(NOW - 100_000, NOW),
    wanted=st.booleans(),
)


def full(limit: int, **others: Any) -> PoolSnapshot:
    """As many as may be are there, and more is wanted."""
    return replace(PoolSnapshot(now=NOW, taken=limit, wanted=True), **others)


def proven(limit: int) -> Capacity:
    """So many have been there at once, and the search is long over."""
    return Capacity(limit, proven=limit, changed=NOW - 500_000, searching=False)


RAISED = Capacity(6, before=7, least=0, changed=NOW - 1000, searching=False)  # decreased while the floor was lower


LATE = PoolSnapshot(now=NOW, taken=12, queued=7, signalled_at=NOW - 1000)


@example(RAISED, LATE, Bounds(floor=6, ceiling=6, start=6))
@given(CAPACITIES, SIGHTS, WIDE)
def test_no_conclusion_leaves_the_bounds_or_admits_beyond_the_limit(
    capacity: Capacity, sight: PoolSnapshot, bounds: Bounds
) -> None:
    within = replace(capacity, limit=min(max(capacity.limit, bounds.floor), bounds.ceiling))
    concluded = adapt_capacity(within, sight, bounds)
    assert bounds.floor <= concluded.limit <= bounds.ceiling
    assert 0 <= count_room(concluded, sight) <= max(0, concluded.limit - sight.taken)


@given(CAPACITIES, SIGHTS)
def test_nothing_grows_while_the_service_says_too_many_or_is_ailing(capacity: Capacity, sight: PoolSnapshot) -> None:
    ails = sight.queued or sight.limited > 1 or sight.starved or sight.troubled
    assert not ails or adapt_capacity(capacity, sight, BOUNDS).limit <= capacity.limit


@given(CAPACITIES, SIGHTS)
def test_nothing_shrinks_for_want_of_capacity_or_for_errors(capacity: Capacity, sight: PoolSnapshot) -> None:
    ailing = replace(sight, queued=0, limited=0)
    assert adapt_capacity(capacity, ailing, BOUNDS).limit >= capacity.limit


@pytest.mark.parametrize("ailment", ["starved", "troubled"])
def test_what_ails_the_service_holds_growth_back_for_a_while_after_it(ailment: str) -> None:
    held_back = adapt_capacity(proven(8), full(8, **{ailment: 1}), BOUNDS)
    assert (held_back.limit, held_back.not_before) == (8, NOW + TROUBLED)
    assert adapt_capacity(held_back, full(8, now=NOW + TROUBLED - 1), BOUNDS).limit == 8
    assert adapt_capacity(held_back, full(8, now=NOW + TROUBLED), BOUNDS).limit == 9


def test_growth_is_additive_and_waits_for_those_who_were_tried_before() -> None:
    assert adapt_capacity(proven(8), full(8, opening=1), BOUNDS).limit == 8, "one of them is not known to be there"
    assert adapt_capacity(proven(8), replace(full(8), wanted=False), BOUNDS).limit == 8, "nobody would use it"
    assert adapt_capacity(proven(8), full(7), BOUNDS).limit == 8, "what there is is not used"
    limit, capacity = [], proven(8)
    for _ in range(4):
        capacity = adapt_capacity(capacity, full(capacity.limit), BOUNDS)
        limit.append(capacity.limit)
    assert limit == [9, 10, 12, 14]


def test_a_try_beyond_what_was_proven_tells_the_limit_exactly_and_in_vain_waits_longer_each_time() -> None:
    tried = adapt_capacity(proven(12), full(12), BOUNDS)
    back = adapt_capacity(tried, full(13, queued=1, signalled_at=NOW), BOUNDS)
    assert (tried.limit, back.limit, back.not_before) == (13, 12, NOW + 2 * COOL_DOWN)
    again = adapt_capacity(replace(back, not_before=NOW), full(12), BOUNDS)
    assert adapt_capacity(again, full(13, queued=1, signalled_at=NOW), BOUNDS).cool_down == 4 * COOL_DOWN


def test_a_creation_that_queues_below_what_was_proven_decreases_by_a_factor_and_one_event_does_so_once() -> None:
    less = adapt_capacity(proven(20), full(11, queued=1, signalled_at=NOW), BOUNDS)
    assert less.limit == 7
    assert adapt_capacity(less, full(11, queued=1, signalled_at=NOW + 5_000, now=NOW + 5_000), BOUNDS) == less
    later = NOW + SETTLE + 1
    assert adapt_capacity(less, full(7, queued=1, signalled_at=later, now=later), BOUNDS).limit == 4


def test_behind_an_outage_the_search_begins_anew() -> None:
    slow = adapt_capacity(proven(40), full(0, recovered=NOW), BOUNDS)
    assert (slow.limit, slow.searching, slow.proven) == (4, True, 0)
    assert adapt_capacity(slow, full(4, recovered=NOW), BOUNDS).limit == 6


def test_while_one_queues_nobody_else_is_tried() -> None:
    assert count_room(proven(12), full(8)) == 4
    assert count_room(proven(12), full(8, queued=1)) == 0


def test_what_was_said_before_the_last_change_is_no_news() -> None:
    grown = adapt_capacity(proven(8), full(8), BOUNDS)
    assert adapt_capacity(grown, full(9, queued=1, signalled_at=NOW - 1), BOUNDS) == grown
    assert adapt_capacity(grown, full(9, queued=1, signalled_at=NOW), BOUNDS).limit == 8
