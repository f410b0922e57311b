"""A desk for each test; and one fleet for all tests whose law is not how a fleet starts or ends."""

import os
from pathlib import Path

import pytest

from tests.acceptance.command import Desk
from tests.acceptance.planted import make_environment
from tests.acceptance.shared_fleet import SharedFleet

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


@pytest.fixture
def fleet_desk(shared_fleet: SharedFleet, home_desk: Desk, tmp_path: Path) -> Desk:
    """A desk with a folder of its own, at a fleet that is up: `run` starts no processes but its own.

    With OVER=server it is one on another machine, which knows the fleet by its address and a token alone.
    """
    if os.environ.get("OVER") == "server":
        return shared_fleet.seat_elsewhere(tmp_path, "operator", "admin")
    return home_desk


@pytest.fixture
def home_desk(shared_fleet: SharedFleet, tmp_path: Path) -> Desk:
    """A desk on the fleet's own machine, with OVER=server too: for what does not travel, such as code of the user's."""
    shared_fleet.start()
    return Desk(tmp_path, {"SWEEP_HOME": str(shared_fleet.desk.home)})


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """The fleet ends with the last of its group: an idle one takes 3 % of a processor from the tests that follow."""
    fleet = item.config.stash.get(FLEET, None)
    if fleet and (
        nextitem is None or nextitem.get_closest_marker("xdist_group") != item.get_closest_marker("xdist_group")
    ):
        fleet.stop()
