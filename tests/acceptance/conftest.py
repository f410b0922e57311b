"""A desk for each test; and one fleet for all tests whose law is not how a fleet starts or ends."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.command import Desk
from tests.acceptance.planted import make_environment
from tests.acceptance.seats import Seats, explain_stay, is_over_server
from tests.acceptance.shared_fleet import SharedFleet

HERE = Path(__file__).parent
FLEET = pytest.StashKey[SharedFleet]()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture(scope="session")
def shared_fleet(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> SharedFleet:
    return pytestconfig.stash.setdefault(
        FLEET,
        SharedFleet(
            Desk(tmp_path_factory.mktemp("fleet"), {"SWEEP_PAGE": "0", "SWEEP_FLOWER_PORT": "0", **make_environment()})
        ),
    )


@pytest.fixture(scope="session")
def seats(shared_fleet: SharedFleet) -> Seats:
    return Seats(shared_fleet)


@pytest.fixture
def fleet_desk(seats: Seats, tmp_path: Path) -> Desk:
    """A desk at a fleet that is up, from another machine with OVER=server."""
    return seats.at_fleet(tmp_path)


@pytest.fixture
def quiet_desk(seats: Seats, desk: Desk) -> Iterator[Desk]:
    """A desk at a state for which no process works, from another machine with OVER=server."""
    with seats.at_quiet_fleet(desk) as seated:
        yield seated


@pytest.fixture
def home_desk(shared_fleet: SharedFleet, tmp_path: Path) -> Desk:
    """A desk on the fleet's own machine, with OVER=server too: for what does not travel, such as code of the user's."""
    return shared_fleet.seat_at_home(tmp_path)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With OVER=server, skip what does not go over the network, and say why; always know why."""
    for item in items:
        if item.path.is_relative_to(HERE) and not {"seats", "elsewhere"} & {*getattr(item, "fixturenames", ())}:
            reason = explain_stay(item.path)
            if is_over_server():
                item.add_marker(pytest.mark.skip(reason=f"stays at the fleet's machine: {reason}"))


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """The fleet ends with the last of its group: an idle one takes 3 % of a processor from the tests that follow."""
    fleet = item.config.stash.get(FLEET, None)
    if fleet and (
        nextitem is None or nextitem.get_closest_marker("xdist_group") != item.get_closest_marker("xdist_group")
    ):
        fleet.stop()
