"""Which ready stages may start now: a pure function of the queues, the window and the gates."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple


@dataclass(frozen=True)
class Queue:
    """The ready stages of one sweep, in its own order, and what it has under way."""

    sweep: str
    priority: int
    inflight: int
    slots: int  # at most this many at a time; 0 = as many as there are
    ready: Sequence[str]


class Admitted(NamedTuple):
    """A stage that may start, and the sweep that pays for it."""

    stage: str
    sweep: str


MONEY = frozenset({"budget", "day budget", "no price"})
GATES = frozenset({"the sweep is not active", "slots", *MONEY})
"""Refusals that hold for a whole sweep; the others are the stage's own."""


def window(*, slots: int, inflight: int, threads: int, unclaimed: int) -> int:
    """How many more stages may be dispatched: bounded by free slots and by free threads that live workers report.

    What is dispatched and not yet claimed holds a slot already, and will take a thread.
    """
    return max(0, min(slots - inflight, threads - unclaimed))


def admit(queues: Sequence[Queue], room: int) -> list[Admitted]:
    """Fill the room: the highest priority first, and among equals the sweep that has least under way.

    A stage that several sweeps want is admitted once, at the cost of the first.
    """
    turns = {queue.sweep: iter(queue.ready) for queue in queues}
    under_way = {queue.sweep: queue.inflight for queue in queues}
    admitted: dict[str, str] = {}
    open_queues = list(queues)
    while open_queues and len(admitted) < room:
        queue = min(open_queues, key=lambda each: (-each.priority, under_way[each.sweep], each.sweep))
        stage = next((stage for stage in turns[queue.sweep] if stage not in admitted), None)
        if stage is None or (queue.slots and under_way[queue.sweep] >= queue.slots):
            open_queues.remove(queue)
            continue
        admitted[stage] = queue.sweep
        under_way[queue.sweep] += 1
    return [Admitted(stage, sweep) for stage, sweep in admitted.items()]


def still_open(queues: Sequence[Queue], answers: Mapping[Admitted, str]) -> list[Queue]:
    """What may be admitted from after these answers ("" = started): a closed gate leaves its room to other sweeps."""
    closed = {admitted.sweep for admitted, refused in answers.items() if refused in GATES}
    over = {admitted.stage for admitted, refused in answers.items() if refused not in GATES}
    started = Counter(admitted.sweep for admitted, refused in answers.items() if not refused)
    return [
        replace(
            queue,
            inflight=queue.inflight + started[queue.sweep],
            ready=[stage for stage in queue.ready if stage not in over],
        )
        for queue in queues
        if queue.sweep not in closed
    ]
