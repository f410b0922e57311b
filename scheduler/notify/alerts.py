"""Tell the people who run a fleet that something is wrong which no retry repairs, and that it is over.

The leader looks now and then. What is wrong is a pure function of what it sees; the verb `watch_alert` remembers since
when, so that an alert is sent once, whoever leads. docs/how-to/runbook.md says what to do for each.
"""

import json
import socket
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scheduler.engine.fleet import find_oldest_ready
from scheduler.notify.alert_limits import FORMS, OFF, AlertLimits
from scheduler.processes.disk_usage import list_local_folders, measure_disks
from scheduler.settings import Settings
from scheduler.state import keys
from scheduler.state.milliseconds import count_milliseconds
from scheduler.state.server.failover import Books, read_books
from scheduler.state.store import Store
from scheduler.state.workers import read_live_workers
from scheduler.waiting_reasons import describe_books
from sweeps.formatting import format_count

LOOK_EVERY = 10.0  # seconds
SLACK = 0.03  # share by which what was nearly full must fall until it no longer is
LASTING = ("no_worker", "books_closed")  # alerts whose limit is a time for which something is wrong


@dataclass(frozen=True)
class FleetFacts:
    """What the alerts depend on."""

    workers: int = 0  # that run, draining ones too
    ready: bool = False  # a stage is ready that a sweep pays for now
    lost_in_a_row: int = 0  # leases that ran out since any stage made progress
    memory: float = 0.0  # share of the memory of Redis that is used
    disks: Mapping[str, float] = field(default_factory=dict)  # "FOLDER on HOST" -> share of its disk that is used
    books: Books = field(default_factory=Books)


def find_alerts(facts: FleetFacts, limits: AlertLimits, under_way: Collection[str]) -> dict[str, str]:
    """Return what is wrong now: alert -> detail. `under_way` are the alerts that were sent and are not over."""
    return dict(_list_alerts(facts, limits, under_way))


def _list_alerts(facts: FleetFacts, limits: AlertLimits, under_way: Collection[str]) -> Iterator[tuple[str, str]]:
    if facts.ready and not facts.workers and limits.no_worker < OFF:
        yield "no_worker", "start some with `sweep up`"
    if facts.lost_in_a_row >= limits.leases_lost or (facts.lost_in_a_row and "leases_lost" in under_way):
        yield "leases_lost", f"{format_count(facts.lost_in_a_row, 'lease')} ran out, and no stage made progress since"
    for alert, shares in (("disk", facts.disks), ("memory", {"Redis": facts.memory})):
        limit = getattr(limits, alert) - (SLACK if alert in under_way else 0.0)
        if full := [f"{name}: {share:.0%} used" for name, share in sorted(shares.items()) if share >= limit]:
            yield alert, "; ".join(full)
    if facts.books.closed and limits.books_closed < OFF:
        yield "books_closed", describe_books(facts.books)
    if is_uncertain(facts.books, limits.books_uncertain):
        yield "books_uncertain", describe_books(facts.books)


def is_uncertain(books: Books, limit: float) -> bool:
    """Are the books uncertain by more than so many US dollars? An unknown amount is more than any limit."""
    if limit == OFF or not (books.attempts or books.untold):
        return False
    amounts = [most for _, most in books.untold.values()]
    return None in amounts or sum(filter(None, amounts), books.doubtful) > limit * 1e6 or not limit


class AlertWatch:
    """Looks now and then for what is wrong. One process of the fleet should look: the leader."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._limits = settings.observation.alerts
        self._folders = list_local_folders(settings)
        self._look_at = 0.0

    def look_if_due(self) -> None:
        """Look if it is time. Raise RedisError."""
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_EVERY
            self.look()

    def look(self) -> None:
        """Compare what is wrong with what was sent, and send what is new or over."""
        under_way = read_alerts(self._store)
        wrong = find_alerts(read_fleet_facts(self._store, self._folders), self._limits, under_way)
        for alert in FORMS:
            if alert in wrong or self._store.client.hexists(keys.ALERTS, alert):
                limit = getattr(self._limits, alert)
                patience = count_milliseconds(limit) if alert in LASTING and limit < OFF else 0
                self._store.scripts.run("watch_alert", alert, int(alert in wrong), patience, wrong.get(alert, ""))


def read_alerts(store: Store) -> dict[str, str]:
    """Read the alerts that were sent and are not over: alert -> detail."""
    rows = {alert: json.loads(text) for alert, text in store.client.hgetall(keys.ALERTS).items()}
    return {alert: str(row["detail"]) for alert, row in rows.items() if row["told"]}


def read_fleet_facts(store: Store, folders: Collection[Path]) -> FleetFacts:
    """Read what the alerts depend on; the disks are those of this machine, and those that workers report."""
    memory = store.client.info("memory")
    most = int(memory.get("maxmemory", 0)) or int(memory.get("total_system_memory", 0))
    workers = read_live_workers(store)
    own = {f"{folder} on {socket.gethostname()}": share for folder, share in measure_disks(folders).items()}
    return FleetFacts(
        workers=len(workers),
        ready=find_oldest_ready(store) is not None,
        lost_in_a_row=int(store.client.hget(keys.LOSSES, "in_a_row") or 0),
        memory=int(memory.get("used_memory", 0)) / most if most else 0.0,
        disks=own | _read_disks(workers),
        books=read_books(store),
    )


def _read_disks(workers: Mapping[str, Mapping[str, str]]) -> dict[str, float]:
    """Read the fullest disk of each worker; several on one machine report the same."""
    reports = [report for report in workers.values() if "disk" in report]
    return {f"{report['disk']} on {report['host']}": float(report["disk_used"]) for report in reports}
