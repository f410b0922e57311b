"""The short form of `make chaos`: 14 stages, 5 kills, one restart of the service and one of Redis."""

import os
import random
from pathlib import Path

import pytest

from tests.chaos.fleet import IN_SHORT, Fleet
from tests.chaos.storm import SHORT, Storm, in_the_storm, verify


def say(what: object) -> None:
    """Shown when the test fails, or under `-s`: the seed brings the storm back."""
    print(what)  # noqa: T201


@IN_SHORT
@pytest.mark.timeout(300)
def test_a_storm_loses_nothing_and_pays_for_nothing_twice(tmp_path: Path) -> None:
    seed = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(10**6))
    say(f"CHAOS_SEED={seed}")
    calm, fleet = Fleet(tmp_path / "calm", workers=1), in_the_storm(tmp_path / "storm", SHORT)
    with calm.up():
        calm.submit(SHORT.spec())
        calm.await_finish("storm", seconds=90)
        calm.rest()
        with fleet.up():
            fleet.submit(SHORT.spec())
            storm = Storm(fleet, SHORT, random.Random(seed), say)
            storm.rage()
            figures = verify(fleet, calm, SHORT)
    say(figures)
    assert storm.struck == {"kills": SHORT.kills, "offline": SHORT.offline, "redis": SHORT.redis}
    assert figures["resumes"] >= 3
