"""How an attempt interprets the signals that the SDK hears."""

import pytest

from worker.sdk import client_status as told_module
from worker.sdk.client_status import ClientState, ClientStatus
from worker.sdk.hooks import Signal


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds; it passes only when the test says so."""
    now = [100.0]
    monkeypatch.setattr("worker.sdk.client_status.time.monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize("pause", [Signal.RATE_LIMITED, Signal.NO_CAPACITY])
def test_a_service_that_says_that_we_are_paused_is_in_no_trouble(time: list[float], pause: Signal) -> None:
    status = ClientStatus(opened=True)
    status.note_signal(Signal.TROUBLE)
    time[0] += 1
    status.note_signal(pause)
    time[0] += 60
    assert not status.troubled


@pytest.mark.parametrize(
    ("opened", "stands"), [(True, ClientState.ACTIVE), (False, ClientState.OPENING)], ids=["there", "on its way"]
)
@pytest.mark.parametrize("pause", [Signal.RATE_LIMITED, Signal.NO_CAPACITY])
def test_who_was_told_to_wait_and_hears_nothing_but_errors_since_waits_for_no_word(
    time: list[float], pause: Signal, opened: bool, stands: ClientState
) -> None:
    """Otherwise a service that dies during a pause would never be suspected."""
    status = ClientStatus(opened=opened)
    status.note_signal(pause)
    paused = status.now[0]
    status.note_signal(Signal.TROUBLE)
    assert status.now[0] is paused, "a single error means nothing"
    time[0] += told_module.LASTING + 1
    status.note_signal(Signal.TROUBLE)
    assert status.now[0] is stands
    status.note_signal(pause)
    assert status.now[0] is paused
