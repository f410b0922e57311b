"""A right that Redis takes from our user at run time is named as it is at the start, and is no bug: real ACL users."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from scheduler.cli import main
from scheduler.cli.doctor import _check_bugs
from scheduler.engine.dispatch import Nudges
from scheduler.engine.loop import Scheduler
from scheduler.settings import read_settings
from scheduler.state import keys
from scheduler.state.bug_log import read_bugs
from scheduler.state.connection import connect
from scheduler.state.missing_rights import read_refusal
from scheduler.state.store import Store
from tests.scheduler.night import Night
from tests.scheduler.plans import single
from tests.support import TRUSTED, FakeClock, redis_server
from tests.wording import lacks


@dataclass
class Limited:
    """A server, and a user of it whose rights the test changes."""

    url: str
    admin: Any
    store: Store

    def change(self, *rules: str) -> None:
        self.admin.execute_command("ACL", "SETUSER", "ada", *rules)


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Limited]:
    (tmp_path / "redis").mkdir()
    with redis_server(tmp_path / "redis", TRUSTED) as server:
        admin: Any = server.client()
        admin.execute_command("ACL", "SETUSER", "ada", "on", ">right", "~*", "&*", "+@all")
        url = server.url.replace("unix://", "unix://ada:right@")
        client = connect(url, retries=0)
        yield Limited(url, admin, Store(client))
        client.close()
        admin.close()


@pytest.mark.parametrize("command", ["hset", "zadd", "incr", "info"])
def test_nothing_starts_and_every_command_says_the_line_to_add(
    limited: Limited, tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    variables = {"SWEEP_HOME": str(tmp_path / "home"), "REDIS_URL": limited.url}
    settings, nudges = read_settings(variables), Nudges(limited.url)
    Night(limited.store, FakeClock()).submit(single("s", 2))
    scheduler = Scheduler(limited.store, nudges, settings)
    limited.store.report_worker("w1", threads=8, busy=0, ttl=600)
    limited.change(f"-{command}")
    scheduler.run_tick()
    assert read_bugs(limited.store) == []
    refusal = read_refusal(limited.store.client)
    assert not lacks(refusal, "ACL SETUSER")
    assert f"+{command}" in refusal or "+@write" in refusal, "old servers do not name what a verb may not do"
    limited.change(f"+{command}")  # what the scheduler met is said to those who are allowed everything, too
    assert [finding.verdict for finding in _check_bugs(settings)] == ["wrong"]
    with patch.dict(os.environ, variables), pytest.raises(SystemExit) as ended:
        main(["watch", "s"])
    assert ended.value.code == 1
    printed = capsys.readouterr().err
    assert refusal in printed
    assert "bug" not in printed
    assert limited.admin.zcard(keys.state("dispatched")) == 0
    limited.admin.delete(keys.REFUSAL)  # it expires
    scheduler.run_tick()
    assert limited.admin.zcard(keys.state("dispatched")) == 2
    nudges.close()
