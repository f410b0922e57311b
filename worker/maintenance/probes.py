"""Find out what the service's documentation leaves open, with a few tokens per probe.

Opens sessions at the service. Everything opened is closed and everything saved is deleted, however
a probe ends; every wait has a deadline.
"""

import json
import math
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeVar

import numpy as np

from scheduler.engine.retry import Fault
from scheduler.state.service_facts import ALL, LACKED, MORE, PendingBill, ProbeAnswer
from sweeps.cost import Forward
from sweeps.rendering.render import Example
from worker.maintenance.reconcile import FINAL
from worker.open_model import ALL_LAYERS
from worker.sdk import futures
from worker.sdk.batches import ExampleBatch
from worker.sdk.endpoints import Endpoint
from worker.sdk.failures import ServiceError
from worker.sdk.health import is_responding
from worker.sdk.rest import AccountClient
from worker.sdk.session import AdamStep, Ending, Session, Trainer

T = TypeVar("T")
ProbeName = Literal["calls", "moments", "finish", "forward", "clients"]

LENGTH = 24  # tokens of a batch: one datum
BEFORE, AFTER = 4, 3  # steps before the checkpoint and after it; the latter once without a break and twice resumed
TOKENS = LENGTH * (BEFORE + 3 * AFTER + 2)  # of all probes, at most: those of bills and endings send a `forward` each

RANK = 8
KEPT = 3600  # seconds that the checkpoint lives if it cannot be deleted: the least that the service accepts
ADAM = AdamStep(learning_rate=0.01, beta1=0.9, beta2=0.95, eps=1e-8, weight_decay=0.0, grad_clip_norm=0.0)
TELLING = 1e-3  # nats: a smaller effect of the moments shows nothing
CLEARLY = 4.0  # required ratio of the two distances

PATIENCE = 180.0  # seconds for one answer
SLOT = 30.0  # seconds after which a client that does not open, at a service that answers, waits for a slot
CALL = 20.0  # seconds for a call of the account
LEAVE = 15.0  # seconds for a session to close


def _make_batch(first: int, factor: int) -> ExampleBatch:
    """Return a datum of small token ids that every vocabulary has; the text does not matter."""
    tokens = np.array([first + factor * place * place % 53 for place in range(LENGTH + 1)], np.int32)
    return ExampleBatch([Example(tokens, np.ones(LENGTH, np.float32), 0)], scale=1 / LENGTH)


# Two batches, so that the gradient changes: with a constant gradient, Adam steps alike with moments and without.
FIRST, SECOND = _make_batch(30, 7), _make_batch(33, 11)


class Probes:
    """The probes, each in sessions of its own whose metadata name this run."""

    def __init__(
        self,
        endpoint: Endpoint,
        model: str,
        *,
        name: str | None = None,
        patience: float = PATIENCE,
        slot: float = SLOT,
    ) -> None:
        self.model = model
        self.name = name or uuid.uuid4().hex
        self.account = AccountClient(endpoint, deadline=min(patience, CALL))
        self._endpoint = endpoint
        self._patience = patience
        self._slot = slot

    def probe_calls(self) -> ProbeAnswer:
        """Find the calls that the service lacks by asking about things that do not exist, which costs nothing."""
        nothing, now = f"tinker://probe-{self.name}/weights/none", datetime.now(UTC)
        hour = now.replace(minute=0, second=0, microsecond=0)
        questions: dict[str, Callable[[], object]] = {
            "search": lambda: self.account.find_sessions({"probe": self.name}),
            "ttl": lambda: self.account.extend(nothing, KEPT),
            "delete": lambda: self.account.delete(nothing),
            "checkpoints": lambda: self.account.list_checkpoints(f"probe-{self.name}"),
            "usage": lambda: self.account.read_usage(hour - timedelta(hours=1), hour),
        }
        lacking = {call: status for call, ask in questions.items() if (status := _find_lack(ask)) is not None}
        if not lacking:
            return ProbeAnswer("calls", ALL, "the service has every call that we use")
        summary = "; ".join(f"no `{call}`: {LACKED[call]}" for call in lacking)
        return ProbeAnswer("calls", " ".join(f"{call}={status}" for call, status in lacking.items()), summary)

    def probe_moments(self) -> ProbeAnswer:
        """Train, save and train on; then repeat from the checkpoint with the optimizer and, as a control, without."""
        with self.session("moments") as session:
            trainer = self.open_trainer(session)
            with self._delete_saved(trainer.session_id):
                self._train(trainer, FIRST, BEFORE)
                path = self.wait(trainer.save("probe", ttl_seconds=KEPT, metadata={"probe": self.name}))
                unbroken = self._train(trainer, SECOND, AFTER)
                _close_session(session, "success")  # where one client is allowed, the next has its place
                resumed, control = (self._train_resumed(path, optimizer=optimizer) for optimizer in (True, False))
        return judge_moments(unbroken, resumed, control)

    def _train_resumed(self, path: str, *, optimizer: bool) -> list[float]:
        with self.session("moments") as session:
            return self._train(self.wait(session.restore(path, optimizer=optimizer)), SECOND, AFTER)

    def probe_finish(self) -> ProbeAnswer:
        """Have another process open a session, finish it from here, and check whether that process can still use it."""
        with self._run_other_process() as (read_message, go_on):
            session = read_message()["session"]
            if not self.account.finish(session):
                return ProbeAnswer("finish", "no", "the service refuses it; sessions of dead workers end by themselves")
            sessions = self.account.find_sessions({"probe": self.name, "asks": "finish"})
            over = any(other.id == session and other.status in FINAL for other in sessions)
            go_on()
            refused = read_message()["refused"]
        if refused == "no":
            return ProbeAnswer("finish", "no", "the service accepts it, but the session continues")
        if refused == "yes" or over:
            return ProbeAnswer("finish", "yes", "another process can finish sessions of dead workers")
        return ProbeAnswer("finish", "unknown", f"the service accepts it, but the effect is unknown: {refused}")

    def probe_forward(self, pending: PendingBill | None) -> tuple[ProbeAnswer, PendingBill | None]:
        """Find how `forward` is billed; send nothing new while an earlier bill is pending."""
        if pending is None:
            began = datetime.now(UTC)
            with self.session("forward") as session:
                trainer = self.open_trainer(session)
                self.wait(trainer.forward(FIRST))
            pending = PendingBill(trainer.session_id, self.model, began)
        try:
            kind = find_billed_kind(self.account, pending)
        except ServiceError as error:
            if error.missing or error.fault is Fault.ACCOUNT:
                return ProbeAnswer("forward", "unknown", f"this API key may not read usage: {error}"), None
            return ProbeAnswer("forward", "pending", f"the bills cannot be read now: {error}"), pending
        if kind is None:
            return ProbeAnswer(
                "forward", "pending", "it is not billed yet (bills lag by hours); probe again later"
            ), pending
        return ProbeAnswer("forward", kind, f"`forward` is billed as {kind}"), None

    def probe_clients(self, most: int) -> ProbeAnswer:
        """Open training clients, which costs nothing, until one has to wait or `most` are open."""
        with self.session("clients") as session:
            count = 0
            while count < most and self._opens(session):
                count += 1
        if count == 0:
            return ProbeAnswer(
                "clients", "unknown", f"no client opened in {self._slot:g} s, although the service answers"
            )
        if count < most:
            return ProbeAnswer("clients", str(count), f"{count} open at once; one more has to wait")
        return ProbeAnswer("clients", f"{count}{MORE}", f"{count} open at once; no more were tried")

    def _opens(self, session: Session) -> bool:
        """Does another client open? Not within a while, at a service that answers, means that it waits for a slot."""
        try:
            self.open_trainer(session, seconds=self._slot)
        except ServiceError as error:
            if error.fault is not Fault.OUTAGE or not is_responding(self._endpoint):
                raise
            return False
        return True

    def open_trainer(self, session: Session, seconds: float | None = None) -> Trainer:
        """Open a fresh adapter."""
        return self.wait(session.create(self.model, rank=RANK, seed=0, layers=ALL_LAYERS), seconds)

    def wait(self, pending: futures.PendingAnswer[T], seconds: float | None = None) -> T:
        """Return the answer. Raises ServiceError, also if it does not arrive in time."""
        seconds = self._patience if seconds is None else seconds
        give_up = time.monotonic() + seconds

        def check() -> None:
            if time.monotonic() > give_up:
                raise ServiceError(Fault.OUTAGE, f"no answer from the service in {seconds:g} s")

        return pending.wait(check)

    @contextmanager
    def session(self, asks: ProbeName) -> Iterator[Session]:
        """Open a session, and close it at the end of the block."""
        session = Session(lambda: self._endpoint, {"probe": self.name, "asks": asks})
        ending: Ending = "interrupted"
        try:
            yield session
            ending = "success"
        finally:
            _close_session(session, ending)

    @contextmanager
    def _delete_saved(self, session: str) -> Iterator[None]:
        """Delete what was saved in a session at the end of the block."""
        try:
            yield
        finally:
            with suppress(ServiceError):  # otherwise it expires by itself
                for path in self.account.list_checkpoints(session):
                    self.account.delete(path)

    def _train(self, trainer: Trainer, batch: ExampleBatch, steps: int) -> list[float]:
        """Return the mean loss of each step, before the step is applied."""
        pending = [(trainer.forward_backward(batch), trainer.step(ADAM)) for _ in range(steps)]
        losses = [self.wait(losses) for losses, _ in pending]
        for _, applied in pending:
            self.wait(applied)
        return [-float(np.mean(np.concatenate(result.logprobs))) for result in losses]

    @contextmanager
    def _run_other_process(self) -> "Iterator[tuple[Callable[[], dict[str, str]], Callable[[], None]]]":
        """Run another process with a session; yield functions to read its next message and to let it continue."""
        command = [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "worker.maintenance.probe_main",
            self.model,
            "--open",
            self.name,
        ]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdin is not None
        assert process.stdout is not None
        speaks, hears = process.stdout, process.stdin

        def read_message() -> dict[str, str]:
            try:
                line = futures.run_abandonable(speaks.readline).result(self._patience)
                answer: dict[str, str] = json.loads(line)
            except (TimeoutError, ValueError):
                raise ServiceError(Fault.OUTAGE, "the other process could not open a session, or ended") from None
            if "error" in answer:
                raise ServiceError(Fault.OUTAGE, answer["error"])
            return answer

        def go_on() -> None:
            hears.write("\n")
            hears.flush()

        try:
            yield read_message, go_on
        finally:
            with suppress(OSError):
                hears.close()
            with suppress(subprocess.TimeoutExpired):
                process.wait(2 * LEAVE)
            process.kill()
            process.wait()
            speaks.close()


def _find_lack(ask: Callable[[], object]) -> int | None:
    """Return the status with which the service says that it lacks a call; None if it has it."""
    try:
        ask()
    except ServiceError as error:
        return (error.status or 404) if error.lacking else None
    return None


def _close_session(session: Session, ending: Ending) -> None:
    with suppress(TimeoutError):  # the SDK hangs; the service drops silent sessions
        session.close(ending).result(LEAVE)


def judge_moments(unbroken: Sequence[float], resumed: Sequence[float], control: Sequence[float]) -> ProbeAnswer:
    """Compare the resumed run's losses with the uninterrupted run's and with a run without moments."""
    off, cold, effect = (
        _compare(resumed, unbroken),
        _compare(resumed, control),
        _compare(control, unbroken),
    )
    seen = f"losses differ by {off:.2g} after a resume and by {effect:.2g} without moments"
    if not (math.isfinite(off) and effect >= TELLING):
        return ProbeAnswer("moments", "unknown", f"moments have no visible effect: {seen}")
    if off * CLEARLY <= effect:
        return ProbeAnswer("moments", "yes", f"a resumed run continues exactly: {seen}")
    if cold * CLEARLY <= effect:
        return ProbeAnswer("moments", "no", f"a resumed run starts without moments and is not exact: {seen}")
    return ProbeAnswer("moments", "unknown", f"the resumed run matches neither case: {seen}")


def _compare(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return float(np.max(np.abs(np.subtract(ours, theirs))))  # NaN if any is


def find_billed_kind(account: AccountClient, pending: PendingBill) -> Forward | None:
    """Return as what the session's tokens are billed; None if they are not billed yet. Raises ServiceError."""
    hour = pending.since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    used = account.read_usage(hour - timedelta(hours=1), hour + timedelta(hours=3))
    counted = [usage.usage for usage in used if usage.session == pending.session]
    if any(usage.training for usage in counted):
        return "training"
    return "prefill" if counted else None
