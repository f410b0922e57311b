"""`make bench-pages`: what a page of a sweep of 10,000 runs takes: of the processor, on the wire (compressed), and
until a browser has painted its first content, by the clock.

`python -m tests.bench.page_serving 100000` takes 100,000 runs: some minutes. The first look at a sweep, which reads its
plan, is printed by the clock. Fails beyond a limit.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from scheduler.settings import read_settings
from scheduler.state import keys, views
from scheduler.state.people.actors import Scope
from scheduler.state.store import Store
from tests.browser import Tab, browser, opened
from tests.scheduler.reported import large, lay
from tests.support import redis_server, wait_until
from tests.web.served import Served, serve_page

RUNS, SIZES, SEEDS = 10_000, 50, 4  # cells of 4 runs
TIMES = 7
LIMITS = {10_000: 0.3, 100_000: 1.0}  # seconds, by runs
LIMIT_BYTES = 200_000
LIMIT_PAINT = 1.0  # seconds by the clock
PAINTS = 3
PAINTED = """new Promise(done => {
    const look = () => {
        const [paint] = performance.getEntriesByName('first-contentful-paint')
        paint ? done(paint.startTime) : requestAnimationFrame(look)
    }
    look()
})"""
PATHS = (
    *("/", "/sweeps/large", "/sweeps/large/cells", "/sweeps/large/report", "/fleet"),
    *("/sweeps/large/runs", "/sweeps/large/runs?cell=7", "/sweeps/large/runs/7"),
    *("/sweeps/large/stages", "/sweeps/large/stages?state=succeeded"),
    *("/sweeps", "/sweeps/large/items", "/compare", "/storage"),
)


def lay_cells(store: Store, cells: int) -> None:
    """Write the aggregates that the verbs would have left."""
    client: Any = store.client
    pipe = client.pipeline(transaction=False)
    for number in range(cells):
        moments = {"count": SEEDS, "mean": 1 + number / 1000, "m2": 0.01}
        pipe.hset(keys.sweep_cells("large"), mapping={f"{number}|nll|{key}": value for key, value in moments.items()})
    pipe.execute()
    assert len(views.read_cells(store, "large")) == cells


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


def paint(tab: Tab, url: str) -> float:
    """The median of the seconds until a browser has painted something of a page."""
    painted = []
    for _ in range(PAINTS):
        tab.visit(url)
        painted.append(float(tab.ask(PAINTED)) / 1000)
    return statistics.median(painted)


@contextmanager
def open_browser(page: Served, folder: Path) -> Iterator[Tab | None]:
    """A browser that is logged in; None where none is installed, which is said."""
    program = browser()
    if program is None:
        sys.stdout.write("NO BROWSER IS INSTALLED: nothing was painted. `make browser`\n")
        yield None
        return
    with opened(program, folder) as tab:
        tab.look()
        tab.visit(f"{page.url}/login?code={page.make_link()}")
        tab.click("form button")
        yield tab


def look_first(guest: httpx.Client) -> float:
    """Look at the sweep for the first time; return the seconds. Then wait until all of it is computed."""
    began = time.perf_counter()
    ask(guest, "/sweeps/large")
    took = time.perf_counter() - began
    wait_until(lambda: "As of" in guest.get("/sweeps/large").text, "the report is composed", seconds=1200)
    return took


def main(runs: int) -> None:
    """Measure each page, and fail beyond a limit."""
    within, limit = True, LIMITS[runs]
    cells = runs // SEEDS
    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder)) as server:
        store = Store(server.client())
        lay(store, large(cells // SIZES, SIZES, SEEDS))
        lay_cells(store, cells)
        settings = read_settings({"SWEEP_HOME": folder, "REDIS_URL": server.url})
        with (
            serve_page(store, settings) as page,
            page.log_in(Scope.READ) as guest,
            open_browser(page, Path(folder)) as tab,
        ):
            guest.headers["accept-encoding"] = "gzip"
            sys.stdout.write(f"the first look at {runs:,} runs: {look_first(guest):.1f} s by the clock\n")
            for path in PATHS:
                seconds, size = measure(guest, path), ask(guest, path)
                painted = paint(tab, page.url + path) if tab else 0.0
                within &= seconds <= limit and size <= LIMIT_BYTES and painted <= LIMIT_PAINT
                figures = (
                    f"{1000 * seconds:.0f} ms of the processor, {size:,} bytes, painted after {1000 * painted:.0f} ms"
                )
                sys.stdout.write(f"{path}: {figures} (limits {1000 * limit:.0f} ms, {LIMIT_BYTES:,} bytes, 1 s)\n")
    if not within:
        sys.exit("a limit was passed")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
