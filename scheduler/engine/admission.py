"""Which ready stages may start now: a pure function of the queues, the room and what everybody has under way."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from scheduler.services import pool_of


@dataclass(frozen=True)
class Contender:
    """A sweep that pays: how it stands among the others."""

    user: str = ""
    priority: int = 0
    weight: float = 1.0  # its share beside others of the same priority
    slots: int = 0  # at most this many at a time; 0 = as many as there are
    inflight: int = 0


@dataclass(frozen=True)
class Queue:
    """The ready stages of one sweep in one lane, in its own order."""

    sweep: str
    lane: str
    ready: Sequence[str]


@dataclass(frozen=True)
class Room:
    """What is free."""

    threads: int
    pools: Mapping[str, int]  # slots


class Admitted(NamedTuple):
    """A stage that may start, and the sweep that pays for it."""

    stage: str
    sweep: str


@dataclass
class Board:
    """Who contends for what. `weights` are those of users; who is not named has 1."""

    contenders: Mapping[str, Contender]
    queues: list[Queue]
    weights: Mapping[str, float] = field(default_factory=dict)

    def list_lanes(self) -> dict[tuple[str, str], str]:
        """Sweep, stage -> where it waits."""
        return {(queue.sweep, stage): queue.lane for queue in self.queues for stage in queue.ready}


MONEY = frozenset({"budget", "day budget", "no price"})
"""Refusals that are about money."""

GATES = frozenset({"the sweep is not active", "slots", "budget", "no price"})
"""Refusals that hold for a whole sweep."""

LANE_GATES = frozenset({"capacity", "breaker", "day budget"})
"""Refusals that hold for one lane, whoever asks; the others are the stage's own."""


def count_free_nudges(*, threads: int, unclaimed: int) -> int:
    """How many more nudges the workers can take: what is dispatched and not yet claimed will take a thread."""
    return max(0, threads - unclaimed)


def admit(board: Board, room: Room) -> list[Admitted]:
    """Fill the room: the highest priority first; among equals the user who has least under way, then the sweep.

    What counts is what is under way by weight, so that whoever comes later catches up and nobody is ever behind for
    having used an empty night. A stage that several sweeps want is admitted once, at the cost of the first.
    """
    turns = {id(queue): iter(queue.ready) for queue in board.queues}
    loads, left = _Loads(board), dict(room.pools)
    admitted: dict[str, str] = {}
    queues = list(board.queues)
    while queues and len(admitted) < room.threads:
        queue = min(queues, key=loads.rank)
        stage = next((stage for stage in turns[id(queue)] if stage not in admitted), None)
        pool = pool_of(queue.lane)
        if stage is None or left.get(pool, 0) <= 0 or loads.is_full(queue.sweep):
            queues.remove(queue)
            continue
        admitted[stage] = queue.sweep
        left[pool] -= 1
        loads.add(queue.sweep)
    return [Admitted(stage, sweep) for stage, sweep in admitted.items()]


class _Loads:
    """What sweeps and users have under way, while more is handed out."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._sweeps = Counter({name: each.inflight for name, each in board.contenders.items()})
        self._users: Counter[str] = Counter()
        for each in board.contenders.values():
            self._users[each.user] += each.inflight

    def rank(self, queue: Queue) -> tuple[float, float, float, str, str]:
        """The least goes first."""
        who = self._board.contenders[queue.sweep]
        of_user = self._users[who.user] / self._board.weights.get(who.user, 1.0)
        return (-who.priority, of_user, self._sweeps[queue.sweep] / who.weight, queue.sweep, queue.lane)

    def is_full(self, sweep: str) -> bool:
        slots = self._board.contenders[sweep].slots
        return bool(slots) and self._sweeps[sweep] >= slots

    def add(self, sweep: str) -> None:
        self._sweeps[sweep] += 1
        self._users[self._board.contenders[sweep].user] += 1


def close_gates(board: Board, room: Room, answers: Mapping[Admitted, str]) -> tuple[Board, Room]:
    """What may be admitted from after these answers ("" = started), and into what room.

    A closed gate leaves its room to others.
    """
    lanes = board.list_lanes()
    closed = {each.sweep for each, refused in answers.items() if refused in GATES}
    shut = {lanes[each.sweep, each.stage] for each, refused in answers.items() if refused in LANE_GATES}
    over = {each.stage for each, refused in answers.items() if refused not in GATES | LANE_GATES}
    started = Counter(each.sweep for each, refused in answers.items() if not refused)
    used = Counter(pool_of(lanes[each.sweep, each.stage]) for each, refused in answers.items() if not refused)
    contenders = {
        name: replace(each, inflight=each.inflight + started[name]) for name, each in board.contenders.items()
    }
    queues = [
        replace(queue, ready=[stage for stage in queue.ready if stage not in over])
        for queue in board.queues
        if queue.sweep not in closed and queue.lane not in shut
    ]
    pools = {pool: slots - used[pool] for pool, slots in room.pools.items()}
    return Board(contenders, queues, board.weights), Room(room.threads - started.total(), pools)
