"""`sweep wait` returns when sweeps have ended, with a status that says how."""

from collections.abc import Callable
from pathlib import Path

import pytest

from scheduler.cli import main, watch
from tests.scheduler.night import Night
from tests.scheduler.plans import single
from tests.support import RedisServer

STAGE = "train-0000"


@pytest.fixture
def wait(redis: RedisServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    """The command, and its status."""
    monkeypatch.setenv("REDIS_URL", redis.url)
    monkeypatch.setenv("SWEEP_HOME", str(tmp_path))
    monkeypatch.setattr("scheduler.cli.console.options.check_server", lambda _client, _url: None)  # ours forgets

    def call(*words: str) -> int:
        with pytest.raises(SystemExit) as ended:
            main(["-f", "json", "wait", *words])
        assert isinstance(ended.value.code, int)
        return ended.value.code

    return call


def test_it_returns_when_the_last_one_has_finished(
    night: Night, wait: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    night.submit(single("s", 1))
    night.submit(single("t", 1, prefix="t"))
    night.do(STAGE, "s")
    looks = list[float]()

    def pass_time(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            night.do("train-t0000", "t")

    monkeypatch.setattr("scheduler.cli.watch.time.sleep", pass_time)
    assert wait("s", "t") == watch.FINISHED == 0
    assert looks == sorted(looks)
    assert len(looks) == 3


def test_its_status_says_that_something_failed_was_cancelled_or_took_too_long(
    night: Night, wait: Callable[..., int]
) -> None:
    night.submit(single("s", 1))
    assert wait("s", "--timeout", "0") == watch.TIMED_OUT == 4
    night.fail(night.start(STAGE, "s"))
    night.spread()
    assert wait("s") == watch.WITH_FAILURES == 3
    night.submit(single("t", 1, prefix="t"))
    night.tell("cancel_sweep", "t")
    assert wait("t") == watch.WITH_FAILURES
    assert wait("unknown") == 1
    assert wait("s", "--timeout", "soon") == 2
