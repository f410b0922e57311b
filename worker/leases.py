"""The leases that this process holds: one thread renews them all, and each attempt's own clock distrusts them."""

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

MARGIN = 0.2  # of a lease: this close to its end nothing more is started, for fencing cannot stop money
PATIENCE = 0.6  # of the grace: what has not come to its end by then is abandoned, while there is time to say so
TURNED_AWAY = 30.0  # seconds for which a creation may wait for others to end before its slot is given back
GOODBYE = 2.0  # seconds for the last word to Redis


class EndRequest(StrEnum):
    """Why an attempt should come to its end at the next step."""

    NOTHING = ""
    CANCEL = "no sweep wants it any more"
    YIELD = "the sweep that paid for it pays no more"
    PARK = "the service cannot be worked with: parked until it can"
    LEAVE = "the worker is stopping"


ENDINGS = {"stop": EndRequest.CANCEL, "yield": EndRequest.YIELD, "park": EndRequest.PARK}
"""What the store answers to a renewal, beyond that it is held or lost."""


class LeaseLost(Exception):
    """The stage belongs to somebody else now, or soon will: write nothing, submit nothing."""


class TimeIsUp(Exception):
    """Asked to end, the attempt could not within the time for it: wait for nothing more. The message is why."""

    def __init__(self, asked: EndRequest) -> None:
        super().__init__(str(asked))
        self.asked = asked


class TurnedAway(Exception):
    """The service lets us have no more clients at a time, and none of the others has ended for a while."""


class Stalled(Exception):
    """No answer has come for too long. The message says for how long."""

    def __init__(self, seconds: float, *, answered: bool) -> None:
        super().__init__(f"no answer from the service in {seconds:g} s")
        self.answered = answered  # before, in this attempt: then it is not the way to the service that is at fault


class HeldLease:
    """One lease, as the attempt sees it."""

    def __init__(
        self,
        lease: Lease,
        seconds: float,
        stall: float = math.inf,
        *,
        asked_at: float | None = None,
        client_status: ClientStatus | None = None,
    ) -> None:
        """`asked_at` is when it was asked for (monotonic): on the way to the answer time may have passed."""
        self.lease = lease
        self.client_status = client_status or ClientStatus()
        self.reported = ""  # the sign that the store knows of
        self._seconds = seconds
        self._stall = stall
        self._until = (time.monotonic() if asked_at is None else asked_at) + seconds
        self._lost = False
        self._end_by = math.inf
        self._moved = time.monotonic()
        self._heard: float | None = None
        self.end_request = EndRequest.NOTHING

    def check(self) -> None:
        """Raise LeaseLost, TimeIsUp, TurnedAway or Stalled unless it is right to begin something or to wait on."""
        if self.over:
            raise LeaseLost(self.lease.stage)
        if time.monotonic() > self._end_by:
            raise TimeIsUp(self.end_request)
        sign, seconds = self.client_status.now
        if sign is ClientState.QUEUED and seconds > TURNED_AWAY:
            raise TurnedAway(f"the service had no room for another client in {seconds:.0f} s")
        if self.quiet > self._stall:
            raise Stalled(self._stall, answered=self._heard is not None)

    def note_answer(self) -> None:
        """The service did something for us: the attempt gets on."""
        self._heard = time.monotonic()
        self.client_status.note_answer()
        self.note_pause()

    def note_pause(self) -> None:
        """The service is there, and says that it has paused us: that is no stall, however long it takes."""
        self._moved = time.monotonic()

    def note_own_wait(self) -> None:
        """It is our own limit that holds it back, and not the service."""
        self._heard = time.monotonic()
        self.note_pause()

    @property
    def quiet(self) -> float:
        """Seconds since anything was heard."""
        return time.monotonic() - self._moved

    @property
    def pulse(self) -> Renewal:
        """What a renewal says of it."""
        heard = None if self._heard is None else time.monotonic() - self._heard
        return Renewal(self.lease, self.quiet, heard, self.client_status.troubled)

    @property
    def over(self) -> bool:
        """Is it lost, or so nearly that nothing more should be begun?"""
        return self._lost or time.monotonic() > self._until - MARGIN * self._seconds

    def renewed(self, asked_at: float) -> None:
        self._until = asked_at + self._seconds

    def lose(self) -> None:
        self._lost = True

    @property
    def lost(self) -> bool:
        """Does the server say that it is another's?"""
        return self._lost

    def request_end(self, what: EndRequest, *, within: float) -> None:
        """Come to an end at the next step, and in `within` seconds even from the midst of one."""
        self.end_request = self.end_request or what
        self._end_by = min(self._end_by, time.monotonic() + within)


class Leases:
    """All leases of this worker, and its sign of life."""

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
        self.heard = 0  # nudges received
        self._lock = threading.Lock()
        self._leaving = False
        self._wake = threading.Event()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="leases", daemon=True)

    def start(self) -> None:
        """Begin to renew, and to say that the worker lives."""
        self._thread.start()

    def stop(self) -> None:
        """Say goodbye; leases still held run out by themselves."""
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
        """Count one thread of the worker as busy with a nudge."""
        self.heard += 1
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    @contextmanager
    def hold(self, lease: Lease, *, asked_at: float, opened: bool = False) -> Iterator[HeldLease]:
        """Renew a lease for as long as the block runs; `opened` with a client that is there already.

        It is the block's part to settle or give back.
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
        """Threads that work on a nudge."""
        return self._busy

    @property
    def free(self) -> int:
        """Threads that could take one: those whose lease is long gone hang, and are no excuse for taking nothing."""
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
            self._guarded(self._report)
            self._guarded(self._report_signs)
            if due:
                renew_at = now + pace
                self._guarded(self._renew)
            self._wake.wait(max(0.0, renew_at - time.monotonic()))
            self._wake.clear()
            time.sleep(0.02)  # many threads end at once: one report for all of them
        self._guarded(lambda: self._store.forget_worker(self.worker))

    def _guarded(self, action: Callable[[], None]) -> None:
        """Redis may be away for a while: each lease's own clock says how long that is bearable."""
        try:
            action()
        except Away:
            time.sleep(0.2)
        except Exception as error:  # noqa: BLE001 - or this thread would end, and all attempts with it, and nobody see why
            record_bug(self._store, error, self.worker)
            time.sleep(0.2)

    def _report(self) -> None:
        with self._lock:
            threads = 0 if self._leaving else self._threads
            # Threads that hang count as free, or nothing would ever be sent here, and the watchdog never see it wait.
            busy = min(self._busy - self._hanging, threads)
        self._store.report_worker(
            self.worker, threads=threads, busy=busy, ttl=max(3 * self.seconds / 6, 3.0), **self._about
        )

    def _report_signs(self) -> None:
        """Pass on what the service tells each client, as soon as it changes."""
        for held in self._mine():
            sign, seconds = held.client_status.now
            if sign != held.reported and self._store.report_signal(held.lease, sign, ago=seconds):
                held.reported = sign

    def _mine(self) -> Sequence[HeldLease]:
        with self._lock:
            return list(self._held.values())

    def _renew(self) -> None:
        mine, asked_at = self._mine(), time.monotonic()
        answers = self._store.renew([held.pulse for held in mine], lease=self.seconds)
        for held, answer in zip(mine, answers, strict=True):
            if answer == "lost":
                held.lose()
                continue
            held.renewed(asked_at)
            if asked := ENDINGS.get(answer):
                # What will be gone on with is worth its checkpoint, however long a step takes; a stall ends even that.
                held.request_end(asked, within=self._within(asked))

    def _within(self, asked: EndRequest) -> float:
        return {EndRequest.CANCEL: self._patience, EndRequest.PARK: self._parking}.get(asked, math.inf)
