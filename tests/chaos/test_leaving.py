"""With 50 attempts in flight, short breaks start none twice, and SIGTERM leaves none behind."""

from pathlib import Path

import pytest

from tests.chaos import leaving
from tests.chaos.fleet import Fleet

GRACE = 10


@pytest.mark.timeout(240)
def test_fifty_attempts_are_given_back_within_the_grace(tmp_path: Path) -> None:
    settings = {"SWEEP_THREADS": "50", "SWEEP_SLOTS": "50", "SWEEP_LEASE": "20", "SWEEP_GRACE": str(GRACE)}
    with Fleet(tmp_path / "fleet", workers=1, settings=settings).up() as fleet:
        leaving.run(fleet, 50, GRACE)
