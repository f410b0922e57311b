"""Decide which ready stages may start now: a pure function of the queues, the free room and the stages under way."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from scheduler.services import find_pool


@dataclass(frozen=True)
class Contender:
    """A sweep that pays, and its rank among the others."""

    user: str = ""
    priority: int = 0
    weight: float = 1.0  # its share among sweeps of the same priority
    slots: int = 0  # at most this many at a time; 0: no limit
    inflight: int = 0


@dataclass(frozen=True)
class Queue:
    """The ready stages of one sweep in one lane, in the order of its plan."""

    sweep: str
    lane: str
    ready: Sequence[str]


@dataclass(frozen=True)
class Room:
    """The free threads, and the free slots of each pool."""

    threads: int
    pools: Mapping[str, int]  # slots


class Admitted(NamedTuple):
    """A stage that may start, and the sweep that pays for it."""

    stage: str
    sweep: str


@dataclass
class Board:
    """All contenders and queues. `weights` are those of users; a user without one has 1."""

    contenders: Mapping[str, Contender]
    queues: list[Queue]
    weights: Mapping[str, float] = field(default_factory=dict)

    def list_lanes(self) -> dict[tuple[str, str], str]:
        """Map each sweep and stage to the lane in which it waits."""
        return {(queue.sweep, stage): queue.lane for queue in self.queues for stage in queue.ready}


MONEY = frozenset({"budget", "day budget", "user day budget", "user month budget", "no price"})
"""Refusals that are about money."""

GATES = frozenset({"the sweep is not active", "slots", "budget", "user day budget", "user month budget", "no price"})
"""Refusals that hold for a whole sweep."""

LANE_GATES = frozenset({"books", "capacity", "breaker", "day budget"})
"""Refusals that hold for one lane, for every sweep. The others hold for one stage."""


def count_free_nudges(*, threads: int, unclaimed: int) -> int:
    """Count the nudges that workers can take: each dispatched stage that is not claimed yet will take a thread."""
    return max(0, threads - unclaimed)


def admit(board: Board, room: Room) -> list[Admitted]:
    """Fill the room: the highest priority first, then the user with the least under way, then the sweep with the least.

    Only stages under way count, divided by weight: a later user catches up, and a user who had an empty fleet alone
    is not behind for that. A stage that several sweeps want is admitted once, at the cost of the first.
    """
    turns = {id(queue): iter(queue.ready) for queue in board.queues}
    loads, left = _Loads(board), dict(room.pools)
    admitted: dict[str, str] = {}
    queues = list(board.queues)
    while queues and len(admitted) < room.threads:
        queue = min(queues, key=loads.rank)
        stage = next((stage for stage in turns[id(queue)] if stage not in admitted), None)
        pool = find_pool(queue.lane)
        if stage is None or left.get(pool, 0) <= 0 or loads.is_full(queue.sweep):
            queues.remove(queue)
            continue
        admitted[stage] = queue.sweep
        left[pool] -= 1
        loads.add(queue.sweep)
    return [Admitted(stage, sweep) for stage, sweep in admitted.items()]


class _Loads:
    """The stages under way of sweeps and users, while more are admitted."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._sweeps = Counter({name: contender.inflight for name, contender in board.contenders.items()})
        self._users: Counter[str] = Counter()
        for contender in board.contenders.values():
            self._users[contender.user] += contender.inflight

    def rank(self, queue: Queue) -> tuple[float, float, float, str, str]:
        """Rank a queue; the lowest goes first."""
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
    """Return the board and the room that remain after these answers ("": started).

    A closed gate leaves its room to other queues.
    """
    lanes = board.list_lanes()
    closed = {stage.sweep for stage, refused in answers.items() if refused in GATES}
    shut = {lanes[stage.sweep, stage.stage] for stage, refused in answers.items() if refused in LANE_GATES}
    over = {stage.stage for stage, refused in answers.items() if refused not in GATES | LANE_GATES}
    started = Counter(stage.sweep for stage, refused in answers.items() if not refused)
    used = Counter(find_pool(lanes[stage.sweep, stage.stage]) for stage, refused in answers.items() if not refused)
    contenders = {
        name: replace(contender, inflight=contender.inflight + started[name])
        for name, contender in board.contenders.items()
    }
    queues = [
        replace(queue, ready=[stage for stage in queue.ready if stage not in over])
        for queue in board.queues
        if queue.sweep not in closed and queue.lane not in shut
    ]
    pools = {pool: slots - used[pool] for pool, slots in room.pools.items()}
    return Board(contenders, queues, board.weights), Room(room.threads - started.total(), pools)
