"""A state that another version wrote is refused by every command, and not one key of it changes.

`layout_1.json` is what the code before layout 2 left of a half-finished sweep: one stage succeeded, one was given back
with a checkpoint and a cost that is not reconciled, one waits.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scheduler.errors import LayoutRefused
from scheduler.state import keys
from scheduler.state.connection import Client, check_server
from scheduler.state.layout import LAYOUT, check_layout
from scheduler.state.store import Store
from tests.acceptance.command import ROOT, Desk
from tests.scheduler.night import LEASE, Night, read_everything
from tests.scheduler.plans import single
from tests.support import TRUSTED, RedisServer, redis_server

STATE = json.loads((Path(__file__).parent / "layout_1.json").read_text())
EXAMPLE = str(ROOT / "examples" / "demo_scaling.yaml")
COMMANDS = {
    "status": ("status",),
    "status of the sweep": ("status", "half"),
    "submit": ("submit", EXAMPLE),
    "run": ("run", EXAMPLE),
    "up": ("up",),
    "pause": ("pause", "half"),
    "cancel": ("cancel", "half"),
}


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("trusted"), TRUSTED) as server:
        yield server


@pytest.fixture
def old(trusted: RedisServer) -> Iterator[Client]:
    """A server with the half-finished sweep of layout 1."""
    client = trusted.client()
    client.flushall()
    pipe: Any = client.pipeline()
    put: dict[str, Callable[[str, Any], object]] = {
        "string": pipe.set,
        "hash": lambda key, value: pipe.hset(key, mapping=value),
        "set": lambda key, value: pipe.sadd(key, *value),
        "zset": pipe.zadd,
        "list": lambda key, value: pipe.rpush(key, *value),
    }
    for key, (kind, value) in STATE.items():
        put[kind](key, value)
    pipe.execute()
    yield client
    client.close()


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_a_command_refuses_the_state_of_an_earlier_version(
    old: Client, trusted: RedisServer, tmp_path: Path, words: tuple[str, ...]
) -> None:
    before = read_everything(old)
    result = Desk(tmp_path).call(*words, REDIS_URL=trusted.url)
    assert result.status == 1, result
    for part in (f"layout {LAYOUT}", "layout 1", "SWEEP_HOME", "REDIS_URL"):
        assert part in result.err, result
    assert read_everything(old) == before


def test_a_worker_that_is_started_by_hand_refuses_it_too(old: Client, trusted: RedisServer, tmp_path: Path) -> None:
    before = read_everything(old)
    words = [sys.executable, "-m", "celery", "-A", "worker.app", "worker", "--pool", "threads", "--concurrency", "1"]
    variables = {**os.environ, "REDIS_URL": trusted.url, "SWEEP_HOME": str(tmp_path)}
    done = subprocess.run(words, env=variables, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done
    for part in (f"layout {LAYOUT}", "layout 1", "SWEEP_HOME", "REDIS_URL"):
        assert part in done.stderr, done
    assert read_everything(old) == before


def test_a_message_about_the_state_of_an_earlier_version_is_not_claimed(old: Client) -> None:
    old.hset(keys.stage("train-n8s0"), mapping={"state": "dispatched"})
    before = read_everything(old)
    assert Store(old).claim("train-n8s0", attempt=1, worker="w", lease=LEASE) is None
    assert read_everything(old) == before


def test_a_state_of_a_later_version_is_refused(old: Client, trusted: RedisServer) -> None:
    old.set(keys.LAYOUT, LAYOUT + 1)
    with pytest.raises(LayoutRefused, match=f"layout {LAYOUT + 1}"):
        check_server(old, trusted.url)


def test_an_empty_state_is_taken_and_the_first_sweep_notes_the_layout(trusted: RedisServer, night: Night) -> None:
    client = trusted.client()
    client.flushall()
    check_server(client, trusted.url)
    assert read_everything(client) == {}
    night.submit(single("s", 1))
    assert night.store.client.get(keys.LAYOUT) == str(LAYOUT)


def test_a_sweep_that_is_opened_while_the_layout_is_checked_is_no_other_version(
    trusted: RedisServer, night: Night
) -> None:
    """Two commands begin on an empty state: the one opens its sweep between any two reads of the other."""

    class Interrupted:
        """Answers like the server, but a sweep is opened after the first read."""

        reads = 0

        def __getattr__(self, name: str) -> Any:
            def read(*arguments: Any) -> Any:
                answer = getattr(night.store.client, name)(*arguments)
                self.reads += 1
                if self.reads == 1:
                    night.submit(single("s", 1))
                return answer

            return read

    interrupted: Any = Interrupted()
    check_layout(interrupted, trusted.url)
    assert interrupted.reads > 1
