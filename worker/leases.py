"""Hold this process's leases, and renew them on one thread.

Each attempt's own clock says when it must stop. It reads and writes leases, worker reports and
signals in the store.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum

from scheduler.engine.breaker import Timing
from scheduler.state.bug_log import record_bug
from scheduler.state.connection import Away
from scheduler.state.store import Lease, Renewal, Store
from worker.sdk.client_status import ClientState, ClientStatus

MARGIN = 0.2  # share of a lease: this close to its end nothing more starts, because fencing cannot stop money
PATIENCE = 0.6  # share of the grace after which an attempt is abandoned, while there is time to report it
TURNED_AWAY = 30.0  # seconds that a new client may wait for others to end before its slot is given back
GOODBYE = 2.0  # seconds for the last call to Redis


class EndRequest(StrEnum):
    """Why an attempt should end at its next step."""

    NOTHING = ""
    CANCEL = "no sweep wants the stage any more"
    YIELD = "the sweep that paid for the stage no longer pays"
    PARK = "parked: the service does not work at the moment"
    LEAVE = "the worker is stopping"


ENDINGS = {"stop": EndRequest.CANCEL, "yield": EndRequest.YIELD, "park": EndRequest.PARK}
"""What the store may answer to a renewal besides held and lost."""


class LeaseLost(Exception):
    """The stage belongs to another attempt, or soon will: write nothing and submit nothing."""


class TimeIsUp(Exception):
    """The attempt was asked to end and did not in time: wait for nothing more."""

    def __init__(self, asked: EndRequest) -> None:
        super().__init__(str(asked))
        self.asked = asked


class TurnedAway(Exception):
    """The service allows no more clients at a time, and no other client has ended for a while."""


class Stalled(Exception):
    """No answer has arrived for too long."""

    def __init__(self, seconds: float, *, answered: bool) -> None:
        super().__init__(f"no answer from the service in {seconds:g} s")
        self.answered = answered  # earlier in this attempt; then the connection is not at fault


class HeldLease:
    """One lease, as its attempt sees it."""

    def __init__(
        self,
        lease: Lease,
        seconds: float,
        stall: float = math.inf,
        *,
        asked_at: float | None = None,
        client_status: ClientStatus | None = None,
    ) -> None:
        """`asked_at` is when the lease was requested (monotonic): the answer may have taken a while."""
        self.lease = lease
        self.client_status = client_status or ClientStatus()
        self.reported = ""  # the client state that the store knows
        self._seconds = seconds
        self._stall = stall
        self._until = (time.monotonic() if asked_at is None else asked_at) + seconds
        self._lost = False
        self._end_by = math.inf
        self._moved = time.monotonic()
        self._heard: float | None = None
        self.end_request = EndRequest.NOTHING

    def check(self) -> None:
        """Raise LeaseLost, TimeIsUp, TurnedAway or Stalled if the attempt may not start or await anything."""
        if self.over:
            raise LeaseLost(self.lease.stage)
        if time.monotonic() > self._end_by:
            raise TimeIsUp(self.end_request)
        state, seconds = self.client_status.now
        if state is ClientState.QUEUED and seconds > TURNED_AWAY:
            raise TurnedAway(f"the service had no room for another client in {seconds:.0f} s")
        if self.quiet > self._stall:
            raise Stalled(self._stall, answered=self._heard is not None)

    def note_answer(self) -> None:
        """Record an answer of the service: the attempt makes progress."""
        self._heard = time.monotonic()
        self.client_status.note_answer()
        self.note_pause()

    def note_pause(self) -> None:
        """Record that the service announced a pause: that is not a stall, however long it lasts."""
        self._moved = time.monotonic()

    def note_own_wait(self) -> None:
        """Record that our own limit holds the attempt back, not the service."""
        self._heard = time.monotonic()
        self.note_pause()

    @property
    def quiet(self) -> float:
        """Seconds since the last sign of progress."""
        return time.monotonic() - self._moved

    @property
    def renewal(self) -> Renewal:
        """What a renewal says of it."""
        heard = None if self._heard is None else time.monotonic() - self._heard
        return Renewal(self.lease, self.quiet, heard, self.client_status.troubled)

    @property
    def over(self) -> bool:
        """Is the lease lost, or so close to its end that nothing more may start?"""
        return self._lost or time.monotonic() > self._until - MARGIN * self._seconds

    def renew(self, asked_at: float) -> None:
        self._until = asked_at + self._seconds

    def lose(self) -> None:
        self._lost = True

    @property
    def lost(self) -> bool:
        """Does the server say that the lease belongs to another attempt?"""
        return self._lost

    def request_end(self, what: EndRequest, *, within: float) -> None:
        """Ask the attempt to end at its next step, and within `within` seconds even in the middle of one."""
        self.end_request = self.end_request or what
        self._end_by = min(self._end_by, time.monotonic() + within)


class Leases:
    """All leases of this worker, and its reports that it is alive."""

    def __init__(
        self,
        store: Store,
        *,
        worker: str,
        threads: int,
        seconds: float,
        grace: float,
        about: dict[str, str | int],
        stall: float = math.inf,
        parking: float = Timing().parking,
    ) -> None:
        self.worker = worker
        self.seconds = seconds
        self._stall = stall
        self._patience = PATIENCE * grace
        self._parking = parking
        self._store = store
        self._threads = threads
        self._about = about
        self._held: dict[Lease, HeldLease] = {}
        self._busy = 0
        self.heard = 0  # messages received
        self._lock = threading.Lock()
        self._leaving = False
        self._wake = threading.Event()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="leases", daemon=True)

    def start(self) -> None:
        """Begin to renew leases and to report the worker as alive."""
        self._thread.start()

    def stop(self) -> None:
        """Sign off; leases still held expire by themselves."""
        self._done.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(GOODBYE)

    def leave(self) -> None:
        """Ask every attempt to end at its next step, and take no new one."""
        with self._lock:
            self._leaving = True
            for held in self._held.values():
                held.request_end(EndRequest.LEAVE, within=self._patience)
        self._wake.set()

    @contextmanager
    def count_thread(self) -> Iterator[None]:
        """Count one thread of the worker as busy with a message."""
        self.heard += 1
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    @contextmanager
    def hold(self, lease: Lease, *, asked_at: float, opened: bool = False) -> Iterator[HeldLease]:
        """Renew a lease while the block runs; `opened` means that its client exists already.

        The block itself must settle the lease or give it back.
        """
        client_status = ClientStatus(self._wake.set, opened=opened)
        held = HeldLease(lease, self.seconds, self._stall, asked_at=asked_at, client_status=client_status)
        with self._lock:
            self._held[lease] = held
            if self._leaving:
                held.request_end(EndRequest.LEAVE, within=0)
        try:
            yield held
        finally:
            with self._lock:
                self._held.pop(lease, None)

    @property
    def busy(self) -> int:
        """Threads that work on a message."""
        return self._busy

    @property
    def free(self) -> int:
        """Threads that could take a message. A thread whose lease is lost hangs, and counts as free."""
        with self._lock:
            return self._threads - self._busy + self._hanging

    @property
    def _hanging(self) -> int:
        return sum(held.lost for held in self._held.values())

    def _count(self, change: int) -> None:
        with self._lock:
            self._busy += change
        self._wake.set()

    def _keep(self) -> None:
        pace = min(self.seconds / 6, 5.0)
        renew_at = 0.0
        while not self._done.is_set():
            now = time.monotonic()
            due = now >= renew_at
            self._run_guarded(self._report)
            self._run_guarded(self._report_states)
            if due:
                renew_at = now + pace
                self._run_guarded(self._renew)
            self._wake.wait(max(0.0, renew_at - time.monotonic()))
            self._wake.clear()
            time.sleep(0.02)  # many threads end at once: send one report for all
        self._run_guarded(lambda: self._store.forget_worker(self.worker))

    def _run_guarded(self, action: Callable[[], None]) -> None:
        """Ignore that Redis is away: each lease's own clock says how long that may last."""
        try:
            action()
        except Away:
            time.sleep(0.2)
        except Exception as error:  # noqa: BLE001 - this thread must not end: all attempts depend on it
            record_bug(self._store, error, self.worker)
            time.sleep(0.2)

    def _report(self) -> None:
        with self._lock:
            threads = 0 if self._leaving else self._threads
            # Hanging threads count as free; otherwise no work would be sent here and the watchdog would see no backlog.
            busy = min(self._busy - self._hanging, threads)
        self._store.report_worker(
            self.worker, threads=threads, busy=busy, ttl=max(3 * self.seconds / 6, 3.0), **self._about
        )

    def _report_states(self) -> None:
        """Pass on each client's state as soon as it changes."""
        for held in self._list_held():
            state, seconds = held.client_status.now
            if state != held.reported and self._store.report_signal(held.lease, state, ago=seconds):
                held.reported = state

    def _list_held(self) -> Sequence[HeldLease]:
        with self._lock:
            return list(self._held.values())

    def _renew(self) -> None:
        mine, asked_at = self._list_held(), time.monotonic()
        answers = self._store.renew([held.renewal for held in mine], lease=self.seconds)
        for held, answer in zip(mine, answers, strict=True):
            if answer == "lost":
                held.lose()
                continue
            held.renew(asked_at)
            if asked := ENDINGS.get(answer):
                # A stage that continues elsewhere gets time for its checkpoint, however long a step takes.
                held.request_end(asked, within=self._allow_time(asked))

    def _allow_time(self, asked: EndRequest) -> float:
        return {EndRequest.CANCEL: self._patience, EndRequest.PARK: self._parking}.get(asked, math.inf)
