"""One `sweep up` for many tests: each start of a fleet takes five seconds of a processor."""

from contextlib import ExitStack
from dataclasses import dataclass, field

from tests.acceptance.command import Desk, until


@dataclass
class SharedFleet:
    """A fleet in a state folder of its own. It starts with the first test that needs it."""

    desk: Desk
    _running: ExitStack = field(default_factory=ExitStack)
    _is_up: bool = False

    def start(self) -> None:
        if not self._is_up:
            self._running.enter_context(self.desk.sweeping("up"))
            self._is_up = True
            until(lambda: "password" in self.desk.said(), "the fleet is up", seconds=120)

    def stop(self) -> None:
        self._running.close()
        self._is_up = False
