"""Try a service with one small training step when its breaker asks for it, and report the verdict.

Opens a session of its own at the service; takes canaries and records verdicts in the store.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from scheduler.engine.breaker import Timing
from scheduler.engine.retry import Fault
from scheduler.services import SERVICES
from scheduler.state.bug_log import NOBODY, record_bug
from scheduler.state.connection import Away
from sweeps.rendering.render import Example
from worker.attempt import WorkerContext
from worker.open_model import ALL_LAYERS, EVALUATION_RANK
from worker.sdk.batches import ExampleBatch
from worker.sdk.client_status import ClientState, ClientStatus
from worker.sdk.endpoints import Endpoint
from worker.sdk.failures import ServiceError
from worker.sdk.health import probe
from worker.sdk.session import AdamStep, Session
from worker.vital_thread import make_vital_thread

LOOK_EVERY = 1.0  # seconds
TOKENS = (1, 2, 3, 4)  # that every model knows
COST = len(TOKENS) - 1  # tokens of training
STILL = AdamStep(learning_rate=0.0, beta1=0.9, beta2=0.95, eps=1e-8, weight_decay=0.0, grad_clip_norm=0.0)

log = logging.getLogger(__name__)


VerdictWord = Literal["healthy", "down", "stopped", "unsure"]


@dataclass(frozen=True)
class Verdict:
    """What a canary found out."""

    word: VerdictWord
    cause: str


FOUND: Mapping[Fault, VerdictWord] = {
    Fault.ACCOUNT: "stopped",
    Fault.STAGE: "healthy",
    Fault.MALFORMED: "healthy",  # the service is reachable; each stage reports what is wrong with its answers
    Fault.MACHINE: "unsure",
    Fault.GONE: "down",
}


class TooLate(Exception):
    """The step was not done in time."""


class Paused(Exception):
    """The service answered that it paused us, so it is reachable."""


class Canaries:
    """Tries a service when its breaker asks for it; one worker of the fleet at a time."""

    def __init__(self, context: WorkerContext, timing: Timing) -> None:
        self._context = context
        self._timing = timing
        self._done = threading.Event()
        self._thread = make_vital_thread("canaries", self._watch)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Start no more canaries; one that is under way runs out."""
        self._done.set()

    def _watch(self) -> None:
        while not self._done.wait(LOOK_EVERY):
            for service in SERVICES:
                try:
                    self.run_due_canary(service)
                except Away as error:
                    log.warning("canaries wait for Redis: %s", error)
                except Exception as error:  # noqa: BLE001 - a bug of ours says nothing about the service; the canary expires
                    record_bug(
                        self._context.store, error, f"canaries of {self._context.leases.worker}", affected=NOBODY
                    )

    def run_due_canary(self, service: str) -> Verdict | None:
        """Run one canary, if one is due."""
        if self._context.leases.draining:
            return None
        store, name = self._context.store, uuid.uuid4().hex
        patience, pace = self._timing.patience, self._timing.pace
        model = store.take_canary(service, name, tokens=COST, patience=patience, pace=pace)
        if not model:
            return None
        metadata = {"fleet": self._context.fleet, "canary": name}
        verdict = try_service(lambda: self._context.endpoint(model), model, metadata, 0.9 * patience)
        state = store.record_canary_result(service, name, verdict.word, verdict.cause, tries=self._timing.tries)
        log.warning("canary at %s: %s (%s); the breaker is now %s", service, verdict.word, verdict.cause, state)
        return verdict


def try_service(endpoint: Callable[[], Endpoint], model: str, metadata: dict[str, str], seconds: float) -> Verdict:
    """Ask for one step within `seconds`; return the verdict, whatever happens."""
    status, give_up = ClientStatus(), time.monotonic() + seconds

    def check() -> None:
        if status.now[0] in (ClientState.QUEUED, ClientState.LIMITED, ClientState.STARVED):
            raise Paused(f"the service answers but has paused us ({status.now[0]})")
        if time.monotonic() > give_up:
            raise TooLate(f"one step was not done within {seconds:.0f} s")

    session = None
    try:
        where = endpoint()
        probe(where, within=seconds / 3)
        session = Session(lambda: where, metadata, on_signal=lambda signal, _: status.note_signal(signal))
        _do_step(session, model, check)
    except Paused as paused:
        return Verdict("healthy", str(paused))
    except TooLate as late:
        return Verdict("down", str(late))
    except ServiceError as error:
        return Verdict(FOUND.get(error.fault) or _judge_status(error.status), str(error))
    finally:
        if session is not None:
            session.close("success")
    return Verdict("healthy", "one step was done")


def _judge_status(status: int | None) -> VerdictWord:
    """Judge an HTTP status: a refusal is an answer too (the model is gone, or we ask too often)."""
    return "healthy" if status is not None and status < 500 and status != 408 else "down"


def _do_step(session: Session, model: str, check: Callable[[], None]) -> None:
    tokens = np.asarray(TOKENS, dtype=np.int32)
    example = Example(tokens=tokens, weights=np.ones(len(tokens) - 1, dtype=np.float32), text_bytes=len(tokens))
    trainer = session.create(model, rank=EVALUATION_RANK, seed=0, layers=ALL_LAYERS).wait(check)
    try:
        losses, applied = trainer.forward_backward(ExampleBatch([example])), trainer.step(STILL)
        losses.wait(check)
        applied.wait(check)
    except ServiceError as error:
        if error.missing:  # other refusals are answers; this one means that the service lost its model
            raise TooLate(f"the model it had just created was gone: {error}") from None
        raise
