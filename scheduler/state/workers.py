"""Name processes, let them report, read which workers are alive, and forget silent ones."""

import json
import os
import secrets
import socket
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from scheduler.state import keys
from scheduler.state.connection import Client
from scheduler.state.store import Store

REPORT_LASTS = 5  # seconds for which the report of a scheduler counts
INSTANCE = "SWEEP_INSTANCE"  # the variable by which a supervisor passes the random part of a name


@cache
def name_process() -> str:
    """Name this process as no other is named: two containers may share the name of their host and the number 1.

    A supervisor chooses the last part of the names of its processes, so that it knows them.
    """
    return make_process_name(os.getpid(), os.environ.get(INSTANCE) or make_instance())


def make_process_name(pid: int, instance: str) -> str:
    """Make the name of a process of this machine."""
    return f"{socket.gethostname()}-{pid}-{instance}"


def make_instance() -> str:
    """Make the random part of a process's name."""
    return secrets.token_hex(3)


class TickReport(NamedTuple):
    """What a scheduler reports of its ticks."""

    at: int = 0  # when the last one ended, in milliseconds; 0: it has not ticked, because it does not lead
    seconds: float = 0.0  # that the last one took


def report_scheduler(client: Client, name: str, ticked: TickReport = TickReport()) -> None:  # noqa: B008 - a constant
    """Report that a scheduler is alive, and how it ticks; the report expires soon."""
    client.set(keys.scheduler(name), json.dumps(ticked), ex=REPORT_LASTS)


def read_leader(client: Client) -> tuple[str, TickReport]:
    """Return the name of the scheduler that leads, and its report; "" if none does."""
    name = client.get(keys.LEADER) or ""
    text = client.get(keys.scheduler(name)) if name else None
    return name, TickReport(*json.loads(text)) if text else TickReport()


def find_missing_reports(client: Client, reports: Sequence[str]) -> set[str]:
    """Return which of these keys, the reports of processes, have expired.

    Raise RedisError if the server takes no writes, because then nothing can report.
    """
    client.setrange(keys.FENCE, 0, "")  # changes nothing
    pipe = client.pipeline(transaction=False)
    for report in reports:
        pipe.exists(report)
    return {report for report, exists in zip(reports, pipe.execute() if reports else [], strict=True) if not exists}


def read_live_workers(store: Store) -> dict[str, dict[str, str]]:
    """Return the workers that reported lately, with their reports. Forget silent workers."""
    names = sorted(store.client.smembers(keys.WORKERS))
    pipe = store.client.pipeline(transaction=False)
    for name in names:
        pipe.hgetall(keys.worker(name))
    heard = dict(zip(names, pipe.execute(), strict=True))
    if silent := [name for name, report in heard.items() if not report]:
        store.client.srem(keys.WORKERS, *silent)  # a worker that only paused adds itself again with its next report
        store.client.srem(keys.DRAINING, *silent)
    return {name: report for name, report in heard.items() if report}
