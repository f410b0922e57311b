"""`make bench`: what a tick and a renewal cost as the fleet and its queues grow, as ratios in one run.

A tick should cost what changes: nothing more for what waits, and next to nothing more for what runs. A renewal of all
leases grows with the leases.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from scheduler.engine.capacity import Bounds
from scheduler.engine.tick import TickLimits, tick
from scheduler.state.store import Lease, Renewal, Store
from scheduler.state.submission import submit
from tests.nights.simulation import Post
from tests.scheduler.plans import single, submission
from tests.support import FakeClock, redis_server

SIZES = ((50, 2_000), (500, 50_000))  # attempts under way, stages that wait
TIMES = 60


def main() -> None:
    """Measure each size on a server of its own, and compare."""
    times = [measured(*size) for size in SIZES]
    for (running, waiting), (ticked, renewed) in zip(SIZES, times, strict=True):
        figures = f"a tick that finds nothing {ticked:6.2f} ms, a renewal of all leases {renewed:6.2f} ms"
        say(f"{running:>4} run, {waiting:>7,} wait: {figures}")
    (tick_small, renewal_small), (tick_large, renewal_large) = times
    leases = f"a renewal of ten times the leases: x{renewal_large / renewal_small:.2f}"
    say(f"a tick: x{tick_large / tick_small:.2f}; {leases}")


def measured(running: int, waiting: int) -> tuple[float, float]:
    """Median milliseconds of an idle tick, and of one renewal of every lease."""
    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder)) as server:
        store, nudges = Store(server.client(), FakeClock()), Post()
        submit(store, submission(single("s", running + waiting)))
        limits = TickLimits(Bounds(floor=running, ceiling=running, start=running), stall=1e9)
        leases: list[Lease] = []
        store.report_worker("w", threads=2 * running, busy=0, ttl=1e6)
        while not tick(store, nudges, limits).idle:
            while nudges.sent:
                stage, attempt = nudges.sent.popleft()
                lease = store.claim(stage, attempt=attempt, worker="w", lease=1e6)
                leases += [] if lease is None else [lease]
        assert len(leases) == running
        renewals = [Renewal(lease, 0.0, 0.0) for lease in leases]
        for lease in leases:
            store.report_signal(lease, "active", ago=0)
        return timed(lambda: tick(store, nudges, limits)), timed(lambda: store.renew(renewals, lease=1e6))


def timed(action: Callable[[], object]) -> float:
    took = []
    for _ in range(TIMES):
        began = time.perf_counter()
        action()
        took.append(1000 * (time.perf_counter() - began))
    return statistics.median(took)


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
