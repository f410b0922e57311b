"""The questions to the service that its documentation leaves open, each asked with a few tokens.

Everything that is opened is closed and everything that is saved is deleted, however it ends; every wait has an end.
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
from worker.sdk.session import AdamSettings, Ending, Session, Trainer

T = TypeVar("T")
ProbeName = Literal["calls", "moments", "finish", "forward", "clients"]

LENGTH = 24  # tokens of a batch: one datum
BEFORE, AFTER = 4, 3  # steps before the checkpoint, and from there on: once without a break, twice resumed
TOKENS = LENGTH * (BEFORE + 3 * AFTER + 2)  # of all questions, at most: one `forward` each asks about bills and ends

RANK = 8
KEPT = 3600  # seconds that the checkpoint would live if it could not be deleted: the least that the service takes
ADAM = AdamSettings(learning_rate=0.01, beta1=0.9, beta2=0.95, eps=1e-8, weight_decay=0.0, grad_clip_norm=0.0)
TELLING = 1e-3  # nats: losses that moments change by less tell nothing
CLEARLY = 4.0  # times nearer to the one than the other is from it

PATIENCE = 180.0  # seconds for one answer
SLOT = 30.0  # seconds after which a client that does not open, while the service answers, waits for a slot
CALL = 20.0  # seconds for a call of the account
LEAVE = 15.0  # seconds for a session to close


def _make_batch(first: int, factor: int) -> ExampleBatch:
    """A datum of small token ids that every vocabulary has: what they spell does not matter."""
    tokens = np.array([first + factor * place * place % 53 for place in range(LENGTH + 1)], np.int32)
    return ExampleBatch([Example(tokens, np.ones(LENGTH, np.float32), 0)], scale=1 / LENGTH)


# Two, so that the gradients turn: where they stay as they are, Adam steps alike with moments and without.
FIRST, SECOND = _make_batch(30, 7), _make_batch(33, 11)


class Probes:
    """The questions, each on sessions of its own that name this inquiry in their metadata."""

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

    def calls(self) -> ProbeAnswer:
        """Which calls the service does not have, each asked about something that is not there: that costs nothing."""
        nothing, now = f"tinker://inquiry-{self.name}/weights/none", datetime.now(UTC)
        hour = now.replace(minute=0, second=0, microsecond=0)
        questions: dict[str, Callable[[], object]] = {
            "search": lambda: self.account.find_sessions({"inquiry": self.name}),
            "ttl": lambda: self.account.extend(nothing, KEPT),
            "delete": lambda: self.account.delete(nothing),
            "checkpoints": lambda: self.account.list_checkpoints(f"inquiry-{self.name}"),
            "usage": lambda: self.account.read_usage(hour - timedelta(hours=1), hour),
        }
        lacking = {call: status for call, ask in questions.items() if (status := _find_lack(ask)) is not None}
        if not lacking:
            return ProbeAnswer("calls", ALL, "it has every call that we have a use for")
        said = "; ".join(f"no `{call}`: so {LACKED[call]}" for call in lacking)
        return ProbeAnswer("calls", " ".join(f"{call}={status}" for call, status in lacking.items()), said)

    def moments(self) -> ProbeAnswer:
        """Train, save, train on; then again from the checkpoint, with the optimizer and, as a control, without."""
        with self.session("moments") as session:
            trainer = self.open_trainer(session)
            with self._nothing_kept(trainer.session_id):
                self._train(trainer, FIRST, BEFORE)
                path = self.wait(trainer.save("inquiry", ttl_seconds=KEPT, metadata={"inquiry": self.name}))
                unbroken = self._train(trainer, SECOND, AFTER)
                _close_session(session, "success")  # where one client is allowed, the next has its place
                resumed, control = (self._resumed(path, optimizer=optimizer) for optimizer in (True, False))
        return judge_moments(unbroken, resumed, control)

    def _resumed(self, path: str, *, optimizer: bool) -> list[float]:
        with self.session("moments") as session:
            return self._train(self.wait(session.restore(path, optimizer=optimizer)), SECOND, AFTER)

    def finish(self) -> ProbeAnswer:
        """Have another process open a session, finish it from here, and see whether that process can go on in it."""
        with self._elsewhere() as (told, go_on):
            session = told()["session"]
            if not self.account.finish(session):
                return ProbeAnswer(
                    "finish", "no", "the service refuses it; sessions of workers that died end by themselves"
                )
            found = self.account.find_sessions({"inquiry": self.name, "asks": "finish"})
            over = any(each.id == session and each.status in FINAL for each in found)
            go_on()
            refused = told()["refused"]
        if refused == "no":
            return ProbeAnswer("finish", "no", "the service accepts it, and the session goes on all the same")
        if refused == "yes" or over:
            return ProbeAnswer("finish", "yes", "sessions of workers that died are finished from here")
        return ProbeAnswer("finish", "unknown", f"the service accepts it, and what came of it is not seen: {refused}")

    def forward(self, pending: PendingBill | None) -> tuple[ProbeAnswer, PendingBill | None]:
        """Look up as what `forward` is billed; nothing is asked for anew while an earlier bill is still to come."""
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
                return ProbeAnswer("forward", "unknown", f"this key may not read the bills: {error}"), None
            return ProbeAnswer("forward", "pending", f"the bills cannot be read now: {error}"), pending
        if kind is None:
            return ProbeAnswer(
                "forward", "pending", "it is not in the bills yet, which lag by hours; ask again"
            ), pending
        return ProbeAnswer("forward", kind, f"its tokens are billed as {kind}"), None

    def clients(self, most: int) -> ProbeAnswer:
        """Open training clients, which costs nothing, until one has to wait or so many are open."""
        with self.session("clients") as session:
            count = 0
            while count < most and self._opens(session):
                count += 1
        if count == 0:
            return ProbeAnswer("clients", "unknown", f"not one opened in {self._slot:g} s, though the service answers")
        if count < most:
            return ProbeAnswer("clients", str(count), f"{count} open at once, and one more waits")
        return ProbeAnswer("clients", f"{count}{MORE}", f"{count} open at once, and no more were tried")

    def _opens(self, session: Session) -> bool:
        """Not within a while, though the service answers: then it waits for a slot, of which the SDK tells nobody."""
        try:
            self.open_trainer(session, seconds=self._slot)
        except ServiceError as error:
            if error.fault is not Fault.OUTAGE or not is_responding(self._endpoint):
                raise
            return False
        return True

    def open_trainer(self, session: Session, seconds: float | None = None) -> Trainer:
        """A fresh adapter."""
        return self.wait(session.create(self.model, rank=RANK, seed=0, layers=ALL_LAYERS), seconds)

    def wait(self, pending: futures.PendingAnswer[T], seconds: float | None = None) -> T:
        """The answer. Raises ServiceError, also when it does not come in time."""
        seconds = self._patience if seconds is None else seconds
        give_up = time.monotonic() + seconds

        def check() -> None:
            if time.monotonic() > give_up:
                raise ServiceError(Fault.OUTAGE, f"no answer from the service in {seconds:g} s")

        return pending.wait(check)

    @contextmanager
    def session(self, asks: ProbeName) -> Iterator[Session]:
        """A session that is closed when the block is left, and waited for until it is."""
        session = Session(lambda: self._endpoint, {"inquiry": self.name, "asks": asks})
        ending: Ending = "interrupted"
        try:
            yield session
            ending = "success"
        finally:
            _close_session(session, ending)

    @contextmanager
    def _nothing_kept(self, session: str) -> Iterator[None]:
        """Delete what was saved in a session when the block is left."""
        try:
            yield
        finally:
            with suppress(ServiceError):  # it expires by itself
                for path in self.account.list_checkpoints(session):
                    self.account.delete(path)

    def _train(self, trainer: Trainer, batch: ExampleBatch, steps: int) -> list[float]:
        """The mean loss of each step, before it is applied."""
        pending = [(trainer.forward_backward(batch), trainer.step(ADAM)) for _ in range(steps)]
        losses = [self.wait(losses) for losses, _ in pending]
        for _, applied in pending:
            self.wait(applied)
        return [-float(np.mean(np.concatenate(each.logprobs))) for each in losses]

    @contextmanager
    def _elsewhere(self) -> "Iterator[tuple[Callable[[], dict[str, str]], Callable[[], None]]]":
        """Another process with a session: what it tells next, and how to have it go on. It ends when we do."""
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

        def told() -> dict[str, str]:
            try:
                line = futures.run_abandonable(speaks.readline).result(self._patience)
                found: dict[str, str] = json.loads(line)
            except (TimeoutError, ValueError):
                raise ServiceError(Fault.OUTAGE, "the other process could not open a session, or went away") from None
            if "error" in found:
                raise ServiceError(Fault.OUTAGE, found["error"])
            return found

        def go_on() -> None:
            hears.write("\n")
            hears.flush()

        try:
            yield told, go_on
        finally:
            with suppress(OSError):
                hears.close()
            with suppress(subprocess.TimeoutExpired):
                process.wait(2 * LEAVE)
            process.kill()
            process.wait()
            speaks.close()


def _find_lack(ask: Callable[[], object]) -> int | None:
    """The status by which the service says that it has no such call; None where it has."""
    try:
        ask()
    except ServiceError as error:
        return (error.status or 404) if error.lacking else None
    return None


def _close_session(session: Session, ending: Ending) -> None:
    with suppress(TimeoutError):  # the SDK hangs: the service drops what is silent
        session.close(ending).result(LEAVE)


def judge_moments(unbroken: Sequence[float], resumed: Sequence[float], control: Sequence[float]) -> ProbeAnswer:
    """Whose losses are those of the resumed run: the uninterrupted one's, or those of a run with cold moments?"""
    off, cold, effect = _distance(resumed, unbroken), _distance(resumed, control), _distance(control, unbroken)
    seen = f"losses differ by {off:.2g} after a resume and by {effect:.2g} without moments"
    if not (math.isfinite(off) and effect >= TELLING):
        return ProbeAnswer("moments", "unknown", f"moments do not show: {seen}")
    if off * CLEARLY <= effect:
        return ProbeAnswer("moments", "yes", f"a resumed run goes on as if it had never stopped: {seen}")
    if cold * CLEARLY <= effect:
        return ProbeAnswer("moments", "no", f"a resumed run begins with cold moments, and is not exact: {seen}")
    return ProbeAnswer("moments", "unknown", f"it is neither with nor without moments: {seen}")


def _distance(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return float(np.max(np.abs(np.subtract(ours, theirs))))  # NaN if any is


def find_billed_kind(account: AccountClient, pending: PendingBill) -> Forward | None:
    """As what the session's tokens are in the bills; None if they are not. Raises ServiceError."""
    hour = pending.since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    used = account.read_usage(hour - timedelta(hours=1), hour + timedelta(hours=3))
    counted = [each.usage for each in used if each.session == pending.session]
    if any(usage.training for usage in counted):
        return "training"
    return "prefill" if counted else None
