"""A night under a clock of its own: the real verbs, tick, admission and limits; workers and service are played.

The service works in clock cycles: what was asked for before one begins is done when it ends. It lets so many clients be
open at a time; a creation beyond that queues, and is told so. It can be away. The workers do what worker/ does, step by
step: claim, open, train, checkpoint, settle, close; renew every five seconds, and obey what they are told.
"""

import json
import random
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from scheduler.engine.breaker import Timing
from scheduler.engine.capacity import Bounds
from scheduler.engine.dispatch import Nudges
from scheduler.engine.tick import TickLimits, tick
from scheduler.state import keys
from scheduler.state.states import StageState
from scheduler.state.store import Assignment, Hold, Lease, Meter, Renewal, Store
from sweeps.stage import Json
from tests.scheduler.plans import COST, MODEL
from tests.support import FakeClock
from worker.held_lease import TURNED_AWAY

CYCLE = 10.0  # seconds, as the service's documentation has it
BEAT = 5.0  # seconds of the night in one beat of the simulation
RENEWAL = 5.0
LEASE = 60.0
WORKERS, THREADS = 4, 64
TIMING = Timing()
LONG_POLL = 4.0  # seconds after which a client that is queued hears of it
NOTHING_HEARD = 600.0  # seconds after which the service gives up a session that sends no sign of life


class Post(Nudges):
    """Nudges, kept for the workers to take."""

    def __init__(self) -> None:
        self.sent: deque[tuple[str, int]] = deque()

    def send(self, stage: str, attempt: int, label: str) -> bool:  # noqa: ARG002 - as in Nudges
        self.sent.append((stage, attempt))
        return True

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Client:
    """One attempt's client, as the service sees it."""

    open: bool = False
    passed_over: float | None = None  # since when it queues


@dataclass
class Service:
    """The far side."""

    cap: int
    clients: list[Client] = field(default_factory=list)  # in order of arrival
    away: Callable[[float], bool] = lambda _: False

    @property
    def active(self) -> int:
        return sum(client.open for client in self.clients)

    def cycle(self, now: float) -> None:
        """Let in whoever has come meanwhile, as far as there is room; the others queue."""
        for client in self.clients:
            if client.open:
                continue
            if self.active < self.cap:
                client.open = True
            elif client.passed_over is None:
                client.passed_over = now

    @property
    def queued(self) -> int:
        return sum(not client.open and client.passed_over is not None for client in self.clients)

    def close(self, client: Client) -> None:
        if client in self.clients:
            self.clients.remove(client)


@dataclass
class Attempt:
    """One at work."""

    lease: Lease
    work: Assignment
    client: Client
    began: float
    step: int
    saved: int
    client_state: str = "opening"
    queued_since: float | None = None
    heard: float | None = None
    quiet_since: float = 0.0
    asked: Hold = "held"
    asked_at: float = 0.0


@dataclass
class Seen:
    """What is looked at each beat."""

    at: float
    active: int
    queued: int
    limit: int
    cap: int
    waiting: int  # stages that could start


class Night:
    """The whole of it. `steps` says how long a stage is, `every` how often it saves."""

    def __init__(
        self,
        store: Store,
        clock: FakeClock,
        service: Service,
        *,
        steps: Callable[[str], int],
        every: int = 4,
    ) -> None:
        self.store, self.clock, self.service = store, clock, service
        self.limits = TickLimits(Bounds(floor=1, ceiling=500), stall=1e9)
        self.post = Post()
        self.attempts: list[Attempt] = []
        self.seen: list[Seen] = []
        self.repeated: Counter[str] = Counter()  # steps done again
        self.done: list[str] = []
        self.workers_are_up = True
        self.began = clock.now
        self._steps, self._every = steps, every
        self._far: dict[str, int] = {}  # how far each stage has ever come
        self._canary: tuple[str, float] | None = None
        self._next_cycle, self._next_renewal = CYCLE, RENEWAL

    @property
    def now(self) -> float:
        """Seconds since it began."""
        return (self.clock.now - self.began) / 1000

    def until(self, over: Callable[[], bool], *, seconds: float) -> None:
        """Play on until it is so. Raises AssertionError where it does not come in time."""
        give_up = self.now + seconds
        while not over():
            assert self.now < give_up, f"not within {seconds:.0f} s of the night"
            self.beat()

    def play(self, seconds: float) -> None:
        """Play on for so long."""
        end = self.now + seconds
        self.until(lambda: self.now >= end, seconds=seconds + BEAT)

    def beat(self) -> None:
        self._report_workers()
        tick(self.store, self.post, self.limits)
        self._take_nudges()
        if self.now >= self._next_cycle:
            self._next_cycle += CYCLE
            if not self.service.away(self.now):
                self._cycle()
        self._follow_signs()
        if self.now >= self._next_renewal:
            self._next_renewal += RENEWAL
            self._renew()
        self._obey()
        self._try_canary()
        self._look()
        self.clock.pass_seconds(BEAT)

    # The workers.

    def _report_workers(self) -> None:
        """Each has as many attempts as the others, or one more."""
        for number in range(WORKERS):
            if self.workers_are_up:
                busy = (len(self.attempts) + WORKERS - 1 - number) // WORKERS
                self.store.report_worker(f"w{number}", threads=THREADS, busy=busy, ttl=1e6)
            else:
                self.store.forget_worker(f"w{number}")

    def _take_nudges(self) -> None:
        while self.post.sent:
            stage, number = self.post.sent.popleft()
            lease = self.store.claim(stage, attempt=number, worker="w", lease=LEASE)
            if lease is not None:
                work = self.store.read_assignment(stage)
                step = int(str(work.checkpoint["step"])) if work.checkpoint else 0
                self.repeated[stage] += max(0, self._far.get(stage, 0) - step)
                client = Client()
                self.service.clients.append(client)
                self.attempts.append(Attempt(lease, work, client, self.now, step, step, quiet_since=self.now))

    def _cycle(self) -> None:
        open_before = [attempt for attempt in self.attempts if attempt.client.open]
        self.service.cycle(self.now)
        for attempt in open_before:
            self._step(attempt)

    def _step(self, this: Attempt) -> None:
        this.step += 1
        this.heard = this.quiet_since = self.now
        self._far[this.work.stage] = max(self._far.get(this.work.stage, 0), this.step)
        if this.step >= self._steps(this.work.stage):
            document = json.dumps({"metrics": {"nll": 1.0}})
            done = self.store.settle(
                this.lease, Meter(COST, COST), StageState.SUCCEEDED, cost="exact", result=document, cause=""
            )
            if done:
                self.done.append(this.work.stage)
            self._end(this)
        elif this.step % self._every == 0 and self._save(this):
            this.saved = this.step

    def _save(self, this: Attempt) -> bool:
        path = f"{this.work.stage}/{this.work.attempt}/{this.step}"
        document: dict[str, Json] = {"path": path, "model": MODEL, "step": this.step, "micro_usd": 0}
        return self.store.commit_checkpoint(this.lease, Meter(0, 0), document)

    def _follow_signs(self) -> None:
        for attempt in self.attempts:
            client_state = self._find_client_state(attempt)
            if client_state == attempt.client_state:
                continue
            attempt.client_state = client_state
            self.store.report_signal(attempt.lease, client_state, ago=0)
            if client_state == "queued":
                attempt.queued_since = self.now
            if client_state == "active":
                attempt.heard = attempt.quiet_since = self.now
        for attempt in list(self.attempts):
            if (
                attempt.client_state == "queued"
                and attempt.queued_since is not None
                and self.now - attempt.queued_since > TURNED_AWAY
            ):
                self._give_back(attempt, "turned away")

    def _find_client_state(self, this: Attempt) -> str:
        """What it was told last; while the service is away, nothing new."""
        if self.service.away(self.now):
            return this.client_state
        if this.client.open:
            return "active"
        passed = this.client.passed_over
        return "queued" if passed is not None and self.now - passed >= LONG_POLL else this.client_state

    def _renew(self) -> None:
        renewals = [self._make_renewal(attempt) for attempt in self.attempts]
        for attempt, answer in zip(list(self.attempts), self.store.renew(renewals, lease=LEASE), strict=True):
            if answer != "held" and attempt.asked == "held":
                attempt.asked, attempt.asked_at = answer, self.now
            if answer == "lost":
                self._end(attempt)

    def _make_renewal(self, this: Attempt) -> Renewal:
        heard = None if this.heard is None else self.now - this.heard
        quiet = 0.0 if this.client_state == "queued" else self.now - this.quiet_since
        return Renewal(this.lease, quiet, heard, troubled=self.service.away(self.now))

    def _obey(self) -> None:
        """A last checkpoint, if the service still makes one; else the one before, when the time for it is over."""
        for attempt in list(self.attempts):
            if attempt.asked in ("yield", "park") and not self.service.away(self.now):
                if attempt.step > attempt.saved:
                    self._save(attempt)
                self._give_back(attempt, attempt.asked)
            elif attempt.asked in ("park", "stop") and self.now - attempt.asked_at > TIMING.parking:
                self._give_back(attempt, attempt.asked)

    def _give_back(self, this: Attempt, cause: str) -> None:
        self.store.give_back(this.lease, Meter(0, 0), delay=0, failure="", cost="exact", cause=cause)
        self._end(this)

    def _end(self, this: Attempt) -> None:
        if this in self.attempts:
            self.attempts.remove(this)
        self.service.close(this.client)
        self.store.free_slot(this.work.lane, this.work.slot)

    def _try_canary(self) -> None:
        """As the canary does: one that is away fails it in ten seconds, one that is there needs two cycles."""
        if self._canary is not None:
            name, due = self._canary
            if self.now >= due:
                word = "down" if self.service.away(self.now) else "healthy"
                self.store.record_canary_result("offline", name, word, "as it was found", tries=TIMING.tries)
                self._canary = None
            return
        name = f"canary at {self.now}"
        if self.store.take_canary("offline", name, tokens=3, patience=TIMING.patience, pace=TIMING.pace):
            self._canary = name, self.now + (10 if self.service.away(self.now) else 2 * CYCLE)

    def kill_the_workers(self) -> None:
        """They are gone, and say nothing; the service gives their sessions up."""
        for attempt in self.attempts:
            self.service.close(attempt.client)
        self.attempts.clear()

    # What is looked at.

    def taken(self) -> int:
        """Slots that nobody can have who comes now."""
        client: Any = self.store.client
        return int(client.zcount(keys.slots("offline/training"), f"({self.clock.now}", "+inf"))

    def charged(self) -> list[str]:
        """Failures that were counted against any stage."""
        stages = [stage for state in StageState for stage in self.store.client.zrange(keys.state(state), 0, -1)]
        rows = ((stage, self.store.client.hgetall(keys.stage(stage))) for stage in stages)
        return [f"{stage} {field}" for stage, row in rows for field in row if field.startswith("failed:")]

    def _look(self) -> None:
        client = self.store.client
        self.seen.append(
            Seen(
                at=self.now,
                active=self.service.active,
                queued=self.service.queued,
                limit=int(client.hget(keys.LIMITS, "offline/training") or 0),
                cap=self.service.cap,
                waiting=client.zcard(keys.state(StageState.READY)),
            )
        )

    def between(self, start: float, end: float = 1e12) -> list[Seen]:
        """What was seen while there was more to do than could be done."""
        return [sighting for sighting in self.seen if start <= sighting.at < end and sighting.waiting]


def occupancy(seen: Iterable[Seen]) -> float:
    """The mean share of the cap that was used."""
    shares = [sighting.active / sighting.cap for sighting in seen]
    return sum(shares) / len(shares)


def percentile(values: Iterable[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def lengths(seed: int, least: int = 5, most: int = 16) -> Callable[[str], int]:
    """Steps of each stage, as various as in a real sweep."""
    return lambda stage: random.Random(f"{seed} {stage}").randint(least, most)
