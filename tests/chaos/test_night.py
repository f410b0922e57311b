"""An unknown client limit, killed workers and an outage, with real processes; `make chaos` has the long form."""

from pathlib import Path

import pytest

from tests.chaos import night
from tests.chaos.fleet import IN_SHORT, Fleet


@IN_SHORT
@pytest.mark.timeout(240)
def test_a_night_looks_after_itself(tmp_path: Path) -> None:
    settings = {"SWEEP_SILENCE": str(night.SHORT.silence), "SWEEP_THREADS": "8", "SWEEP_SLOTS": "100"}
    with Fleet(tmp_path / "fleet", workers=2, settings=settings).up() as fleet:
        night.run(fleet, night.SHORT)
