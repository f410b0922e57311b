"""Run an attempt: claim, open, train or evaluate, settle, continue on the live client.

However an attempt ends, it becomes an `Outcome`; only `conclude` reports it to the store. It calls
the service through a Session and nothing else.
"""

import json
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress

from scheduler.artefacts import locate_probe
from scheduler.engine.retry import Fault, GiveUp, Park, RetryAt, decide
from scheduler.errors import ArtefactError, SchedulerError, ServiceRefused
from scheduler.services import find_service
from scheduler.state.bug_log import NOBODY, fail_stage, record_bug
from scheduler.state.connection import Away, RedisError, Refused, StoreBug
from scheduler.state.states import StageState
from scheduler.state.store import Lease, Opening, compact
from sweeps.cost import Usage
from sweeps.errors import SweepsError
from worker.attempt import PAUSE, Attempt, EventReporter, WorkerContext, load_attempt, make_stopped
from worker.attempt_log import log_attempt
from worker.evaluation.measure import evaluate
from worker.held_lease import HeldLease, LeaseLost, Stalled, TimeIsUp, TurnedAway
from worker.maintenance.canary import COST, try_service
from worker.outcome import Failed, Lost, Orphaned, Outcome, ParentGone, StageError, Stopped, Succeeded
from worker.sdk.failures import ServiceError
from worker.sdk.health import is_responding
from worker.sdk.session import Ending, Session, Trainer
from worker.training.methods import train

JUDGED_WITHIN = 30.0  # seconds for a canary that decides whether a stage has failed


def attempt_stages(context: WorkerContext, stage: str, number: int, reporter: EventReporter) -> Outcome | None:
    """Attempt a stage, then the evaluations that its live model allows; None if the message is outdated."""
    with context.leases.count_thread():
        asked_at = time.monotonic()
        try:
            lease = context.store.claim(
                stage, attempt=number, worker=context.leases.worker, lease=context.leases.seconds
            )
        except Refused as error:
            record_bug(context.store, error, context.leases.worker)
            return None  # the claim runs out, and the stage comes back
        except StoreBug as error:
            return _fail_unrunnable(context, stage, error)
        return None if lease is None else _run(context, lease, reporter, asked_at)


def _run(context: WorkerContext, lease: Lease, reporter: EventReporter, asked_at: float) -> Outcome:
    with ExitStack() as closing:
        with context.leases.hold(lease, asked_at=asked_at) as held:
            try:
                this = load_attempt(context, held, reporter)
                session = _make_session(this)
            except LeaseLost:
                return Lost()
            except (*Away, Refused):
                raise
            except Exception as error:  # noqa: BLE001 - the stored stage can be wrong in any way
                return _fail_unrunnable(context, lease.stage, error, lease.fence)
            outcome, trainer = _perform(this, session)
            closing.callback(
                _close_session, this, session, outcome
            )  # in any case, or the session would outlive its slot
            stands = conclude(this, outcome)
        if trainer is not None and stands and isinstance(outcome, Succeeded):
            _continue_if_possible(this, trainer)
    return outcome


def _fail_unrunnable(context: WorkerContext, stage: str, error: Exception, fence: str = "") -> Failed:
    """Fail a stage that cannot be attempted at all; otherwise it would be tried forever."""
    fail_stage(context.store, stage, error, context.leases.worker, fence)
    return Failed(Fault.STAGE, str(error))


def _close_session(this: Attempt, session: Session, outcome: Outcome) -> None:
    session.close(_choose_ending(outcome)).add_done_callback(lambda _: _free_slot(this))


def _free_slot(this: Attempt) -> None:
    """Give the slot back: the client is closed. If Redis is away, the slot expires by itself."""
    try:
        this.context.store.free_slot(this.work.lane, this.work.slot)
    except Away:
        pass
    except Exception as error:  # noqa: BLE001 - on a thread of the SDK
        record_bug(this.context.store, error, this.context.leases.worker, affected=NOBODY)


def _choose_ending(outcome: Outcome) -> Ending:
    if isinstance(outcome, Succeeded):
        return "success"
    return "errored" if isinstance(outcome, Failed) else "interrupted"


def _make_session(this: Attempt) -> Session:
    """Make a session whose metadata identify the attempt and the installation at the service."""
    model = str(this.recipe["model"])
    metadata = _list_metadata(this)
    return Session(lambda: this.context.endpoint(model), metadata, on_signal=this.note_signal, permit=this.permit)


def _list_metadata(this: Attempt) -> dict[str, str]:
    work = this.work
    return {"fleet": this.context.fleet, "sweep": work.payer, "stage": work.stage, "attempt": str(work.attempt)}


def _perform(this: Attempt, session: Session) -> tuple[Outcome, Trainer | None]:
    if this.work.kind == "evaluate":
        return run_to_outcome(this, lambda: (evaluate(this, session), None))
    return run_to_outcome(this, lambda: train(this, session))


@log_attempt
def run_to_outcome(this: Attempt, work: Callable[[], tuple[Outcome, Trainer | None]]) -> tuple[Outcome, Trainer | None]:
    """Do the work, and return every way in which it can end as a value."""
    try:
        this.check()
        this.refuse_changed_recipe()
        _check_store_is_writable(this)
        return work()
    except LeaseLost:
        return Lost(), None
    except TimeIsUp as up:
        return make_stopped(up.asked, cost="at most"), None
    except TurnedAway as away:
        return Stopped(cancelled=False, cause=str(away)), None
    except ParentGone as gone:
        return Orphaned(gone.parent, gone.path, str(gone)), None
    except Exception as error:  # noqa: BLE001 - a bug of ours must become an outcome too
        return _classify(this, error), None


def _check_store_is_writable(this: Attempt) -> None:
    """Write a file before any money is spent: with a full disk, every stage would be paid for and its result lost."""
    path = locate_probe(this.context.fleet, socket.gethostname())
    this.context.artefacts.write(path, f"{this.work.stage} {this.work.attempt}\n".encode())


def _classify(this: Attempt, error: Exception) -> Failed:
    if isinstance(error, RedisError):
        return _classify_redis(this, error)
    match error:
        case ServiceError(fault=fault):
            if error.request:
                this.log_event(f"the service names it request {error.request}")
            return _classify_gone(this, error) if fault is Fault.GONE else Failed(fault, str(error))
        case Stalled():
            return Failed(_classify_stall(this, error), str(error))
        # The disk or a tokenizer's hub failed, not the stage; but paid work must not be repeated forever.
        case ArtefactError() | ServiceRefused():
            return Failed(Fault.UNKNOWN if this.spending.usage.tokens else Fault.MACHINE, str(error))
        case StageError() | SweepsError() | SchedulerError():
            return Failed(Fault.STAGE, str(error))
        case _:
            return Failed(Fault.UNKNOWN, f"{type(error).__name__}: {error}")


def _classify_redis(this: Attempt, error: RedisError) -> Failed:
    match error:
        case StoreBug():
            record_bug(this.context.store, error, this.context.leases.worker, affected=this.work.stage, failed=True)
            return Failed(Fault.STAGE, str(error))
        case Refused():
            record_bug(this.context.store, error, this.context.leases.worker)
            return Failed(Fault.MACHINE, str(error))
        case _:
            return Failed(Fault.OUTAGE, f"could not report progress to Redis: {error}")


def _classify_gone(this: Attempt, error: ServiceError) -> Failed:
    """Classify a lost handle. The first loss is opened again; a second without progress is decided by a canary."""
    if not _read_failures(this).get(Fault.GONE):
        return Failed(Fault.GONE, str(error))
    cost = Usage(training=COST)
    if not this.spending.covers(cost):
        return Failed(Fault.GONE, f"lost twice: {error}")
    this.spending.add(cost)
    model = str(this.recipe["model"])
    metadata = _list_metadata(this) | {"canary": this.work.stage}  # the attempt pays for it
    verdict = try_service(lambda: this.context.endpoint(model), model, metadata, JUDGED_WITHIN)
    if verdict.word == "healthy":
        return Failed(Fault.GONE, f"lost twice, while a canary succeeded: {error}")
    if verdict.word == "stopped":
        return Failed(Fault.ACCOUNT, verdict.cause)
    with suppress(*Away):  # so that other attempts suspect the service too
        this.context.store.scripts.run("suspect_service", find_service(model), f"{error}; canary: {verdict.cause}")
    return Failed(Fault.OUTAGE, f"{error}; canary: {verdict.cause}")


def _classify_stall(this: Attempt, error: Stalled) -> Fault:
    """Blame the service for a stall if it never answered this attempt or answers nothing now."""
    here = error.answered and is_responding(this.context.endpoint(str(this.recipe["model"])))
    return Fault.STALLED if here else Fault.OUTAGE


def conclude(this: Attempt, outcome: Outcome) -> bool:
    """Report the outcome to the store; True if it counts. While Redis is away, try again until the lease is over."""
    give_up = time.monotonic() + this.context.leases.seconds
    while True:
        try:
            return _settle(this, outcome)
        except (*Away, Refused) as error:
            if isinstance(error, Refused):  # a right that is given in time saves what was paid for
                record_bug(this.context.store, error, this.context.leases.worker)
            if this.held.over or time.monotonic() > give_up:
                return False
            time.sleep(PAUSE)
        except Exception as error:  # noqa: BLE001 - otherwise it would be paid for again and again
            fail_stage(this.context.store, this.work.stage, error, this.context.leases.worker, this.lease.fence)
            return False


def _settle(this: Attempt, outcome: Outcome) -> bool:
    store, lease, meter, lost = this.context.store, this.lease, this.spending.meter, this.losses.document()
    match outcome:
        case Succeeded(result, steps):
            fields: dict[str, str | int] = {"result": json.dumps(dict(result), allow_nan=False), "steps": steps}
            fields |= {"cause": "", **_describe_session(this)}
            return store.settle(lease, meter, StageState.SUCCEEDED, cost="exact", lost=lost, **fields)
        case Stopped(cancelled=True, cause=cause, cost=cost):
            return store.settle(lease, meter, StageState.CANCELLED, cost=cost, cause=cause)
        case Stopped(cause=cause, cost=cost):
            return store.give_back(lease, meter, delay=0, failure="", cost=cost, cause=cause)
        case Failed(fault, cause):
            return _settle_failure(this, fault, cause)
        case Orphaned(parent, path):
            return store.retrain_parent(lease, meter, parent, path)
        case Lost():
            return False


def _describe_session(this: Attempt) -> dict[str, str]:
    """Say what its session has used: more may follow there, and a loss of writes must not hide it."""
    if this.work.kind == "evaluate" and this.opening.attempt == f"{this.work.stage}|{this.work.attempt}":
        return {}  # it closes its own session
    total = this.opening.usage.plus(this.spending.usage)
    return {"session": this.opening.attempt, "session_usage": compact(total.document())}


def _settle_failure(this: Attempt, fault: Fault, cause: str) -> bool:
    store, lease, meter = this.context.store, this.lease, this.spending.meter
    if fault is Fault.ACCOUNT:
        store.stop_service(find_service(str(this.recipe["model"])), cause)
    match decide(fault, failures=_read_failures(this), chance=this.context.chance):
        case RetryAt(delay):
            return store.give_back(lease, meter, delay=delay, failure=fault, cost="at most", cause=cause)
        case Park(delay):
            return store.give_back(lease, meter, delay=delay, failure="", cost="at most", cause=cause)
        case GiveUp():
            lost = this.losses.document()
            return store.settle(lease, meter, StageState.FAILED, cost="at most", cause=cause, lost=lost)


def _read_failures(this: Attempt) -> Mapping[str, int]:
    """Read the number of failures of each kind since the stage last made progress, in this attempt or before."""
    with suppress(*Away):
        return this.context.store.read_assignment(this.work.stage).failures
    return this.work.failures


def _continue_if_possible(this: Attempt, trainer: Trainer) -> None:
    """Continue with evaluations on the live client; what is not continued will be dispatched."""
    try:
        _continue_on_live_client(this, trainer)
    except Away:
        pass
    except (StoreBug, Refused) as error:
        record_bug(this.context.store, error, this.context.leases.worker, affected=this.work.stage)


def _continue_on_live_client(this: Attempt, trainer: Trainer) -> None:
    """Evaluate what was just trained on the client that is still live: stages of their own, without a new session."""
    context, worker = this.context, this.context.leases.worker
    opening = Opening(this.opening.attempt, this.spending.usage)
    for child in context.store.list_evaluations(this.work.stage):
        if this.held.end_request or context.leases.draining:
            return
        payer, seconds, asked_at = this.work.payer, context.leases.seconds, time.monotonic()
        lease = context.store.continue_on_client(child, sweep=payer, worker=worker, lease=seconds, opening=opening)
        if lease is not None:
            with context.leases.hold(lease, asked_at=asked_at, opened=True) as held:
                used = _evaluate_on_live_client(context, held, trainer, this.reporter, opening)
            if used is None:
                return  # its cost is read from the session, so nothing more may use that session
            opening = Opening(opening.attempt, opening.usage.plus(used))


def _evaluate_on_live_client(
    context: WorkerContext, held: HeldLease, trainer: Trainer, reporter: EventReporter, opening: Opening
) -> Usage | None:
    """Evaluate one stage; return its usage, or None unless it succeeded and counts."""
    try:
        this = load_attempt(context, held, reporter, opening)
    except LeaseLost:
        return None
    with reporter.report_continued(this.work.label) as tell:
        outcome, _ = run_to_outcome(this, lambda: (evaluate(this, trainer.bind(this.note_signal, this.permit)), None))
        stands = conclude(this, outcome)
        tell(outcome)
    return this.spending.usage if stands and isinstance(outcome, Succeeded) else None
