"""Define the Celery app and its options, and start and stop the threads of a worker process.

The options are measured; the record is docs/decisions/0003. It opens Redis, and it does not touch
Tinker before the worker is ready.
"""

import logging
import os
import socket
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import (
    celeryd_after_setup,
    setup_logging,
    worker_init,
    worker_ready,
    worker_shutdown,
    worker_shutting_down,
)

from scheduler.artefacts import Artefacts
from scheduler.engine.breaker import Timing
from scheduler.engine.dispatch import QUEUE, TRANSPORT, count_waiting
from scheduler.errors import LayoutRefused, SettingsDisagree
from scheduler.plugins.containment.sandbox import read_limits
from scheduler.processes.disk_usage import list_local_folders
from scheduler.processes.json_log import start_logging
from scheduler.processes.membership import join_fleet, read_shared_settings
from scheduler.processes.secret_files import load_secrets
from scheduler.proxies import spare_this_machine
from scheduler.settings import Settings, read_settings
from scheduler.state.connection import RedisError, connect, make_broker_settings
from scheduler.state.layout import check_layout
from scheduler.state.server.embedded_redis import find_server_url
from scheduler.state.store import Store
from scheduler.state.workers import name_process
from sweeps.cost import Rates
from worker.attempt import WorkerContext
from worker.examples import Examples
from worker.leases import Leases
from worker.maintenance.canary import Canaries
from worker.maintenance.daily_cleaning import DailyCleaning
from worker.maintenance.disk_watch import DiskWatch
from worker.maintenance.housekeeping import Housekeeping
from worker.maintenance.watchdog import Watchdog
from worker.memory_arenas import limit_arenas
from worker.pool_arguments import find_contradiction
from worker.sdk.endpoints import make_endpoints
from worker.sdk.rate_limiter import make_rate_limiters

# Orders that a worker takes from whoever reaches the broker, beside questions (which Flower asks). Others could change
# its threads, make it import a module or end it: `sweep drain` and the supervisor do that.
ORDERS = {"enable_events", "disable_events", "heartbeat", "cancel_consumer"}
DEBUGGING = {"memdump", "memsample", "objgraph"}  # questions that write files, or take long
JOINS = 60.0  # seconds within which a new member reports itself

limit_arenas()  # before there are threads
spare_this_machine()  # before the SDK looks
load_secrets()
settings: Settings = read_settings()

app = Celery("tinker-sweeps", include=["worker.tasks"])
app.conf.update(
    **make_broker_settings(find_server_url(settings), TRANSPORT),
    task_default_queue=QUEUE,
    # A Tinker client does not survive a fork. An argument that says otherwise is refused in `_prepare`.
    worker_pool="threads",
    worker_concurrency=settings.threads,
    # Early: with late acknowledgement, a short break of the connection runs a stage twice. Leases recover lost work.
    task_acks_late=False,
    # A message that a busy worker holds back is a stage that a free worker cannot get.
    worker_prefetch_multiplier=1,
    worker_disable_prefetch=True,
    # Results live in our own hashes: one source, and no extra key per task.
    task_ignore_result=True,
    result_backend=None,
    # Messages carry only names and numbers; a pickle could carry an API key.
    task_serializer="json",
    accept_content=["json"],
    # Flower shows these events.
    worker_send_task_events=True,
    task_send_sent_event=False,
    # Redis may start after us and may go away: wait for it forever; leases bound the cost.
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    # Threads cannot be cancelled from outside, and trying duplicates tasks.
    worker_cancel_long_running_tasks_on_connection_loss=False,
    # We format the logs; Celery must not take over the root logger's handlers.
    worker_redirect_stdouts=False,
    timezone="UTC",
    enable_utc=True,
)

_context: WorkerContext | None = None


def get_context() -> WorkerContext:
    """Return what the attempts of this process share."""
    assert _context is not None, "this process is not a worker"
    return _context


@worker_init.connect
def _prepare(**_: object) -> None:
    """Build the context. It must not touch Tinker: the SDK's threads must not exist before the worker's own."""
    global _context  # noqa: PLW0603 - one per process, made when the process becomes a worker
    _refuse_orders()
    store = Store(connect(find_server_url(settings)))
    with suppress(RedisError):  # a Redis that is away now is looked at before the first write
        _refuse_other_layout(store)
    artefacts = Artefacts(settings.store)
    about: dict[str, str | int] = {"host": socket.gethostname(), "pid": os.getpid()}
    leases = Leases(
        store,
        worker=name_process(),
        threads=settings.threads,
        seconds=settings.lease,
        grace=settings.grace,
        stall=settings.stall,
        parking=Timing(settings.silence).parking,
        about=about,
        shared=read_shared_settings(settings),
    )
    disks = DiskWatch(about, [*list_local_folders(settings), Path(tempfile.gettempdir())])
    disks.start()
    worker_shutdown.connect(lambda **_: disks.stop(), weak=False)
    _context = WorkerContext(
        store,
        artefacts,
        leases,
        Examples(artefacts),
        make_endpoints(settings),
        make_rate_limiters(store.client, settings, about),
        read_limits(settings),
        settings.environments,
    )


def _refuse_orders() -> None:
    """Forget the commands of Celery's remote control that a worker does not obey."""
    from celery.worker.control import Panel  # brings the worker's machinery, and only a worker has it

    for name, facts in Panel.meta.items():
        if name in DEBUGGING or (facts.type == "control" and name not in ORDERS):
            Panel.data.pop(name, None)


def _log_as_json(loglevel: int = logging.INFO, **_: object) -> None:
    """Take the logs from Celery, which would format them itself."""
    start_logging("json", loglevel)


if settings.observation.log == "json":
    setup_logging.connect(_log_as_json)


@celeryd_after_setup.connect
def _refuse_other_pool(instance: Any, **_: object) -> None:
    pool, concurrency = instance.pool_cls.__module__, instance.concurrency
    if problem := find_contradiction(pool, concurrency, instance.autoscale, threads=settings.threads):
        sys.exit(f"Error: {problem}")


def _refuse_other_layout(store: Store) -> None:
    """End the worker if another version wrote the state: a worker can be started by hand, without `sweep up`."""
    try:
        check_layout(store.client, find_server_url(settings))
    except LayoutRefused as error:
        sys.exit(f"Error: {error}")


@worker_ready.connect
def _begin(sender: Any, **_: object) -> None:
    leases, store = get_context().leases, get_context().store
    client = store.client
    _refuse_other_layout(store)
    try:
        join_fleet(store, leases.worker, read_shared_settings(settings), JOINS)
    except SettingsDisagree as error:
        sys.exit(f"Error: {error}")
    leases.on_drain = lambda draining: _receive_messages(sender, receive=not draining)
    leases.start()
    Watchdog(leases, lambda: count_waiting(client), patience=settings.deaf, grace=settings.grace).start()
    housekeeping = Housekeeping(
        get_context(),
        period=settings.housekeeping,
        lag=settings.usage_lag,
        rates=_read_rates,
    )
    housekeeping.start()
    worker_shutdown.connect(lambda **_: housekeeping.stop(), weak=False)  # not awaited: the duty expires
    cleaning = DailyCleaning(store, leases.worker)
    cleaning.start()
    worker_shutdown.connect(lambda **_: cleaning.stop(), weak=False)
    canaries = Canaries(get_context(), Timing(settings.silence))
    canaries.start()
    worker_shutdown.connect(lambda **_: canaries.stop(), weak=False)


def _read_rates(model: str) -> Rates:
    """Read the prices of a model. Raises SpecError."""
    from scheduler.prepare import read_price_book  # it brings the planner, and only lost writes are priced here

    return read_price_book(settings).rates(model)


def _receive_messages(consumer: Any, *, receive: bool) -> None:
    """Stop or resume taking messages from the queue, on the consumer's own thread."""
    consumer.call_soon(consumer.add_task_queue if receive else consumer.cancel_task_queue, QUEUE)


@worker_shutting_down.connect
def _leave(**_: object) -> None:
    """Ask every attempt to end at its next step; exit hard after the grace."""
    threading.Thread(
        target=get_context().leases.leave, daemon=True
    ).start()  # a signal handler must not wait for a lock
    hard = threading.Timer(settings.grace, os._exit, args=(0,))
    hard.daemon = True
    hard.start()


@worker_shutdown.connect
def _end(**_: object) -> None:
    get_context().leases.stop()
