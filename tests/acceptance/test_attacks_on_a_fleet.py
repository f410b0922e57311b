"""What somebody tries who sees the processes of a fleet, its Flower or its broker."""

import sys
from pathlib import Path

import httpx
import pytest

from scheduler.processes.addresses import Addresses, read_addresses
from tests.acceptance.command import Desk

PAGES = ["/", "/tasks", "/broker", "/workers", "/api/workers", "/api/tasks", "/api/queues/length"]
ORDERS = ["/api/worker/shutdown/celery@x", "/api/task/async-apply/x", "/api/worker/pool/shrink/x"]


def addresses(desk: Desk) -> Addresses:
    published = read_addresses(desk.home)
    assert published is not None
    return published


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
def test_no_process_of_a_fleet_shows_a_secret(fleet_desk: Desk) -> None:
    password = addresses(fleet_desk).flower_password
    mark, seen = f"SWEEP_HOME={fleet_desk.home}", []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_text(errors="replace")
            command = (folder / "cmdline").read_text(errors="replace")
        except OSError:
            continue
        if mark in environment:
            seen.append(command)
            assert password not in environment + command
    for part in ("worker.app", "flower", "scheduler\0"):
        assert any(part in command for command in seen), part


def test_flower_tells_nobody_anything_without_its_password(fleet_desk: Desk) -> None:
    url = addresses(fleet_desk).flower_url
    assert {page: httpx.get(url + page).status_code for page in PAGES} == dict.fromkeys(PAGES, 401)
    assert {order: httpx.post(url + order).status_code for order in ORDERS} == dict.fromkeys(ORDERS, 401)
