"""The clock of a rehearsal: work begins at its ticks only, as the service works in cycles.

What has arrived when the clock ticks is begun in that tick, in the order of arrival; what comes a moment later waits
for the next one. Without a cycle everything is begun at once.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

Begin = Callable[[], None]


class Clock:
    """On the event loop only. `now` is in seconds and never goes back; `sleep` waits by the same measure."""

    def __init__(
        self, now: Callable[[], float] = time.monotonic, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._now, self._sleep = now, sleep
        self._cycle: float | None = None
        self._waiting: list[Begin] = []
        self._ticking: asyncio.Task[None] | None = None
        self.ticks = 0  # since the cycle was set
        self.busy = 0  # of these, how many had something to begin

    @property
    def waiting(self) -> int:
        """How much waits for the next tick."""
        return len(self._waiting)

    def set(self, cycle: float | None) -> None:
        """Tick every so many seconds from now on, and count anew; None: do not, and begin all that has waited."""
        if self._ticking is not None:
            self._ticking.cancel()
        self._cycle, self._ticking, self.ticks, self.busy = cycle, None, 0, 0
        if cycle is None:
            self._begin()
        else:
            self._ticking = asyncio.get_running_loop().create_task(self._tick_for_ever(cycle, self._now()))

    def take(self, begin: Begin) -> None:
        if self._cycle is None:
            begin()
        else:
            self._waiting.append(begin)

    def tick(self) -> None:
        self.ticks += 1
        self.busy += bool(self._waiting)
        self._begin()

    def _begin(self) -> None:
        waiting, self._waiting = self._waiting, []
        for begin in waiting:
            begin()

    async def _tick_for_ever(self, cycle: float, start: float) -> None:
        """On a grid from `start` on, so that it does not matter when the event loop comes round; ticks that it has
        missed were ticks in which nothing could be begun."""
        passed = 0
        while True:
            await self._sleep(max(0.0, start + (passed + 1) * cycle - self._now()))
            reached = int((self._now() - start) / cycle)
            if reached > passed:
                self.ticks += reached - passed - 1
                passed = reached
                self.tick()
