"""A fleet beyond any that exists: the real admission, and a clock of events instead of stages that run."""

import heapq
import random
import time
from collections import Counter
from dataclasses import dataclass, field

from benchmarks.row import Row
from scheduler.engine.admission import Board, Contender, Queue, Room, admit
from scheduler.engine.fleet import OLDEST

LANE = "tinker/training/model"
POOL = "tinker/training"
SWEEPS, USERS = 100, 50
SMALL, LARGE = (1_000, 100), (1_000_000, 10_000)  # stages, slots


@dataclass
class Night:
    """What was counted."""

    makespan: float
    bound: float
    decision: float  # seconds of the processor for each stage that was admitted
    fairness: list[float] = field(default_factory=list)  # Jain's index of the users' slots, while all of them wait


def measure() -> list[Row]:
    """Simulate a small fleet and a large one."""
    small, large = simulate(*SMALL), simulate(*LARGE)
    words = f"{LARGE[0]:,} stages, {LARGE[1]:,} slots, {SWEEPS} sweeps, {USERS} users"
    against = f"one of {SMALL[0]:,} stages"
    return [
        Row(
            what=f"makespan of {words}",
            against="work / slots",
            unit="s",
            ours=[large.makespan],
            theirs=[large.bound],
            most=1.05,
        ),
        Row(what="the least fair moment there (Jain's index)", unit="", ours=[min(large.fairness)], least=0.98),
        Row(
            what="processor of a decision there",
            against=against,
            unit="s",
            ours=[large.decision],
            theirs=[small.decision],
            most=2,
        ),
    ]


def simulate(stages: int, slots: int) -> Night:
    """Let stages of 1 to 100 seconds run; each second those that ended make room, as a tick sees it."""
    draw = random.Random(0)
    waiting = {f"s{number}": stages // SWEEPS for number in range(SWEEPS)}
    users = {sweep: f"u{number % USERS}" for number, sweep in enumerate(waiting)}
    inflight, ends = Counter[str](), list[tuple[int, str]]()
    now, work, decisions, spent = 0, 0, 0, 0.0
    night = Night(0, 0, 0)
    while ends or any(waiting.values()):
        while ends and ends[0][0] <= now:
            inflight[heapq.heappop(ends)[1]] -= 1
        board = Board(
            {sweep: Contender(user=users[sweep], inflight=inflight[sweep]) for sweep in waiting},
            [
                Queue(sweep, LANE, [f"{sweep}-{left - place}" for place in range(min(left, OLDEST))])
                for sweep, left in waiting.items()
                if left
            ],
        )
        free = slots - len(ends)
        began = time.process_time()
        admitted = admit(board, Room(free, {POOL: free})) if free and board.queues else []
        spent += time.process_time() - began
        for stage in admitted:
            length = draw.randint(1, 100)
            work += length
            decisions += 1
            waiting[stage.sweep] -= 1
            inflight[stage.sweep] += 1
            heapq.heappush(ends, (now + length, stage.sweep))
        if now and all(waiting.values()):
            night.fairness.append(_compute_jain(inflight, users))
        now += 1
    night.makespan, night.bound, night.decision = now - 1, work / slots, spent / decisions
    return night


def _compute_jain(inflight: Counter[str], users: dict[str, str]) -> float:
    """Jain's index of the slots of users: 1 where all have as many (Jain, Chiu, Hawe 1984)."""
    shares = Counter[str]()
    for sweep, user in users.items():
        shares[user] += inflight[sweep]
    squares = sum(share * share for share in shares.values())
    return sum(shares.values()) ** 2 / (len(shares) * squares) if squares else 1.0
