"""Judge one lease by its own clock: may its attempt go on, and how is it asked to end?

Pure but for the monotonic clock: it reads and writes no store.
"""

import math
import time
from enum import StrEnum

from scheduler.state.store import Lease, Renewal
from worker.sdk.client_status import ClientState, ClientStatus

MARGIN = 0.2  # share of a lease: this close to its end nothing more starts, because fencing cannot stop money
TURNED_AWAY = 30.0  # seconds that a new client may wait for others to end before its slot is given back


class EndRequest(StrEnum):
    """Why an attempt should end at its next step."""

    NOTHING = ""
    CANCEL = "no sweep wants the stage any more"
    YIELD = "the sweep that paid for the stage no longer pays"
    PARK = "parked: the service does not work at the moment"
    LEAVE = "the worker is stopping"


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
