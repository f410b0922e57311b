"""How much of one kind is done at once, and how many wait for it. Who waits holds no thread."""

import asyncio
from collections.abc import Callable

from web.api.problems import TooMany

WAITING = 100  # that wait


class WaitingRoom:
    """Places in this process for what ends by itself."""

    def __init__(self, what: str, places: int, patience: float) -> None:
        self._what, self._count, self._patience = what, places, patience
        self._places = asyncio.Semaphore(places)
        self._waiting = 0

    async def enter(self) -> Callable[[], None]:
        """Take a place, and return what gives it back. Raise TooMany."""
        if self._waiting >= WAITING:
            raise TooMany(f"{WAITING} {self._what} wait already; try again in a minute")
        self._waiting += 1
        try:
            await asyncio.wait_for(self._places.acquire(), self._patience)
        except TimeoutError:
            others = f"{self._count} other {self._what} have taken {self._patience:.0f} s already"
            raise TooMany(f"{others}; try again in a while") from None
        finally:
            self._waiting -= 1
        return self._places.release
