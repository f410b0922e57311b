"""One heartbeat of the scheduler: take back what died, spread what changed, admit what there is room for.

Everything here may be repeated, interrupted or done by two schedulers at once: each step is a verb that only acts where
the truth calls for it. The leader lease merely saves double work.
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

OVERDUE = 1.5  # times the stall after which an attempt is ended for it, because its own thread hangs
PAGE = 200  # stages looked at in one round trip
NOTED = MONEY | {"slots"}  # gates that status tells of
CLOSED, SHUT = GATES - MONEY, LANE_GATES - MONEY  # to a sweep, to a lane; what is too dear is the stage's own matter
BUG = "a bug"  # of ours, for which the stage has failed
Waiting = Mapping[tuple[str, str], int]  # sweep, lane -> how many stages are ready there
LOOK_AHEAD = 100  # ready stages read beyond the window, because other sweeps may start a few of them first


@dataclass(frozen=True)
class TickLimits:
    """How much at once, and how long anything may take: what a tick is told by the settings."""

    slots: Bounds  # clients at a time in the whole fleet, of each kind at each service
    stall: float  # seconds after which an attempt that gets no further should end itself
    claim: float = 20.0  # seconds a worker has to claim what it was sent
    weights: Mapping[str, float] = field(default_factory=dict)  # of users
    timing: Timing = field(default_factory=Timing)  # of breakers


@dataclass(frozen=True)
class Ticked:
    """What one tick did, for the log and for how soon the next one should follow."""

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
    """Do everything that is due. A bug in one part is written down, and the other parts are done. Raises Away."""
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
    """End attempts whose lease or claim ran out, and those that have stalled and do not even notice."""
    total = 0
    limits = round(1000 * OVERDUE * stall), BUDGETS[Fault.LOST], BUDGETS[Fault.STALLED], SUSPECTED_AFTER
    while taken := _expire(store, limits):
        total += taken
    return total


def _expire(store: Store, limits: Sequence[int]) -> int:
    """A page at once; where one of them cannot be ended, each by itself, and that one fails."""
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
    """Walk one page further through the sweeps that were sealed, cancelled or opened again. How many got further."""
    walks = store.client.zrange(keys.WALKS, 0, -1, withscores=True)
    further = 0
    for walk, position in walks:
        sweep, how, _ = walk.rsplit("|", 2)
        further += run_isolated(store, partial(_walk, store, sweep, how, walk, int(position)), 0, of=sweep)
    return further


def _walk(store: Store, sweep: str, how: str, walk: str, start: int) -> int:
    """Where no stage of a page can be done it is the code that is broken: the walk waits there until it is mended."""
    stages = store.client.zrange(keys.sweep_stages(sweep), start, start + PAGE - 1)
    failed = _do_each_or_all(store, stages, lambda some: _reconsider(store, sweep, how, some)) if stages else []
    if stages and len(failed) == len(stages):
        return 0
    _put_back(store, failed)
    if len(stages) == PAGE:
        # `xx`: a second scheduler that is slower must not bring back a walk that the first one has ended.
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
    """All at once; where one of them cannot be done, each by itself. Which could not be.

    It may be repeated, so that those before the one are done twice.
    """
    try:
        action(stages)
    except StoreBug:
        return [stage for stage in stages if not run_isolated(store, partial(_do_one, action, stage), 0, of=stage)]
    return []


def _put_back(store: Store, stages: Sequence[str]) -> None:
    """What could not be done now is tried again, behind what waits: it may be mended, and keeps no other waiting."""
    if stages:
        run_isolated(store, lambda: store.scripts.run("mark_changed", *stages), None)


def _do_one(action: Callable[[Sequence[str]], None], stage: str) -> int:
    action([stage])
    return 1


def wake_stages(store: Store) -> int:
    """Queue again what has waited long enough for its next attempt."""
    return int(store.scripts.run("wake_stages", PAGE))


def spread_changes(store: Store) -> int:
    """Carry each changed stage to its sweeps and its children; forget the change only when that is done."""
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
    """Admit, reserve, nudge, until the room is full or every queue is empty or has its gate closed."""
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
    """How many more clients each pool has room for, in the light of what the services say now."""
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
    """Start them; why not, or "". Behind a gate that would be closed to the others as well, they are not asked."""
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
    """Start one; why not, or "". A nudge that could not be sent is made up for when the claim has run out."""
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
    """Remember why a sweep waits, for status. Backoff is the stage's own matter and no gate of the sweep."""
    if refused:
        store.client.hset(keys.sweep(sweep), "gate", refused)


def _count_threads(store: Store) -> int:
    threads = sum(int(each["threads"]) - int(each["busy"]) for each in read_live_workers(store).values())
    return count_free_nudges(threads=threads, unclaimed=store.client.zcard(keys.state(StageState.DISPATCHED)))


def _read_contenders(store: Store) -> tuple[dict[str, Contender], Waiting]:
    """The sweeps that pay, and how much of each is ready in which of its lanes."""
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
    """What is ready, of each queue no more than could start; where there is no room, nothing is read."""
    most = {pool: min(room.threads, slots) for pool, slots in room.pools.items()}
    asked = [(sweep, lane) for (sweep, lane), count in waiting.items() if count and most.get(pool_of(lane))]
    pipe = store.client.pipeline(transaction=False)
    for sweep, lane in asked:
        pipe.zrange(keys.sweep_ready(sweep, lane), 0, most[pool_of(lane)] + LOOK_AHEAD - 1)
    return [Queue(*queue, ready) for queue, ready in zip(asked, pipe.execute(), strict=True) if ready]


def _read_neighbours(store: Store, stages: Sequence[str]) -> dict[str, tuple[set[str], set[str]]]:
    """For each stage, the sweeps that want it and the stages that start from it."""
    pipe = store.client.pipeline(transaction=False)
    for stage in stages:
        pipe.smembers(keys.subscribers(stage))
        pipe.smembers(keys.children(stage))
    answers = pipe.execute()
    return dict(zip(stages, zip(answers[::2], answers[1::2], strict=True), strict=True))


def _split_pages(stages: Sequence[str]) -> Iterator[Sequence[str]]:
    return (stages[start : start + PAGE] for start in range(0, len(stages), PAGE))
