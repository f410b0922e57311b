"""How many commands of others a server runs at once, and for how long."""

from collections import Counter
from collections.abc import Callable

from web.api.problems import TooMany
from web.received.waiting_room import WaitingRoom

AT_ONCE = 4  # commands that end by themselves; further ones wait
PATIENCE = 60.0  # seconds for which they do
FOLLOWING = 24  # commands that last as long as sweeps run
FOLLOWING_OF_ONE = 6  # of them with one token


class CommandRoom:
    """Places for commands in this process."""

    def __init__(self) -> None:
        self._room = WaitingRoom("commands", AT_ONCE, PATIENCE)
        self._following: Counter[str] = Counter()

    async def enter(self, who: str, *, follows: bool) -> Callable[[], None]:
        """Take a place, and return what gives it back. Raise TooMany."""
        return self._enter_following(who) if follows else await self._room.enter()

    def _enter_following(self, who: str) -> Callable[[], None]:
        if self._following[who] >= FOLLOWING_OF_ONE:
            raise TooMany(f"your token follows sweeps {FOLLOWING_OF_ONE} times already; end one of these commands")
        if self._following.total() >= FOLLOWING:
            raise TooMany(f"{FOLLOWING} commands follow sweeps at this server; run it again later, or `sweep status`")
        self._following[who] += 1

        def leave() -> None:
            self._following[who] -= 1

        return leave
