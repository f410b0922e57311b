"""One `sweep up` for many tests: each start of a fleet takes five seconds of a processor."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from scheduler.processes.addresses import read_addresses
from tests.acceptance.command import Desk, DeskElsewhere, until


def is_served(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz").status_code == 200
    except httpx.TransportError:
        return False


@dataclass
class SharedFleet:
    """A fleet in a state folder of its own. It starts with the first test that needs it."""

    desk: Desk
    _running: ExitStack = field(default_factory=ExitStack)
    _is_up: bool = False
    _secrets: dict[str, str] = field(default_factory=dict)  # of tokens

    def start(self) -> None:
        if not self._is_up:
            self._running.enter_context(self.desk.sweeping("up"))
            self._is_up = True
            until(lambda: "password" in self.desk.said(), "the fleet is up", seconds=120)

    def seat_at_home(self, folder: Path) -> Desk:
        """Seat somebody at the machine of the fleet."""
        self.start()
        return Desk(folder, {"SWEEP_HOME": str(self.desk.home)})

    def seat_elsewhere(self, folder: Path, user: str, scope: str) -> DeskElsewhere:
        """Seat somebody at another machine."""
        self.start()
        addresses = read_addresses(self.desk.home)
        assert addresses is not None
        until(lambda: is_served(addresses.page_url), "the page answers", seconds=120)
        name = f"{user}-{scope}"
        if name not in self._secrets:
            words = ("-f", "json", "token", "create", name, "--user", user, "--scope", scope)
            self._secrets[name] = self.desk.call(*words).json["tokens"][0]["secret"]
        access = {"SWEEP_SERVER": addresses.page_url, "SWEEP_TOKEN": self._secrets[name]}
        return DeskElsewhere(folder, access, self.desk.home)

    def stop(self) -> None:
        self._running.close()
        self._is_up = False
