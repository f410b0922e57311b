"""Serve the metrics of the fleet to Prometheus, from a thread of the scheduler (SWEEP_METRICS).

It listens on the loopback address, or elsewhere with a token. It reads the store and writes nothing, and whatever goes
wrong here keeps no scheduler from its work.
"""

import hmac
import http.server
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import NamedTuple

from scheduler.errors import SettingInvalid
from scheduler.processes.fleet_metrics import MetricFamily, read_metrics
from scheduler.settings import METRICS_TOKEN
from scheduler.state.connection import RedisError
from scheduler.state.store import Store

PREFIX = "tinker_sweeps_"
PATH = "/metrics"
PATIENCE = 5.0  # seconds for a request to arrive

log = logging.getLogger("scheduler.metrics")


class Page(NamedTuple):
    """An answer to a request."""

    status: HTTPStatus
    type: str
    body: bytes


def start_metrics_server(
    store: Store, scheduler: str, address: tuple[str, int], token: str = ""
) -> http.server.ThreadingHTTPServer | None:
    """Serve until the process ends. Return None if the address cannot be had: the log says why."""
    lock = threading.Lock()  # one look at a time, however many ask

    class Handler(http.server.BaseHTTPRequestHandler):
        timeout = PATIENCE

        def do_GET(self) -> None:
            with lock:
                page = answer(store, scheduler, self.path, self.headers.get("Authorization", ""), token)
            self.send_response(page.status)
            self.send_header("Content-Type", page.type)
            self.send_header("Content-Length", str(len(page.body)))
            self.end_headers()
            self.wfile.write(page.body)

        def log_message(self, *_: object) -> None:
            """Log nothing: every scrape would be a line."""

    try:
        server = http.server.ThreadingHTTPServer(address, Handler)
    except OSError as error:
        log.error("SWEEP_METRICS: cannot listen at %s:%d: %s; no metrics are served", *address, error.strerror)  # noqa: TRY400
        return None
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


def answer(store: Store, scheduler: str, path: str, authorization: str, token: str) -> Page:
    """Answer a request for `path` with this Authorization header."""
    if path.partition("?")[0] != PATH:
        return _say(HTTPStatus.NOT_FOUND, f"metrics are at {PATH}")
    if token and not hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode()):
        return _say(HTTPStatus.UNAUTHORIZED, "expected the token of SWEEP_METRICS_TOKEN as `Authorization: Bearer …`")
    try:
        families = read_metrics(store, scheduler)
    except RedisError:
        return _say(HTTPStatus.SERVICE_UNAVAILABLE, "Redis does not answer")
    except Exception:
        log.exception("cannot read the metrics")
        return _say(HTTPStatus.INTERNAL_SERVER_ERROR, "a bug of ours: the log of the scheduler has it")
    return render(families)


def render(families: Sequence[MetricFamily]) -> Page:
    """Write metrics in the text format of Prometheus."""
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest  # only where it is asked
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
    from prometheus_client.registry import Collector

    class Families(Collector):
        def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
            for family in families:
                build = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
                metric = build(PREFIX + family.name, family.help, labels=family.labels)
                for labels, value in family.samples.items():
                    metric.add_metric(labels, value)
                yield metric

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Families())
    return Page(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(registry))


def read_token(address: tuple[str, int]) -> str:
    """Read the token. Raise SettingInvalid where one is needed: elsewhere than on the loopback address."""
    token = os.environ.get(METRICS_TOKEN, "")
    if not token and address[0] not in ("127.0.0.1", "::1", "localhost"):
        raise SettingInvalid(f"{METRICS_TOKEN}: expected a token, because SWEEP_METRICS names {address[0]}; got none")
    return token


def _say(status: HTTPStatus, text: str) -> Page:
    return Page(status, "text/plain; charset=utf-8", f"{text}\n".encode())
