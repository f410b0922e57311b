"""The life of an attempt: claim → open → train or evaluate → settle → go on with what can start from here.

However an attempt ends, it ends as an `Outcome`; `conclude` is the only place that tells the store.
"""

import json
import time
from collections.abc import Callable
from contextlib import suppress

from scheduler.connection import RedisError
from scheduler.errors import ArtefactError, SchedulerError
from scheduler.retry import Fault, GiveUp, Park, RetryAt, decide
from scheduler.states import StageState
from scheduler.store import Lease
from sweeps.errors import SweepsError
from worker.attempt import Attempt, Hands, Narrator, Spending, stopped
from worker.evaluate import evaluate
from worker.leases import HeldLease, LeaseLost, TimeIsUp
from worker.outcome import Failed, Lost, Outcome, Stopped, Succeeded, Unfit
from worker.service import Ending, ServiceError, Session, Trainer
from worker.train import train


def attempt(hands: Hands, stage: str, number: int, narrator: Narrator) -> Outcome | None:
    """Attempt a stage, then the evaluations that its live model allows. None if the nudge was not the current one."""
    with hands.leases.thread():
        lease = hands.store.claim(stage, attempt=number, worker=hands.leases.worker, lease=hands.leases.seconds)
        return None if lease is None else _run(hands, lease, narrator)


def _run(hands: Hands, lease: Lease, narrator: Narrator) -> Outcome:
    with hands.leases.holding(lease) as held:
        this = _attempt(hands, held, narrator)
        session = _session(this)
        outcome, trainer = _perform(this, session)
        conclude(this, outcome)
    if trainer is not None and isinstance(outcome, Succeeded):
        with suppress(RedisError):  # what is not adopted will be dispatched
            _go_on(this, trainer)
    session.close(_ended(outcome))
    return outcome


def _ended(outcome: Outcome) -> Ending:
    if isinstance(outcome, Succeeded):
        return "success"
    return "errored" if isinstance(outcome, Failed) else "interrupted"


def _attempt(hands: Hands, held: HeldLease, narrator: Narrator) -> Attempt:
    work = hands.store.assignment(held.lease.stage)
    return Attempt(hands, held, work, Spending(work.rate), narrator)


def _session(this: Attempt) -> Session:
    work = this.work
    metadata = {"sweep": work.payer, "stage": work.stage, "attempt": str(work.attempt)}
    return Session(lambda: this.hands.endpoint(str(work.recipe["model"])), metadata)


def _perform(this: Attempt, session: Session) -> tuple[Outcome, Trainer | None]:
    if this.work.kind == "evaluate":
        return settled(this, lambda: (evaluate(this, session), None))
    return settled(this, lambda: train(this, session))


def settled(this: Attempt, work: Callable[[], tuple[Outcome, Trainer | None]]) -> tuple[Outcome, Trainer | None]:
    """Do the work; every way in which it can end comes out as a value."""
    try:
        _see_that_results_can_be_kept(this)
        return work()
    except LeaseLost:
        return Lost(), None
    except TimeIsUp as up:
        return stopped(up.asked), None
    except Exception as error:  # noqa: BLE001 - a bug of ours must end as an outcome too, and be seen as one
        return _failed(this, error), None


def _see_that_results_can_be_kept(this: Attempt) -> None:
    """Before any money is spent: a full disk must not let every stage be paid for, and its result be lost."""
    this.keep("attempt.json", json.dumps({"attempt": this.work.attempt, "worker": this.hands.leases.worker}).encode())


def _failed(this: Attempt, error: Exception) -> Failed:
    match error:
        case ServiceError():
            return Failed(error.fault, str(error))
        case RedisError():
            return Failed(Fault.SERVICE, f"Redis could not be told how far it was: {error}")
        case ArtefactError():  # the disk, not the stage; but what it was paid for must not be repeated without end
            return Failed(Fault.UNKNOWN if this.spending.tokens else Fault.ACCOUNT, str(error))
        case Unfit() | SweepsError() | SchedulerError():
            return Failed(Fault.STAGE, str(error))
        case _:
            return Failed(Fault.UNKNOWN, f"{type(error).__name__}: {error}")


def conclude(this: Attempt, outcome: Outcome) -> None:
    """Tell the store how it ended. While Redis is away, or full, it is told again until the lease would be over."""
    give_up = time.monotonic() + this.hands.leases.seconds
    while True:
        try:
            return _tell(this, outcome)
        except RedisError:
            if this.held.over or time.monotonic() > give_up:
                return None
            time.sleep(0.5)


def _tell(this: Attempt, outcome: Outcome) -> None:
    store, lease, meter = this.hands.store, this.lease, this.spending.meter
    match outcome:
        case Succeeded(result, steps):
            document = json.dumps(dict(result), allow_nan=False)
            store.settle(lease, meter, StageState.SUCCEEDED, result=document, steps=steps, cause="")
        case Stopped(cancelled=True, cause=cause):
            store.settle(lease, meter, StageState.CANCELLED, cause=cause)
        case Stopped(cause=cause):
            store.give_back(lease, meter, delay=0, charged=False, cause=cause)
        case Failed(fault, cause):
            _tell_failure(this, fault, cause)
        case Lost():
            pass


def _tell_failure(this: Attempt, fault: Fault, cause: str) -> None:
    store, lease, meter, work = this.hands.store, this.lease, this.spending.meter, this.work
    match decide(fault, failures=work.failures, attempt=work.attempt, chance=this.hands.chance):
        case RetryAt(delay, charged):
            store.give_back(lease, meter, delay=delay, charged=charged, cause=cause)
        case Park(delay):
            store.give_back(lease, meter, delay=delay, charged=False, cause=cause)
        case GiveUp():
            store.settle(lease, meter, StageState.FAILED, cause=cause)


def _go_on(this: Attempt, trainer: Trainer) -> None:
    """Evaluate what was just trained on the client that is still live: stages of their own, with no new session."""
    hands = this.hands
    for child in hands.store.evaluations_of(this.work.stage):
        if this.held.asked:
            return
        lease = hands.store.adopt(child, sweep=this.work.payer, worker=hands.leases.worker, lease=hands.leases.seconds)
        if lease is not None:
            _adopted(hands, lease, trainer, this.narrator)


def _adopted(hands: Hands, lease: Lease, trainer: Trainer, narrator: Narrator) -> None:
    with hands.leases.holding(lease) as held:
        this = _attempt(hands, held, narrator)
        with narrator.adopted(this.work.label) as tell:
            outcome, _ = settled(this, lambda: (evaluate(this, trainer), None))
            conclude(this, outcome)
            tell(outcome)
