"""How many clients a service lets us have at a time: nobody says, so it is found out. A pure function.

Additive increase, multiplicative decrease, driven by what the service tells each client. The limit is a number of
clients and not a rate, so two things are better known than in a network. A creation that has to queue while we try one
more than ever before says exactly how many there may be. And more is only tried when those that were tried before are
known to be there, so that the steps follow the clock of the service, whatever its cycles are.
"""

from dataclasses import dataclass, replace

START = 4  # slots that are tried first, and again behind an outage
SEARCH = 1.5  # times as many at each step of a search
STRIDE = 2  # slots more at a step, once two steps of one have done well
DECREASE = 0.7  # of what is there is left, when the service has room for fewer than it had
RATE_LIMITED = 2  # clients paused beside others, below which it is no sign that there are too many
SETTLE = 30_000  # milliseconds after a decrease in which more of the same is the same event
COOL_DOWN = 60_000  # milliseconds after a decrease before more is tried; doubled while it is in vain
LONGEST_COOL_DOWN = 240_000
TROUBLED = 30_000  # milliseconds without growth after an error of the service, or a pause for want of capacity


@dataclass(frozen=True)
class Bounds:
    """What a person allows: never fewer than `floor`, never more than `ceiling`, `start` to begin with."""

    floor: int
    ceiling: int
    start: int = START


@dataclass(frozen=True)
class Capacity:
    """What has been learnt of one pool; times in milliseconds."""

    limit: int
    proven: int = 0  # as many clients were there at once, and none was refused
    steps: int = 0  # of growth since the last decrease
    before: int = 0  # the limit, before it was last decreased
    least: int = 0  # to which the event that decreased it may decrease it further
    changed: int = 0  # when the limit last changed
    not_before: int = 0  # when growth may be tried again
    cool_down: int = COOL_DOWN  # the next one
    searching: bool = True  # the service has not yet said that there are too many
    opened: int = 0  # clients that had been opened, of all times, when the limit last changed


@dataclass(frozen=True)
class PoolSnapshot:
    """One pool at one moment."""

    now: int
    taken: int  # slots
    opened: int = 0  # clients that have been opened, of all times
    opening: int = 0  # of which are on their way, and not told to wait
    queued: int = 0  # of which wait for others to end
    limited: int = 0  # of which are there, and paused for having too many beside them
    signalled_at: int = 0  # when one of these two was told so last
    starved: int = 0  # of which are paused for want of capacity
    troubled: int = 0  # attempts that an error of the service has kept from getting on
    recovered: int = 0  # when the service came back from an outage
    wanted: bool = False  # more would be started if there were room


def adapt_capacity(capacity: Capacity, snapshot: PoolSnapshot, bounds: Bounds) -> Capacity:
    """What to conclude; the same value where nothing follows."""
    if snapshot.recovered > capacity.changed:
        return _restart(capacity, snapshot, bounds)
    if _is_too_many(snapshot):
        return _decrease(capacity, snapshot, bounds)
    if snapshot.starved or snapshot.troubled:
        return _wait(capacity, snapshot)
    within = min(max(capacity.limit, bounds.floor), bounds.ceiling)
    if within != capacity.limit:
        return replace(capacity, limit=within, changed=snapshot.now, opened=snapshot.opened)
    return _grow(capacity, snapshot, bounds)


def count_room(capacity: Capacity, snapshot: PoolSnapshot) -> int:
    """How many more clients may be opened now. While one queues, none: it is the first in the line."""
    return 0 if snapshot.queued or snapshot.limited >= RATE_LIMITED else max(0, capacity.limit - snapshot.taken)


def _is_too_many(snapshot: PoolSnapshot) -> bool:
    return bool(snapshot.queued) or snapshot.limited >= RATE_LIMITED


def _restart(capacity: Capacity, snapshot: PoolSnapshot, bounds: Bounds) -> Capacity:
    """Behind an outage everybody wants back at once: begin small, and search anew; what was true may be so no more."""
    limit = min(capacity.limit, max(bounds.floor, min(bounds.start, bounds.ceiling)))
    return Capacity(limit, changed=snapshot.now, not_before=snapshot.now, opened=snapshot.opened)


def _decrease(capacity: Capacity, snapshot: PoolSnapshot, bounds: Bounds) -> Capacity:
    """What is said within moments is one event; what was said before the last change is no news."""
    there = snapshot.taken - snapshot.queued
    decreased = not capacity.steps and capacity.limit < capacity.before
    if decreased and snapshot.signalled_at < capacity.changed + SETTLE:
        limit = max(bounds.floor, capacity.least, there)  # the floor may have been raised since
        return capacity if limit >= capacity.limit else replace(capacity, limit=limit, proven=limit)
    if snapshot.signalled_at < capacity.changed:
        return capacity
    tried_more = capacity.limit > capacity.proven and not snapshot.limited
    # Beyond what ever was: the service has said how many there may be. Below that: it has room for fewer now.
    least = capacity.proven if tried_more else int(DECREASE * there)
    limit = min(max(bounds.floor, least, there if tried_more else 0), capacity.limit)
    in_vain = tried_more and capacity.steps <= 1 and not capacity.searching
    cool_down = min(LONGEST_COOL_DOWN, 2 * capacity.cool_down) if in_vain else COOL_DOWN
    return Capacity(
        limit=limit,
        proven=limit,
        before=capacity.limit,
        least=max(bounds.floor, least),
        changed=snapshot.now,
        not_before=snapshot.now + cool_down,
        cool_down=cool_down,
        searching=False,
        opened=snapshot.opened,
    )


def _wait(capacity: Capacity, snapshot: PoolSnapshot) -> Capacity:
    """No growth for a while. Written down once a second at most, not with each look."""
    until = snapshot.now + TROUBLED
    return replace(capacity, not_before=until) if until > capacity.not_before + 1000 else capacity


def _grow(capacity: Capacity, snapshot: PoolSnapshot, bounds: Bounds) -> Capacity:
    """Try more, where it would be used and everybody who was tried before is there."""
    known = not snapshot.opening or snapshot.opened - capacity.opened >= capacity.limit
    full = snapshot.taken >= capacity.limit and known
    if not (full and snapshot.wanted) or snapshot.now < capacity.not_before or capacity.limit >= bounds.ceiling:
        return capacity
    proven = max(capacity.proven, capacity.limit)
    limit = min(bounds.ceiling, _choose_next(capacity))
    return replace(
        capacity,
        limit=limit,
        proven=proven,
        steps=capacity.steps + 1,
        changed=snapshot.now,
        cool_down=COOL_DOWN if capacity.steps else capacity.cool_down,
        opened=snapshot.opened,
    )


def _choose_next(capacity: Capacity) -> int:
    if capacity.searching:
        return max(capacity.limit + 1, int(SEARCH * capacity.limit))
    return capacity.limit + (1 if capacity.steps < 2 else STRIDE)
