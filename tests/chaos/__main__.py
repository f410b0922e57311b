"""Run the long chaos tests: python -m tests.chaos [SEED], or `make chaos`.

200 stages under at least 50 kills; 200 attempts in flight that are asked to leave; and a night with
at most 12 clients, four killed workers and ten minutes without the service.
"""

import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos import leaving, night
from tests.chaos.fleet import Fleet
from tests.chaos.storm import LONG, Storm, in_the_storm, verify

ATTEMPTS = 200
GRACE = 30
LEAST_RESUMES = 30


def main() -> None:
    os.environ["TINKER_TELEMETRY"] = "0"
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.SystemRandom().randrange(10**6)
    say(f"seed {seed}: `python -m tests.chaos {seed}` brings the same storm back")
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    storm(folder, seed)
    leave(folder)
    the_night(folder)
    shutil.rmtree(folder)


def storm(folder: Path, seed: int) -> None:
    """Where it fails, the logs of every process stay in the folder."""
    calm, fleet, began = Fleet(folder / "calm"), in_the_storm(folder / "storm", LONG), time.monotonic()
    say(f"{2 * LONG.trainings} stages; state and logs in {folder}")
    with calm.up():
        calm.submit(LONG.spec())
        calm.await_finish("storm", seconds=LONG.seconds)
        calm.rest()
        say(f"undisturbed: {time.monotonic() - began:.0f} s")
        with fleet.up():
            fleet.submit(LONG.spec())
            raging = Storm(fleet, LONG, random.Random(seed), say)
            raging.rage()
            figures = verify(fleet, calm, LONG)
    assert raging.struck == {"kills": LONG.kills, "offline": LONG.offline, "redis": LONG.redis}
    assert figures["resumes"] >= LEAST_RESUMES, figures
    counts = ", ".join(f"{name} {value:,}" for name, value in {**raging.struck, **figures}.items())
    say(f"every stage once, equal to the bit, the ledger equal to the service's count: {counts}")


def leave(folder: Path) -> None:
    settings = {"SWEEP_THREADS": str(ATTEMPTS), "SWEEP_SLOTS": str(ATTEMPTS), "SWEEP_LEASE": "60"}
    with Fleet(folder / "leaving", workers=1, settings={**settings, "SWEEP_GRACE": str(GRACE)}).up() as fleet:
        leaving.run(fleet, ATTEMPTS, GRACE)
    say(f"{ATTEMPTS} attempts given back at their step within {GRACE} s, and without Tinker at their last checkpoint")


def the_night(folder: Path) -> None:
    settings = {"SWEEP_THREADS": "16", "SWEEP_SLOTS": "500", "SWEEP_LEASE": "30"}
    with Fleet(folder / "night", workers=4, settings=settings).up() as fleet:
        night.run(fleet, night.LONG, say)


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
