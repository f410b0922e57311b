"""Hold this process's leases, and renew them on one thread.

Each attempt's own clock says when it must stop. It reads and writes leases, worker reports and
signals in the store.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType

from scheduler.engine.breaker import Timing
from scheduler.errors import SettingsDisagree
from scheduler.processes.membership import join_fleet, leave_fleet
from scheduler.state.bug_log import record_bug
from scheduler.state.connection import Away
from scheduler.state.server.failover import ServerWatch
from scheduler.state.store import Lease, Store
from worker.held_lease import EndRequest, HeldLease
from worker.sdk.client_status import ClientStatus
from worker.vital_thread import make_vital_thread

PATIENCE = 0.6  # share of the grace after which an attempt is abandoned, while there is time to report it
GOODBYE = 2.0  # seconds for the last call to Redis
NOTHING_SHARED: Mapping[str, str] = MappingProxyType({})

ENDINGS = {"stop": EndRequest.CANCEL, "yield": EndRequest.YIELD, "park": EndRequest.PARK}
"""What the store may answer to a renewal besides held and lost."""


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
        shared: Mapping[str, str] = NOTHING_SHARED,
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
        self._shared = shared
        self._join_at = 0.0
        self.draining = False  # takes nothing new, and lets what runs end
        self.on_drain: Callable[[bool], None] = lambda _: None  # told when that changes, before `start`
        self._watch = ServerWatch()
        self._held: dict[Lease, HeldLease] = {}
        self._busy = 0
        self.heard = 0  # messages received
        self._lock = threading.Lock()
        self._leaving = False
        self._wake = threading.Event()
        self._done = threading.Event()
        self._thread = make_vital_thread("leases", self._keep)

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
                self._run_guarded(lambda: self._watch.look(self._store))
            self._wake.wait(max(0.0, renew_at - time.monotonic()))
            self._wake.clear()
            time.sleep(0.02)  # many threads end at once: send one report for all
        self._run_guarded(self._sign_off)

    def _sign_off(self) -> None:
        leave_fleet(self._store, self.worker)
        self._store.forget_worker(self.worker)

    def _run_guarded(self, action: Callable[[], object]) -> None:
        """Ignore that Redis is away: each lease's own clock says how long that may last."""
        try:
            action()
        except Away:
            time.sleep(0.2)
        except SettingsDisagree:
            raise  # the others joined while Redis or we were away: this worker must not work beside them
        except Exception as error:  # noqa: BLE001 - this thread must not end: all attempts depend on it
            record_bug(self._store, error, self.worker)
            time.sleep(0.2)

    def _report(self) -> None:
        with self._lock:
            threads = 0 if self._leaving or self.draining else self._threads
            stages = len(self._held)
            # Hanging threads count as free; otherwise no work would be sent here and the watchdog would see no backlog.
            busy = min(self._busy - self._hanging, threads)
        ttl = max(3 * self.seconds / 6, 3.0)
        about = {"stages": stages, "draining": int(self.draining), **self._about}
        draining = self._store.report_worker(self.worker, threads=threads, busy=busy, ttl=ttl, **about)
        if draining != self.draining:
            self.draining = draining
            self.on_drain(draining)
            self._wake.set()  # report it at once
        if not draining and time.monotonic() >= self._join_at:
            join_fleet(self._store, self.worker, self._shared, ttl)
            self._join_at = time.monotonic() + ttl / 3

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
