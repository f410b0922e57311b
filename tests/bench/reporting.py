"""`make bench`: how long the report of a thousand-run sweep takes, out of the store and onto the disk, and its size."""

import sys
import tempfile
import time
from pathlib import Path

from scheduler import report
from scheduler.store import Store
from sweeps.report.compose import compose
from sweeps.report.html import html
from tests.scheduler.reported import large, lay
from tests.support import redis_server

LIMIT_SECONDS, LIMIT_BYTES = 10.0, 5_000_000


def main() -> None:
    """Fails where it takes longer than people wait, or weighs more than a mail takes."""
    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder)) as server:
        store, target = Store(server.client()), Path(folder) / "report.html"
        lay(store, large())
        began, worked = time.perf_counter(), time.process_time()
        found = compose(report.material(store, "large", round(time.time() * 1000)))
        target.write_text(html(found, report.style()), encoding="utf-8")
        seconds, busy = time.perf_counter() - began, time.process_time() - worked
        size = target.stat().st_size
    sys.stdout.write(f"report of 1,000 runs: {seconds:.1f} s ({busy:.1f} s of them at work), {size:,} bytes\n")
    if seconds > LIMIT_SECONDS or size > LIMIT_BYTES:
        sys.exit(f"at most {LIMIT_SECONDS:g} s and {LIMIT_BYTES:,} bytes are right")


if __name__ == "__main__":
    main()
