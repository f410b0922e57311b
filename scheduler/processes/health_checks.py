"""Say whether the processes of this machine and their Redis are healthy, for the probes of containers.

It reads and starts nothing. A worker or scheduler is healthy while its reports arrive in Redis: one that hangs sends
none. While Redis does not answer, nothing could report, so nothing is known of them.
"""

import http.client
from contextlib import closing
from typing import NamedTuple
from urllib.parse import urlsplit

from scheduler.errors import SchedulerError, SettingInvalid
from scheduler.processes.addresses import read_addresses
from scheduler.settings import Settings
from scheduler.state import keys
from scheduler.state.connection import Away, Client, RedisError, connect, find_problems
from scheduler.state.server.embedded_redis import find_server_url
from scheduler.state.server.redis_address import redact_redis_url
from sweeps.formatting import format_count

ANSWER_SECONDS = 2.0  # for an answer of Redis, Flower or the page
PARTS = ("scheduler", "worker", "page", "flower", "redis")


class Unhealthy(SchedulerError):
    """A part is not healthy, or nothing can be known of it."""


class Health(NamedTuple):
    """What was found. `healthy` is None if nothing can be known, because Redis does not answer."""

    healthy: bool | None
    text: str


def check_health(settings: Settings, part: str, host: str | None) -> Health:
    """Check one of PARTS. A scheduler or worker is looked for on a host, or on any (None)."""
    if part == "flower":
        return check_flower(settings)
    if part == "page":
        return check_page(settings)
    url = find_server_url(settings)
    with closing(connect(url, retries=0, patience=ANSWER_SECONDS)) as client:
        try:
            if part == "redis":
                return check_redis(client)
            return (check_scheduler if part == "scheduler" else check_workers)(client, host)
        except Away as error:
            is_healthy = False if part == "redis" else None
            return Health(is_healthy, f"the Redis at {redact_redis_url(url)} does not answer: {error}")
        except RedisError as error:
            return Health(False, f"the Redis at {redact_redis_url(url)}: {error}")


def check_redis(client: Client) -> Health:
    """Does the server answer, keep what it acknowledges, and take writes?"""
    client.ping()
    problems = [problem.strip() for problem in find_problems(client)]
    if problems:
        return Health(False, f"this Redis is not safe to use: {'; '.join(problems)}")
    client.setrange(keys.FENCE, 0, "")  # changes nothing, and is refused by a server without memory or disk
    return Health(True, "it answers, takes writes and keeps them")


def check_scheduler(client: Client, host: str | None) -> Health:
    """Does a scheduler of the host report? One that hangs in a tick does not."""
    names = [name for name in client.zrange(keys.MEMBERS, 0, -1) if is_on(name, host)]
    pipe = client.pipeline(transaction=False)
    for name in names:
        pipe.exists(keys.scheduler(name))
    pipe.get(keys.LEADER)
    *reports, leader = pipe.execute()
    live = [name for name, reported in zip(names, reports, strict=True) if reported]
    if not live:
        return Health(False, f"no scheduler {_where(host)} reports; it has ended, or hangs")
    return Health(True, f"{live[0]} {'leads' if leader in live else 'is ready to lead'}")


def check_workers(client: Client, host: str | None) -> Health:
    """Does a worker of the host report? One that drains does."""
    pipe = client.pipeline(transaction=False)
    for name in sorted(client.smembers(keys.WORKERS)):
        pipe.hmget(keys.worker(name), ["host", "threads", "busy"])
    live = [row for row in pipe.execute() if row[1] is not None and host in (None, row[0])]
    if not live:
        return Health(False, f"no worker {_where(host)} reports; it has ended, or hangs")
    threads, busy = (sum(int(row[place]) for row in live) for place in (1, 2))
    return Health(True, f"{format_count(len(live), 'worker')}, {busy} of {threads} threads busy")


def check_flower(settings: Settings) -> Health:
    """Does Flower answer at its port?"""
    addresses = read_addresses(settings.home)
    if not settings.flower_port and (addresses is None or not addresses.flower_url):
        raise SettingInvalid("SWEEP_FLOWER_PORT: expected the port of Flower, got none, and no `sweep up` runs it here")
    return _ask_port(
        settings.flower_port or (urlsplit(addresses.flower_url).port if addresses else None), "/healthcheck"
    )


def check_page(settings: Settings) -> Health:
    """Does the page answer at its port?"""
    addresses = read_addresses(settings.home)
    _, port = settings.observation.page or ("", 0)
    if not port and (addresses is None or not addresses.page_url):
        raise SettingInvalid("SWEEP_PAGE: expected the port of the page, got none, and no `sweep up` serves it here")
    return _ask_port(port or (urlsplit(addresses.page_url).port if addresses else None), "/healthz")


def _ask_port(port: int | None, path: str) -> Health:
    """Does a process of this machine answer?"""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)  # httpx would take 0.3 s to load
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return Health(False, f"no answer at port {port}: {error}")
    finally:
        connection.close()
    return Health(status == http.client.OK, f"it answers at port {port} with status {status}")


def is_on(process: str, host: str | None) -> bool:
    """Is this the name of a process of the host? A name is `host-pid-instance`; the host may have dashes."""
    return host is None or process.rsplit("-", 2)[0] == host


def _where(host: str | None) -> str:
    return "anywhere" if host is None else f"of {host}"
