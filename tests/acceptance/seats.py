"""Where a test sits: at the machine of the fleet or, with `OVER=server`, at another one. Only this file chooses.

At another machine a desk knows the fleet by its address and a token alone. A test goes over the network if it asks for
`fleet_desk`, `quiet_desk`, or a seat of its file's own; `STAYS` says of each file why other tests of it stay.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scheduler.cli.console.options import open_store
from scheduler.settings import read_settings
from scheduler.state.people.actors import Scope
from tests.acceptance.command import Desk, DeskElsewhere
from tests.acceptance.shared_fleet import SharedFleet

USER = "operator"

OWN_CODE = "its code or tokenizer is of the user's own, and a server runs only what its operator installed"
OWN_FLEET = "it starts, kills or upgrades the processes of a fleet, or reads them from the kernel"
SETTINGS = "its settings belong to the operator of a fleet, not to who sends a command"
NO_COMMAND = "it calls functions, and no command"
EXAMPLE = "it computes for minutes with a fleet of its own, or reads files alone; tiny forms of all examples travel"

STAYS: Mapping[str, str] = {
    "test_a_night": OWN_FLEET,
    "test_another_machine": "it compares both machines by itself",
    "test_attacks_on_a_fleet": OWN_FLEET,
    "test_bad_nights": OWN_FLEET,
    "test_causes": OWN_CODE,
    "test_doctor": "`doctor` looks at one machine",
    "test_every_server": OWN_FLEET,
    "test_files_of_settings": SETTINGS,
    "test_groups_and_strata": NO_COMMAND,
    "test_money": SETTINGS,
    "test_named_and_tested": OWN_CODE,
    "test_named_tokenizer": OWN_CODE,
    "test_new_parts": OWN_CODE,
    "test_offline_changes": NO_COMMAND,
    "test_offline_science": NO_COMMAND,
    "test_own_environment": OWN_CODE,
    "test_page_of_a_fleet": "it is about the page, which is at the server in any case",
    "test_page_on_data_files": OWN_CODE,
    "test_plain_errors": SETTINGS,
    "test_planted_secrets": OWN_FLEET,
    "test_researcher": "it names the state folder or Redis itself, or looks at a table without a fleet",
    "test_secured_redis": OWN_FLEET,
    "test_spec_examples": NO_COMMAND,
    "test_streams_of_a_command": "`doctor` looks at one machine, and a spec is read where it is sent from",
    "test_tiny_forms": NO_COMMAND,
}


def is_over_server() -> bool:
    return os.environ.get("OVER") == "server"


@dataclass(frozen=True)
class Seats:
    """Where the tests of this run sit."""

    fleet: SharedFleet

    def at_fleet(self, folder: Path) -> Desk:
        """A desk with a folder of its own, at the fleet that is up: `run` starts no processes but its own."""
        return self.fleet.seat_elsewhere(folder, USER, "admin") if is_over_server() else self.fleet.seat_at_home(folder)

    @contextmanager
    def at_quiet_fleet(self, home: Desk) -> Iterator[Desk]:
        """A desk at the state of `home`, for which no process works unless the test starts one."""
        if not is_over_server():
            yield home
            return
        from tests.web.served import serve_page  # it loads the page, which a run at home does not need

        settings = read_settings(home.variables({}))
        with open_store(settings) as store, serve_page(store, settings) as served:
            access = {"SWEEP_SERVER": served.url, "SWEEP_TOKEN": served.make_token(USER, Scope.ADMIN)}
            yield DeskElsewhere(home.folder, access, home.home)


def explain_stay(path: Path) -> str:
    """Say why a test that chose no seat stays at the fleet's machine."""
    if path.parent.name == "community" and path.stem not in STAYS:
        return EXAMPLE
    return STAYS[path.stem]
