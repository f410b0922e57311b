"""The scheduler process: it ticks while it leads, and ticks again soon while there is something to do."""

import logging
import signal
import threading
import time
from contextlib import suppress
from types import FrameType

from scheduler.engine.breaker import Timing
from scheduler.engine.dispatch import Nudges
from scheduler.engine.fleet import read_service
from scheduler.engine.request_meter import RequestMeter
from scheduler.engine.round_keeper import RoundKeeper
from scheduler.engine.tick import TickLimits, tick
from scheduler.errors import SettingsDisagree
from scheduler.notify.alerts import AlertWatch
from scheduler.notify.sender import NoticeSender
from scheduler.processes.membership import join_fleet, leave_fleet, read_shared_settings
from scheduler.processes.metrics_server import read_token, start_metrics_server
from scheduler.services import SERVICES, make_lane
from scheduler.settings import Settings
from scheduler.state.bug_log import forget_bugs, record_bug
from scheduler.state.connection import Away, RedisError, check_server, connect, find_problems
from scheduler.state.milliseconds import count_milliseconds
from scheduler.state.server.embedded_redis import find_server_url
from scheduler.state.server.failover import ServerWatch
from scheduler.state.service_series import note_requests, note_slots
from scheduler.state.store import Store
from scheduler.state.workers import (
    REPORT_LASTS,
    TickReport,
    name_process,
    read_live_workers,
    report_scheduler,
)
from sweeps.stage import MICRO

LEAD = 10.0  # seconds for which a leader leads without renewal; a shorter lease shortens it
CLAIM = (5.0, 1 / 3)  # a worker has this many seconds, or this share of a lease, to claim a stage
NOTE = 60.0  # seconds between two notes of the slots that are taken
LOOK = 30.0  # seconds between two checks of the server
PAUSE = 0.1  # seconds between two ticks that found nothing to do
TROUBLE = 2.0  # seconds between two tries while Redis is in trouble, so that the log does not fill the disk

log = logging.getLogger("scheduler")


def run(settings: Settings) -> None:
    """Tick until SIGTERM or SIGINT. Any number of schedulers may run; one of them leads."""
    stop = _stop_on_signal()
    url = find_server_url(settings)
    client = connect(url)
    check_server(client, url)
    store = Store(client)
    forget_bugs(store)
    join_fleet(store, name_process(), read_shared_settings(settings), REPORT_LASTS)
    scheduler, sender = (
        Scheduler(store, Nudges(url), settings),
        NoticeSender(store, settings.notify, url=settings.store),
    )
    keeper = RoundKeeper(store, name_process(), settings.store)
    sender.start()
    keeper.start()
    if address := settings.observation.metrics:
        start_metrics_server(store, name_process(), address, read_token(address))
    while not stop.is_set():
        stop.wait(scheduler.run_tick())
    sender.stop()
    keeper.stop()
    scheduler.leave()


def make_tick_limits(settings: Settings) -> TickLimits:
    """Make the limits of a tick from the settings."""
    least, share = CLAIM
    claim = max(least, share * settings.lease)
    return TickLimits(settings.bounds, settings.stall, claim, settings.weights, Timing(settings.silence))


def make_fleet_limits(settings: Settings) -> dict[str, int]:
    """Make the limits that the leader writes for the verbs: lane or day -> number."""
    capped = {make_lane(model): most for model, most in settings.model_slots.items()}
    if settings.day_budget is None:
        return capped
    return capped | {f"day:{service}": round(settings.day_budget * MICRO) for service in SERVICES}


class Scheduler:
    """One of any number of schedulers, of which one leads."""

    def __init__(self, store: Store, nudges: Nudges, settings: Settings) -> None:
        self._store = store
        self._nudges = nudges
        self._limits = make_tick_limits(settings)
        self._fleet_limits = make_fleet_limits(settings)
        self._name = name_process()
        self._shared = read_shared_settings(settings)
        self._lead = count_milliseconds(min(LEAD, settings.lease))
        self._watch = ServerWatch()
        self._alerts = AlertWatch(store, settings)
        self._ticked = TickReport()
        self._requests = RequestMeter()
        self._look_at = self._write_at = self._report_at = self._note_at = 0.0

    def run_tick(self) -> float:
        """Tick if we lead. Return the seconds until the next tick. Wait for a Redis in trouble as long as it takes."""
        try:
            if problems := self._find_problems():  # before the first write, which a replica refuses without its reason
                log.error("Redis is not safe to use, so nothing new starts:\n%s", "\n".join(problems))
                self._report()
                return TROUBLE
            self._report()
            if not self._store.scripts.run("take_duty", self._name, self._lead):
                return PAUSE
            self._write_limits()
            self._alerts.look_if_due()
            self._note_services()
            return PAUSE if self._tick() else 0
        except SettingsDisagree:
            raise  # the others joined while Redis or we were away
        except Away as error:
            log.warning("Redis is in trouble (%s); trying again", error)
            return TROUBLE
        except Exception as error:  # noqa: BLE001 - status names it, and nothing new starts meanwhile
            record_bug(self._store, error, "scheduler")
            return TROUBLE

    def _tick(self) -> bool:
        """Tick once. Return whether there was nothing to do."""
        began = time.monotonic()
        idle = tick(self._store, self._nudges, self._limits).idle
        self._ticked = TickReport(self._store.scripts.read_time(), round(time.monotonic() - began, 6))
        return idle

    def _note_services(self) -> None:
        """Note now and then how many slots of each service are taken, and what is sent to it, for the page."""
        if time.monotonic() < self._note_at:
            return
        for name, rate in self._requests.measure(read_live_workers(self._store), time.monotonic()).items():
            note_requests(self._store, name, rate)
        for service in (read_service(self._store, name, self._limits.slots) for name in SERVICES):
            pools = service.pools.values()
            taken, limit = sum(pool.snapshot.taken for pool in pools), sum(pool.capacity.limit for pool in pools)
            note_slots(self._store, service.name, taken, limit, service.state)
        self._note_at = time.monotonic() + NOTE

    def _report(self) -> None:
        """Report now and then that we are alive, so that the supervisor replaces us if we stop for ever."""
        if time.monotonic() >= self._report_at:
            report_scheduler(self._store.client, self._name, self._ticked)
            join_fleet(self._store, self._name, self._shared, REPORT_LASTS)
            self._watch.look(self._store)
            self._report_at = time.monotonic() + 1.0

    def _find_problems(self) -> list[str]:
        """Check the server's configuration now and then, and at each tick while there is a problem."""
        if time.monotonic() < self._look_at:
            return []
        problems = find_problems(self._store.client)
        self._look_at = 0.0 if problems else time.monotonic() + LOOK
        return problems

    def _write_limits(self) -> None:
        """Write the leader's limits now and then, because another leader may have written its own."""
        if time.monotonic() < self._write_at:
            return
        self._store.scripts.run("set_limits", *(word for limit in self._fleet_limits.items() for word in limit))
        self._write_at = time.monotonic() + LOOK

    def leave(self) -> None:
        """Give up the lead, so that the next scheduler need not wait until it expires."""
        with suppress(RedisError):
            self._store.scripts.run("take_duty", self._name, 0)
            leave_fleet(self._store, self._name)
        self._nudges.close()


def _stop_on_signal() -> threading.Event:
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    return stop
