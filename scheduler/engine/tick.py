"""One tick of the scheduler: take back dead attempts, spread changes, admit stages while there is room.

Everything here may be repeated, interrupted or done by two schedulers at once: each step is a verb that acts only where
the state requires it. The leader lease only saves double work.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scheduler.engine.admission import (
    GATES,
    LANE_GATES,
    MONEY,
    Admitted,
    Board,
    Contender,
    Queue,
    Room,
    admit,
    close_gates,
    count_free_nudges,
)
from scheduler.engine.breaker import Timing
from scheduler.engine.capacity import Bounds
from scheduler.engine.dispatch import Nudges
from scheduler.engine.fleet import apply_conclusions, read_service
from scheduler.engine.retry import BUDGETS, SUSPECTED_AFTER, Fault
from scheduler.engine.spread import PAGE, spread_changes, walk_sweeps
from scheduler.engine.windows import keep_windows
from scheduler.services import find_pool
from scheduler.state import keys
from scheduler.state.bug_log import MANY, fail_stage, read_stopping_bugs, run_isolated
from scheduler.state.connection import StoreBug
from scheduler.state.milliseconds import count_milliseconds
from scheduler.state.missing_rights import read_refusal
from scheduler.state.states import StageState
from scheduler.state.store import Store
from scheduler.state.workers import read_live_workers

OVERDUE = 1.5  # times the stall, after which the tick ends an attempt whose own thread hangs
NOTED = MONEY | {"slots"}  # gates that `sweep status` shows
# A gate of money concerns one stage, because another may be cheaper. The others concern all that would start behind it.
SHARED_SWEEP_GATES = GATES - MONEY
SHARED_LANE_GATES = LANE_GATES - MONEY
BUG = "a bug"  # of ours, which failed the stage
Waiting = Mapping[tuple[str, str], int]  # sweep, lane -> how many stages are ready there
LOOK_AHEAD = 100  # ready stages to read in addition, because other sweeps may start some of them first


@dataclass(frozen=True)
class TickLimits:
    """How much may run at once and how long things may take, from the settings."""

    slots: Bounds  # clients of each kind at each service, for the whole fleet
    stall: float  # seconds after which an attempt without progress should end itself
    claim: float = 20.0  # seconds that a worker has to claim a stage
    weights: Mapping[str, float] = field(default_factory=dict)  # of users
    timing: Timing = field(default_factory=Timing)  # of breakers


@dataclass(frozen=True)
class Ticked:
    """What one tick did. It decides how soon the next one follows."""

    expired: int
    restaged: int
    woken: int
    spread: int
    windows: int
    dispatched: int

    @property
    def idle(self) -> bool:
        return not any(vars(self).values())


def tick(store: Store, nudges: Nudges, limits: TickLimits) -> Ticked:
    """Do everything that is due. Record a bug in one part and do the other parts. Raise Away."""
    return Ticked(
        expired=run_isolated(store, lambda: take_back(store, stall=limits.stall), 0),
        restaged=run_isolated(store, lambda: walk_sweeps(store), 0),
        woken=run_isolated(store, lambda: wake_stages(store), 0),
        spread=run_isolated(store, lambda: spread_changes(store), 0),
        windows=run_isolated(store, lambda: keep_windows(store), 0),
        dispatched=0
        if read_stopping_bugs(store) or read_refusal(store.client)
        else run_isolated(store, lambda: dispatch_stages(store, nudges, limits), 0),
    )


def take_back(store: Store, *, stall: float) -> int:
    """End attempts whose lease or claim ran out, and attempts that stalled and did not end themselves."""
    total = 0
    limits = count_milliseconds(OVERDUE * stall), BUDGETS[Fault.LOST], BUDGETS[Fault.STALLED], SUSPECTED_AFTER
    while taken := _expire(store, limits):
        total += taken
    return total


def _expire(store: Store, limits: Sequence[int]) -> int:
    """End a page of attempts at once. If that fails, end each by itself, and fail the stages that cannot be ended."""
    try:
        return len(store.scripts.run("expire_attempts", PAGE, *limits))
    except StoreBug as error:
        taken, failed = 0, 0
        for state in (StageState.DISPATCHED, StageState.RUNNING):
            for stage in store.scripts.run("read_due", keys.state(state), PAGE):
                if failed >= MANY:
                    raise
                try:
                    taken += len(store.scripts.run("expire_attempts", PAGE, *limits, stage))
                except StoreBug as its_own:
                    failed += fail_stage(store, stage, its_own, "scheduler")
        if not taken + failed:
            raise error from None
        return taken + failed


def wake_stages(store: Store) -> int:
    """Queue the stages whose backoff is over."""
    return int(store.scripts.run("wake_stages", PAGE))


def dispatch_stages(store: Store, nudges: Nudges, limits: TickLimits) -> int:
    """Admit, reserve and nudge until the room is full, or each queue is empty or behind a closed gate."""
    contenders, waiting = _read_contenders(store)
    room = Room(_count_threads(store), _count_slots(store, waiting, limits))
    board, started = Board(contenders, _read_queues(store, waiting, room), limits.weights), 0
    while admitted := admit(board, room):
        answers = _start_all(store, nudges, board, admitted, limits.claim)
        started += sum(not refused for refused in answers.values())
        board, room = close_gates(board, room, answers)
        if BUG in answers.values() and read_stopping_bugs(store):
            break
    return started


def _count_slots(store: Store, waiting: Waiting, limits: TickLimits) -> dict[str, int]:
    """Count how many more clients each pool has room for, by what the services tell now."""
    wanted = {find_pool(lane) for (_, lane), count in waiting.items() if count}
    rooms: dict[str, int] = {}
    for service in sorted({lane.partition("/")[0] for _, lane in waiting}):
        rooms |= apply_conclusions(
            store, read_service(store, service, limits.slots, wanted), limits.slots, limits.timing
        )
    return rooms


def _start_all(
    store: Store, nudges: Nudges, board: Board, admitted: Sequence[Admitted], patience: float
) -> dict[Admitted, str]:
    """Start stages. Return the closed gate of each, or "". Skip stages behind a gate that is known to be closed."""
    lanes, closed, failed = board.list_lanes(), set[str](), 0
    answers: dict[Admitted, str] = {}
    for stage in admitted:
        lane = lanes[stage.sweep, stage.stage]
        if closed.isdisjoint((stage.sweep, lane)):
            answers[stage] = refused = _start(store, nudges, stage, patience)
            failed += refused == BUG
            if failed >= MANY:
                break
            if refused in SHARED_LANE_GATES:
                closed.add(lane)
            elif refused in SHARED_SWEEP_GATES:
                closed.add(stage.sweep)
    for sweep, refused in {stage.sweep: why for stage, why in answers.items() if not why or why in NOTED}.items():
        _note_gate(store, sweep, refused)
    return answers


def _start(store: Store, nudges: Nudges, admitted: Admitted, patience: float) -> str:
    """Start one stage. Return the closed gate, or "". If its nudge is lost, the claim runs out and it comes back."""
    try:
        answer = store.dispatch(admitted.stage, sweep=admitted.sweep, patience=patience)
    except StoreBug as error:
        fail_stage(store, admitted.stage, error, "scheduler")
        return BUG
    if answer.attempt:
        label = store.client.hget(keys.stage(admitted.stage), "label") or admitted.stage
        nudges.send(admitted.stage, answer.attempt, label)
    return answer.refused


def _note_gate(store: Store, sweep: str, refused: str) -> None:
    """Note for `sweep status` why a sweep waits. Backoff concerns one stage and is no gate of the sweep."""
    if refused:
        store.client.hset(keys.sweep(sweep), "gate", refused)


def _count_threads(store: Store) -> int:
    threads = sum(int(report["threads"]) - int(report["busy"]) for report in read_live_workers(store).values())
    return count_free_nudges(threads=threads, unclaimed=store.client.zcard(keys.state(StageState.DISPATCHED)))


def _read_contenders(store: Store) -> tuple[dict[str, Contender], Waiting]:
    """Read the sweeps that pay, and how many stages of each are ready in each lane."""
    sweeps = sorted(store.client.smembers(keys.LIVE))
    pipe = store.client.pipeline(transaction=False)
    for sweep in sweeps:
        pipe.hmget(keys.sweep(sweep), ["user", "priority", "weight", "slots", "inflight", "lanes"])
    rows = dict(zip(sweeps, pipe.execute(), strict=True))
    contenders = {
        sweep: Contender(user or "", int(priority or 0), float(weight or 1), int(slots or 0), int(inflight or 0))
        for sweep, (user, priority, weight, slots, inflight, _) in rows.items()
    }
    every = [(sweep, lane) for sweep, row in rows.items() for lane in (row[-1] or "").split()]
    pipe = store.client.pipeline(transaction=False)
    for sweep, lane in every:
        pipe.zcard(keys.sweep_ready(sweep, lane))
    return contenders, dict(zip(every, pipe.execute(), strict=True))


def _read_queues(store: Store, waiting: Waiting, room: Room) -> list[Queue]:
    """Read the ready stages of each queue, no more than could start. Without room, read nothing."""
    most = {pool: min(room.threads, slots) for pool, slots in room.pools.items()}
    asked = [(sweep, lane) for (sweep, lane), count in waiting.items() if count and most.get(find_pool(lane))]
    pipe = store.client.pipeline(transaction=False)
    for sweep, lane in asked:
        pipe.zrange(keys.sweep_ready(sweep, lane), 0, most[find_pool(lane)] + LOOK_AHEAD - 1)
    return [Queue(*queue, ready) for queue, ready in zip(asked, pipe.execute(), strict=True) if ready]
