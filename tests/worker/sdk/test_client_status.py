"""What an attempt makes of the signs that the SDK hears."""

import pytest

from worker.sdk import client_status as told_module
from worker.sdk.client_status import Standing, Told
from worker.sdk.hooks import Sign


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds; it passes only when the test says so."""
    now = [100.0]
    monkeypatch.setattr("worker.sdk.client_status.time.monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize("pause", [Sign.RATE_LIMITED, Sign.NO_CAPACITY])
def test_a_service_that_says_that_we_are_paused_is_in_no_trouble(time: list[float], pause: Sign) -> None:
    told = Told(opened=True)
    told.seen(Sign.TROUBLE)
    time[0] += 1
    told.seen(pause)
    time[0] += 60
    assert not told.troubled


@pytest.mark.parametrize(
    ("opened", "stands"), [(True, Standing.ACTIVE), (False, Standing.OPENING)], ids=["there", "on its way"]
)
@pytest.mark.parametrize("pause", [Sign.RATE_LIMITED, Sign.NO_CAPACITY])
def test_who_was_told_to_wait_and_hears_nothing_but_errors_since_waits_for_no_word(
    time: list[float], pause: Sign, opened: bool, stands: Standing
) -> None:
    """Else nobody would ever suspect a service that dies in a pause."""
    told = Told(opened=opened)
    told.seen(pause)
    paused = told.now[0]
    told.seen(Sign.TROUBLE)
    assert told.now[0] is paused, "a single error means nothing"
    time[0] += told_module.LASTING + 1
    told.seen(Sign.TROUBLE)
    assert told.now[0] is stands
    told.seen(pause)
    assert told.now[0] is paused
