"""Run the active fault document: single faults, pauses, silent sessions, client limits and clock cycles."""

import asyncio
import logging
import time
from math import inf
from typing import Any

from tinker_offline.errors import Refusal
from tinker_offline.faults.accidents import Accident, AccidentSeries, Faults
from tinker_offline.service import Service
from tinker_offline.work_queue import Reply

LOOK_EVERY = 0.1  # seconds between two checks for silent sessions and for the start or end of a pause
SLICE = 1.0  # seconds that a poll is held while its future may be paused: clients hear of a pause this soon

Json = dict[str, Any]
ACTIVE: Json = {"queue_state": "active"}
NO_CAPACITY: Json = {"queue_state": "paused_capacity", "queue_state_reason": "fault: no capacity"}
NO_SLOT: Json = {"queue_state": "paused_rate_limit", "queue_state_reason": "fault: too many training clients"}

_log = logging.getLogger(__name__)


class Scenario:
    """The active fault document and its state. Used on the event loop only."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._watch: asyncio.Task[None] | None = None
        self._held: dict[str, float] = {}  # until when the reply of each future is kept back
        self._put(Faults())

    def set(self, faults: Faults) -> None:
        """Replace the document: its clock and its series start now.

        Dropped sessions and expired checkpoints stay so; everything else ends with a document.
        """
        if self._watch is not None:
            self._watch.cancel()
        self._held.clear()
        self._put(faults)
        self._service.models.slots.limit = faults.max_clients
        self._service.models.slots.fill()
        self._service.account = faults.account
        self._service.futures.clock.set(faults.cycle)
        self._check()
        if faults.pause is not None or faults.silence is not None:
            self._watch = asyncio.get_running_loop().create_task(self._check_often())

    def _put(self, faults: Faults) -> None:
        self.faults = faults
        self._series = AccidentSeries(faults)
        self._since = time.monotonic()

    def describe(self) -> Json:
        """The document, its age in seconds, how often each rule has taken effect, and how often the clock ticked."""
        document = self.faults.model_dump(by_alias=True, exclude_defaults=True)
        clock = self._service.futures.clock
        cycles = {"ticks": clock.ticks, "busy": clock.busy, "waiting": clock.waiting}
        return {"faults": document, "age": self._age(), "hits": self._series.hits, "cycles": cycles}

    def tick(self) -> None:
        """Let the clock tick now, in addition to its own ticks."""
        if self.faults.cycle is None:
            raise Refusal("no clock to tick: the active document has no cycle", 422)
        self._service.futures.clock.tick()

    def _age(self) -> float:
        return time.monotonic() - self._since

    def draw_accident(self, path: str) -> Accident | None:
        return self._series.draw(path, self._age())

    def hold(self, request_id: str, seconds: float) -> None:
        """Keep the reply of a future back. A repeated request does not change its fate."""
        self._held.setdefault(request_id, time.monotonic() + seconds)

    async def wait(self, request_id: str, seconds: float) -> tuple[Reply | None, Json]:
        """Return the reply of a future within `seconds`, or None and the state of its queue."""
        give_up, futures = time.monotonic() + seconds, self._service.futures
        while True:
            futures.find(request_id)
            left = give_up - time.monotonic()
            state, kept_back = self._get_queue_state(request_id), self._held.get(request_id, -inf) - time.monotonic()
            if state is NO_CAPACITY or kept_back > 0:
                await asyncio.sleep(min(SLICE, max(0.0, left), max(kept_back, 0.0) or inf))
            elif (reply := await futures.wait(request_id, min(SLICE, max(0.0, left)))) is not None:
                return reply, ACTIVE
            if state is not ACTIVE or left <= 0:
                return None, state

    def _get_queue_state(self, request_id: str) -> Json:
        if self._is_paused():
            return NO_CAPACITY
        return NO_SLOT if request_id in self._service.models.slots.waiting else ACTIVE

    def _is_paused(self) -> bool:
        return self.faults.pause is not None and self.faults.pause.contains(self._age())

    async def _check_often(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                self._check()
            except OSError:  # the journal failed; the next check tries again
                _log.exception("a session could not be dropped")

    def _check(self) -> None:
        if self._is_paused():
            self._service.futures.pause()
        else:
            self._service.futures.resume()
        if self.faults.silence is not None and self._age() > self.faults.silence:
            for session in self._service.sessions.drop_silent(self.faults.silence):
                self._service.release(session)
