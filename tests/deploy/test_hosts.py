"""A short night of a fleet on four hosts: the long one is `make fleet`."""

from pathlib import Path

import pytest

from tests.chaos.fleet import IN_SHORT
from tests.deploy.fleet_of_hosts import Night, run

SHORT = Night(
    rates=10, ranks=1, seeds=1, steps=12, strokes=("cut_off_host", "kill_worker", "fail_over_with_loss"), slow=0.3
)


@IN_SHORT
@pytest.mark.timeout(600)
def test_a_short_night_on_four_hosts_ends_each_stage_once_with_the_same_bits_and_exact_books(tmp_path: Path) -> None:
    figures = run(tmp_path, SHORT, print)
    assert figures["attempts"] > SHORT.stages
