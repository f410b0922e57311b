"""Conclude how many clients a service allows at a time. Nobody tells us, so we find out. A pure function.

Additive increase, multiplicative decrease, driven by what the service tells each client. The limit is a number of
clients, not a rate, so two things are known better than in a network. First, if a creation queues while we try one more
client than ever before, that is exactly the limit. Second, we try more only once the clients of the last step are
there, so the steps follow the service's clock cycles, however long they are.
"""

from dataclasses import dataclass, replace

START = 4  # slots to try first, and again after an outage
SEARCH = 1.5  # factor at each step of a search
STRIDE = 2  # more slots at a step, after two successful steps of one slot
DECREASE = 0.7  # of the open clients remain when the service has less room than before
RATE_LIMITED = 2  # paused clients: fewer are no sign of too many
SETTLE = 30_000  # milliseconds after a decrease in which further signals belong to the same event
COOL_DOWN = 60_000  # milliseconds after a decrease before the next try of more; doubled when that fails
LONGEST_COOL_DOWN = 240_000
TROUBLED = 30_000  # milliseconds without growth after an error of the service or a pause for capacity


@dataclass(frozen=True)
class Bounds:
    """What a person allows: at least `floor`, at most `ceiling`, and `start` at the beginning."""

    floor: int
    ceiling: int
    start: int = START


@dataclass(frozen=True)
class Capacity:
    """What is known of one pool. Times in milliseconds."""

    limit: int
    proven: int = 0  # this many clients were open at once, and none was refused
    steps: int = 0  # steps of growth since the last decrease
    before: int = 0  # the limit before the last decrease
    least: int = 0  # how low the same event may decrease it further
    changed: int = 0  # when the limit last changed
    not_before: int = 0  # when it may grow again
    cool_down: int = COOL_DOWN  # the next cool-down, in milliseconds
    searching: bool = True  # the service has not yet told us that there are too many
    opened: int = 0  # clients ever opened when the limit last changed


@dataclass(frozen=True)
class PoolSnapshot:
    """One pool at one moment. Times in milliseconds."""

    now: int
    taken: int  # slots
    opened: int = 0  # clients ever opened
    opening: int = 0  # taken slots whose client is being created and does not wait
    queued: int = 0  # taken slots whose client waits for others to end
    limited: int = 0  # open clients that are paused because too many are open
    signalled_at: int = 0  # when the last client got one of these two signals
    starved: int = 0  # open clients that are paused for capacity
    troubled: int = 0  # attempts that met an error of the service lately
    recovered: int = 0  # when the service came back from an outage
    wanted: bool = False  # more stages would start if there were room


def adapt_capacity(capacity: Capacity, snapshot: PoolSnapshot, bounds: Bounds) -> Capacity:
    """Conclude from a snapshot; return the same value if nothing follows."""
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
    """Count how many more clients may be opened now: none while one queues, because that one comes first."""
    return 0 if snapshot.queued or snapshot.limited >= RATE_LIMITED else max(0, capacity.limit - snapshot.taken)


def _is_too_many(snapshot: PoolSnapshot) -> bool:
    return bool(snapshot.queued) or snapshot.limited >= RATE_LIMITED


def _restart(capacity: Capacity, snapshot: PoolSnapshot, bounds: Bounds) -> Capacity:
    """After an outage all attempts come back at once, and the old limit may be wrong: start small and search again."""
    limit = min(capacity.limit, max(bounds.floor, min(bounds.start, bounds.ceiling)))
    return Capacity(limit, changed=snapshot.now, not_before=snapshot.now, opened=snapshot.opened)


def _decrease(capacity: Capacity, snapshot: PoolSnapshot, bounds: Bounds) -> Capacity:
    """Decrease the limit once for each event. Ignore signals from before the last change."""
    there = snapshot.taken - snapshot.queued
    decreased = not capacity.steps and capacity.limit < capacity.before
    if decreased and snapshot.signalled_at < capacity.changed + SETTLE:
        limit = max(bounds.floor, capacity.least, there)  # a person may have raised the floor since
        return capacity if limit >= capacity.limit else replace(capacity, limit=limit, proven=limit)
    if snapshot.signalled_at < capacity.changed:
        return capacity
    tried_more = capacity.limit > capacity.proven and not snapshot.limited
    # Above the proven limit: the service told us the exact limit. Below it: the service has less room now.
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
    """Stop growth for a while. Write that at most once a second."""
    until = snapshot.now + TROUBLED
    return replace(capacity, not_before=until) if until > capacity.not_before + 1000 else capacity


def _grow(capacity: Capacity, snapshot: PoolSnapshot, bounds: Bounds) -> Capacity:
    """Try more slots if stages would use them and all clients of the last step are there."""
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
