"""A probe succeeds while the process of this machine reports, and fails with a reason when it has stopped."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from scheduler.cli import sweep as command
from scheduler.errors import SettingInvalid
from scheduler.processes.health_checks import (
    Unhealthy,
    check_flower,
    check_health,
    check_page,
    check_scheduler,
    check_workers,
)
from scheduler.processes.membership import join_fleet
from scheduler.settings import Settings, read_settings
from scheduler.state import keys
from scheduler.state.store import Store
from scheduler.state.workers import report_scheduler
from tests.scheduler.night import Night
from tests.support import TRUSTED, RedisServer, redis_server

HERE = "my-host"
SCHEDULER = f"{HERE}-17-abcdef"


def settings_of(folder: Path, **variables: str) -> Settings:
    return read_settings({"SWEEP_HOME": str(folder), **variables})


def test_a_scheduler_is_healthy_while_it_reports_from_this_host(store: Store) -> None:
    assert check_scheduler(store.client, HERE).healthy is False
    join_fleet(store, SCHEDULER, {}, 60)
    report_scheduler(store.client, SCHEDULER)
    assert check_scheduler(store.client, HERE).healthy
    assert check_scheduler(store.client, None).healthy
    assert check_scheduler(store.client, "my").healthy is False, "the beginning of a name is another host"
    store.client.delete(keys.scheduler(SCHEDULER))  # as it expires while a tick hangs
    assert check_scheduler(store.client, HERE).healthy is False


def test_a_worker_is_healthy_while_it_reports_also_while_it_drains(night: Night) -> None:
    assert check_workers(night.store.client, None).healthy is False
    night.store.report_worker("w1", threads=4, busy=1, ttl=60, host=HERE)
    night.store.report_worker("w2", threads=0, busy=0, ttl=60, host=HERE)
    night.store.scripts.run("drain_worker", "w2", 1)
    assert check_workers(night.store.client, HERE).healthy
    assert check_workers(night.store.client, "elsewhere").healthy is False
    night.store.client.delete(keys.worker("w1"), keys.worker("w2"))
    assert check_workers(night.store.client, HERE).healthy is False


def test_a_server_is_healthy_if_it_keeps_what_it_acknowledges(redis: RedisServer, tmp_path: Path) -> None:
    forgetful = settings_of(tmp_path, REDIS_URL=redis.url)
    assert check_health(forgetful, "redis", None).healthy is False
    with redis_server(tmp_path, TRUSTED) as safe:
        settings = settings_of(tmp_path, REDIS_URL=safe.url)
        assert check_health(settings, "redis", None).healthy
    assert check_health(settings, "redis", None).healthy is False
    for part in ("scheduler", "worker"):
        assert check_health(settings, part, HERE).healthy is None, "nothing could report"


def test_a_probe_that_restarts_does_not_restart_what_waits_for_redis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", f"unix://{tmp_path / 'nobody'}")
    run = CliRunner().invoke
    assert run(command, ["health", "worker", "--liveness"]).exit_code == 0
    for words in (["worker"], ["redis"], ["redis", "--liveness"]):
        assert isinstance(run(command, ["health", *words]).exception, Unhealthy)


@pytest.fixture
def port() -> Iterator[int]:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in ("/healthcheck", "/healthz") else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_flower_is_healthy_while_it_answers_at_its_port(port: int, tmp_path: Path) -> None:
    assert check_flower(settings_of(tmp_path, SWEEP_FLOWER_PORT=str(port))).healthy
    assert check_flower(settings_of(tmp_path, SWEEP_FLOWER_PORT="1")).healthy is False
    with pytest.raises(SettingInvalid):
        check_flower(settings_of(tmp_path))


def test_the_page_is_healthy_while_it_answers_at_its_port(port: int, tmp_path: Path) -> None:
    assert check_page(settings_of(tmp_path, SWEEP_PAGE=str(port))).healthy
    assert check_page(settings_of(tmp_path, SWEEP_PAGE="0.0.0.0:1")).healthy is False
    with pytest.raises(SettingInvalid):
        check_page(settings_of(tmp_path, SWEEP_PAGE="off"))
