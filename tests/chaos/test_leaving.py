"""With ten attempts in flight, short breaks start none twice, and SIGTERM leaves none behind.

`make chaos` does the same with 200.
"""

from pathlib import Path

import pytest

from tests.chaos import leaving
from tests.chaos.fleet import IN_SHORT, Fleet

ATTEMPTS = 10
GRACE = 10


@IN_SHORT
@pytest.mark.timeout(240)
def test_attempts_are_given_back_within_the_grace(tmp_path: Path) -> None:
    settings = {
        "SWEEP_THREADS": str(ATTEMPTS),
        "SWEEP_SLOTS": str(ATTEMPTS),
        "SWEEP_LEASE": "20",
        "SWEEP_GRACE": str(GRACE),
    }
    with Fleet(tmp_path / "fleet", workers=1, settings=settings).up() as fleet:
        leaving.run(fleet, ATTEMPTS, GRACE)
