"""Let work start at the ticks of a clock only, as the service works in cycles.

Work that arrived before a tick starts at that tick, in the order of arrival; work that arrives
later waits for the next one. Without a cycle, work starts at once. Runs on the event loop only.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

Begin = Callable[[], None]


class Clock:
    """`now` is in seconds and never goes back; `sleep` waits by the same measure."""

    def __init__(
        self, now: Callable[[], float] = time.monotonic, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._now, self._sleep = now, sleep
        self._cycle: float | None = None
        self._waiting: list[Begin] = []
        self._ticking: asyncio.Task[None] | None = None
        self.ticks = 0  # since the cycle was set
        self.busy = 0  # ticks that started something

    @property
    def waiting(self) -> int:
        """How many operations wait for the next tick."""
        return len(self._waiting)

    def set(self, cycle: float | None) -> None:
        """Tick every `cycle` seconds from now on and reset the counts; None stops the clock and starts what waits."""
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
        """Tick on a grid from `start`, so that delays of the event loop do not add up; count missed ticks as empty."""
        passed = 0
        while True:
            await self._sleep(max(0.0, start + (passed + 1) * cycle - self._now()))
            reached = int((self._now() - start) / cycle)
            if reached > passed:
                self.ticks += reached - passed - 1
                passed = reached
                self.tick()
