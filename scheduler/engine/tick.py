"""One tick of the scheduler: take back dead attempts, spread changes, admit stages while there is room.

Everything here may be repeated, interrupted or done by two schedulers at once: each step is a verb that acts only where
the state requires it. The leader lease only saves double work.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

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
from scheduler.engine.windows import keep_windows
from scheduler.services import pool_of
from scheduler.state import keys
from scheduler.state.bug_log import MANY, fail_stage, read_stopping_bugs, run_isolated
from scheduler.state.connection import StoreBug
from scheduler.state.states import StageState
from scheduler.state.store import Store
from scheduler.state.workers import read_live_workers

OVERDUE = 1.5  # times the stall, after which the tick ends an attempt whose own thread hangs
PAGE = 200  # stages in one round trip
NOTED = MONEY | {"slots"}  # gates that `sweep status` shows
CLOSED, SHUT = (
    GATES - MONEY,
    LANE_GATES - MONEY,
)  # gates of a sweep, of a lane; a price that is too high concerns one stage
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
    turned: int
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
        turned=run_isolated(store, lambda: keep_windows(store), 0),
        dispatched=0
        if read_stopping_bugs(store)
        else run_isolated(store, lambda: dispatch_stages(store, nudges, limits), 0),
    )


def take_back(store: Store, *, stall: float) -> int:
    """End attempts whose lease or claim ran out, and attempts that stalled and did not end themselves."""
    total = 0
    limits = round(1000 * OVERDUE * stall), BUDGETS[Fault.LOST], BUDGETS[Fault.STALLED], SUSPECTED_AFTER
    while taken := _expire(store, limits):
        total += taken
    return total


def _expire(store: Store, limits: Sequence[int]) -> int:
    """End a page of attempts at once. If that fails, end each by itself, and fail the stages that cannot be ended."""
    try:
        return len(store.scripts.run("expire_attempts", PAGE, *limits))
    except StoreBug as error:
        taken, condemned = 0, 0
        for state in (StageState.DISPATCHED, StageState.RUNNING):
            for stage in store.scripts.run("read_due", keys.state(state), PAGE):
                if condemned >= MANY:
                    raise
                try:
                    taken += len(store.scripts.run("expire_attempts", PAGE, *limits, stage))
                except StoreBug as its_own:
                    condemned += fail_stage(store, stage, its_own, "scheduler")
        if not taken + condemned:
            raise error from None
        return taken + condemned


def walk_sweeps(store: Store) -> int:
    """Continue each walk through a sweep by one page. Return how many walks made progress."""
    walks = store.client.zrange(keys.WALKS, 0, -1, withscores=True)
    further = 0
    for walk, position in walks:
        sweep, how, _ = walk.rsplit("|", 2)
        further += run_isolated(store, partial(_walk, store, sweep, how, walk, int(position)), 0, of=sweep)
    return further


def _walk(store: Store, sweep: str, how: str, walk: str, start: int) -> int:
    """Walk through one page. If every stage of a page fails, the code is broken: the walk waits there for a fix."""
    stages = store.client.zrange(keys.sweep_stages(sweep), start, start + PAGE - 1)
    failed = _do_each_or_all(store, stages, lambda some: _reconsider(store, sweep, how, some)) if stages else []
    if stages and len(failed) == len(stages):
        return 0
    _put_back(store, failed)
    if len(stages) == PAGE:
        # `xx`: a slower second scheduler must not restore a walk that the first one ended.
        store.client.zadd(keys.WALKS, {walk: start + PAGE}, xx=True)
    else:
        store.scripts.run("end_walk", sweep, walk)
    return 1


def _reconsider(store: Store, sweep: str, how: str, stages: Sequence[str]) -> None:
    if how != "reconsider":
        store.scripts.run("reopen_stages", how, *stages)
    store.scripts.run("reconsider_stages", *stages)
    store.scripts.run_many("update_sweep", [(sweep, stage) for stage in stages])


def _do_each_or_all(store: Store, stages: Sequence[str], action: Callable[[Sequence[str]], None]) -> list[str]:
    """Do all stages at once; if that fails, do each by itself. Return those that failed.

    The stages before the failed one are done twice; each action may be repeated.
    """
    try:
        action(stages)
    except StoreBug:
        return [stage for stage in stages if not run_isolated(store, partial(_do_one, action, stage), 0, of=stage)]
    return []


def _put_back(store: Store, stages: Sequence[str]) -> None:
    """Mark failed stages as changed again, behind the others: a fix may come, and no other stage waits for them."""
    if stages:
        run_isolated(store, lambda: store.scripts.run("mark_changed", *stages), None)


def _do_one(action: Callable[[Sequence[str]], None], stage: str) -> int:
    action([stage])
    return 1


def wake_stages(store: Store) -> int:
    """Queue the stages whose backoff is over."""
    return int(store.scripts.run("wake_stages", PAGE))


def spread_changes(store: Store) -> int:
    """Spread each changed stage to its sweeps and children. Forget the change only when that is done."""
    there = store.client.zrange(keys.CHANGED, 0, PAGE - 1, withscores=True)
    changed = {stage: int(version) for stage, version in there}
    failed = _do_each_or_all(store, [*changed], lambda some: _spread(store, {each: changed[each] for each in some}))
    _put_back(store, failed)
    return len(changed) - len(failed)


def _spread(store: Store, changed: Mapping[str, int]) -> None:
    if not changed:
        return
    near = _read_neighbours(store, [*changed])
    store.scripts.run_many(
        "update_sweep", [(sweep, stage) for stage, (sweeps, _) in near.items() for sweep in sorted(sweeps)]
    )
    for page in _split_pages(sorted({each for stage, (_, children) in near.items() for each in (stage, *children)})):
        store.scripts.run("reconsider_stages", *page)
    store.scripts.run_many("forget_change", [*changed.items()])


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
    wanted = {pool_of(lane) for (_, lane), count in waiting.items() if count}
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
    for each in admitted:
        lane = lanes[each.sweep, each.stage]
        if closed.isdisjoint((each.sweep, lane)):
            answers[each] = refused = _start(store, nudges, each, patience)
            failed += refused == BUG
            if failed >= MANY:
                break
            closed |= {lane} if refused in SHUT else {each.sweep} if refused in CLOSED else set()
    for sweep, refused in {each.sweep: why for each, why in answers.items() if not why or why in NOTED}.items():
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
    threads = sum(int(each["threads"]) - int(each["busy"]) for each in read_live_workers(store).values())
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
    asked = [(sweep, lane) for (sweep, lane), count in waiting.items() if count and most.get(pool_of(lane))]
    pipe = store.client.pipeline(transaction=False)
    for sweep, lane in asked:
        pipe.zrange(keys.sweep_ready(sweep, lane), 0, most[pool_of(lane)] + LOOK_AHEAD - 1)
    return [Queue(*queue, ready) for queue, ready in zip(asked, pipe.execute(), strict=True) if ready]


def _read_neighbours(store: Store, stages: Sequence[str]) -> dict[str, tuple[set[str], set[str]]]:
    """Read for each stage the sweeps that want it and the stages that start from it."""
    pipe = store.client.pipeline(transaction=False)
    for stage in stages:
        pipe.smembers(keys.subscribers(stage))
        pipe.smembers(keys.children(stage))
    answers = pipe.execute()
    return dict(zip(stages, zip(answers[::2], answers[1::2], strict=True), strict=True))


def _split_pages(stages: Sequence[str]) -> Iterator[Sequence[str]]:
    return (stages[start : start + PAGE] for start in range(0, len(stages), PAGE))
