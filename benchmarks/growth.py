"""How the cost of looking grows with what is there: the exponent between 1,000, 10,000 and 100,000."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.row import Row
from scheduler.engine.capacity import Bounds
from scheduler.engine.tick import TickLimits, tick
from scheduler.settings import read_settings
from scheduler.state.people.actors import Scope
from scheduler.state.store import Lease, Renewal, Store
from scheduler.state.submission import submit
from tests.acceptance.command import Desk
from tests.bench.page_serving import SEEDS, lay_cells, look_first
from tests.bench.page_serving import measure as measure_page
from tests.nights.simulation import Post
from tests.scheduler.plans import single, submission
from tests.scheduler.reported import large, lay
from tests.support import TRUSTED, FakeClock, redis_server
from tests.web.served import serve_page

WAITING, RUNNING, LEASES = (1_000, 10_000, 100_000), 50, (50, 500)
RUNS, SIZES = (1_000, 10_000, 100_000), 50
PAGES = ("/", "/sweeps/large", "/sweeps/large/cells")
TIMES = 30


def measure() -> list[Row]:
    """Time each at every size, and fit a power of the size."""
    ticks = [_time_tick(RUNNING, waiting)[0] for waiting in WAITING]
    renewals = [_time_tick(leases, WAITING[0])[1] for leases in LEASES]
    rows = [
        _row("a tick that finds nothing, in what waits", WAITING, ticks, 0.1),
        _row("a renewal of all leases, in leases", LEASES, renewals, 1.05),
    ]
    shown = [_time_looks(runs) for runs in RUNS]
    return rows + [_row(f"{what}, in runs", RUNS, [times[what] for times in shown], 1.05) for what in shown[0]]


def _row(what: str, sizes: tuple[int, ...], seconds: list[float], most: float) -> Row:
    exponent = math.log(seconds[-1] / seconds[0]) / math.log(sizes[-1] / sizes[0])
    figures = ", ".join(f"{size:,}: {1000 * took:.3g} ms" for size, took in zip(sizes, seconds, strict=True))
    return Row(what=f"exponent of {what}", unit="", ours=[exponent], most=most, note=figures)


def _time_tick(running: int, waiting: int) -> tuple[float, float]:
    """The least seconds of an idle tick, and of one renewal of every lease."""
    with TemporaryDirectory() as folder, redis_server(Path(folder)) as server:
        store, nudges = Store(server.client(), FakeClock()), Post()
        submit(store, submission(single("s", running + waiting)))
        limits = TickLimits(Bounds(floor=running, ceiling=running, start=running), stall=1e9)
        store.report_worker("w", threads=2 * running, busy=0, ttl=1e6)
        leases = list[Lease]()
        while not tick(store, nudges, limits).idle:
            while nudges.sent:
                stage, attempt = nudges.sent.popleft()
                lease = store.claim(stage, attempt=attempt, worker="w", lease=1e6)
                leases += [] if lease is None else [lease]
        assert len(leases) == running
        renewals = [Renewal(lease, 0.0, 0.0) for lease in leases]
        for lease in leases:
            store.report_signal(lease, "active", ago=0)
        return _time_least(lambda: tick(store, nudges, limits)), _time_least(lambda: store.renew(renewals, lease=1e6))


def _time_looks(runs: int) -> dict[str, float]:
    """Seconds of the processor for commands and pages, in this process: the start of Python does not count."""
    with TemporaryDirectory() as folder, redis_server(Path(folder), TRUSTED) as server:
        store = Store(server.client())
        lay(store, large(runs // (SEEDS * SIZES), SIZES, SEEDS))
        lay_cells(store, runs // SEEDS)
        desk, took = Desk(Path(folder), {"REDIS_URL": server.url}), dict[str, float]()
        desk.call("list")
        for command in ("status", "results"):
            began = time.process_time()
            answer = desk.call("-f", "json", command, "large")
            assert answer.status == 0, answer.err
            took[f"`sweep {command}`"] = time.process_time() - began
        settings = read_settings({"SWEEP_HOME": folder, "REDIS_URL": server.url})
        with serve_page(store, settings) as page, page.log_in(Scope.READ) as guest:
            look_first(guest)
            took |= {f"the page {path}": measure_page(guest, path) for path in PAGES}
    return took


def _time_least(action: Callable[[], object]) -> float:
    took = list[float]()
    for _ in range(TIMES):
        began = time.perf_counter()
        action()
        took.append(time.perf_counter() - began)
    return min(took)
