"""Run the long night of a fleet on four hosts: python -m tests.deploy, or `make fleet`.

200 stages while a host is cut off, a worker dies, the scheduler is lost, Redis fails over without and with lost writes,
and workers are upgraded.
"""

import resource
import shutil
import tempfile
import time
from pathlib import Path

from tests.deploy.fleet_of_hosts import Night, run

LONG = Night(
    rates=10,
    ranks=5,
    seeds=2,
    steps=24,
    strokes=("cut_off_host", "kill_worker", "lose_scheduler", "fail_over", "fail_over_with_loss", "upgrade_workers"),
    slow=0.2,
)


def main() -> None:
    """Where it fails, the logs of every process stay in the folder."""
    folder, began = Path(tempfile.mkdtemp(prefix="fleet-")), time.monotonic()
    say(f"state and logs in {folder}")
    figures = run(folder, LONG, say)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = f"{time.monotonic() - began:.0f} s, {used.ru_utime + used.ru_stime:.0f} s of the processor"
    counts = ", ".join(f"{value:,} {name}" for name, value in figures.items())
    say(f"every stage once, equal to the bit, the books equal to the service's count: {counts}; {seconds}")
    shutil.rmtree(folder)


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
