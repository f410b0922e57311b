"""`make bench`: the processor time of a page of a sweep of 10,000 runs, and what is sent of it, compressed.

The first look at a sweep, which reads its plan, is printed by the clock. Fails beyond a limit.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from scheduler.settings import read_settings
from scheduler.state import keys, views
from scheduler.state.people.actors import Scope
from scheduler.state.store import Store
from tests.scheduler.reported import large, lay
from tests.support import redis_server, wait_until
from tests.web.served import serve_page

DOMAINS, SIZES, SEEDS = 50, 50, 4  # 2,500 cells of 4 runs
TIMES = 7
LIMIT_SECONDS, LIMIT_BYTES = 0.3, 200_000
PATHS = ("/", "/sweeps/large", "/sweeps/large/cells", "/sweeps/large/runs", "/sweeps/large/stages", "/fleet")


def lay_cells(store: Store) -> None:
    """Write the aggregates that the verbs would have left."""
    client: Any = store.client
    pipe = client.pipeline(transaction=False)
    for number in range(DOMAINS * SIZES):
        moments = {"count": SEEDS, "mean": 1 + number / 1000, "m2": 0.01}
        pipe.hset(keys.sweep_cells("large"), mapping={f"{number}|nll|{key}": value for key, value in moments.items()})
    pipe.execute()
    assert len(views.read_cells(store, "large")) == DOMAINS * SIZES


def ask(guest: httpx.Client, path: str) -> int:
    """Ask for a page, and return the bytes on the wire."""
    with guest.stream("GET", path) as answer:
        size = sum(map(len, answer.iter_raw()))
    assert answer.status_code == 200, path
    return size


def measure(guest: httpx.Client, path: str) -> float:
    """The median of the seconds of the processor that a page takes, those of asking for it included."""
    took = []
    for _ in range(TIMES):
        worked = time.process_time()
        ask(guest, path)
        took.append(time.process_time() - worked)
    return statistics.median(took)


def look_first(guest: httpx.Client) -> float:
    """Look at the sweep for the first time; return the seconds. Then wait until all of it is computed."""
    began = time.perf_counter()
    ask(guest, "/sweeps/large")
    took = time.perf_counter() - began
    wait_until(lambda: "As of" in guest.get("/sweeps/large").text, "the report is composed", seconds=300)
    return took


def main() -> None:
    """Measure each page, and fail beyond a limit."""
    within = True
    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder)) as server:
        store = Store(server.client())
        lay(store, large(DOMAINS, SIZES, SEEDS))
        lay_cells(store)
        settings = read_settings({"SWEEP_HOME": folder, "REDIS_URL": server.url})
        with serve_page(store, settings) as page, page.log_in(Scope.READ) as guest:
            guest.headers["accept-encoding"] = "gzip"
            sys.stdout.write(f"the first look at 10,000 runs: {look_first(guest):.1f} s by the clock\n")
            for path in PATHS:
                seconds, size = measure(guest, path), ask(guest, path)
                within &= seconds <= LIMIT_SECONDS and size <= LIMIT_BYTES
                limits = f"limits {1000 * LIMIT_SECONDS:.0f} ms, {LIMIT_BYTES:,} bytes"
                sys.stdout.write(f"{path}: {1000 * seconds:.0f} ms of the processor, {size:,} bytes ({limits})\n")
    if not within:
        sys.exit("a limit was passed")


if __name__ == "__main__":
    main()
