"""A series keeps a day in 2 kB, the most of each place, and where nobody looked; canaries are kept with their end."""

from scheduler.state import keys
from scheduler.state.service_series import (
    PLACES,
    STEP,
    CanaryResult,
    SlotPlace,
    note_requests,
    note_slots,
    read_canaries,
    read_request_series,
    read_slot_series,
)
from tests.scheduler.night import Night
from tests.scheduler.plans import single

BYTES = 2048


def read(night: Night) -> list[SlotPlace | None]:
    return list(read_slot_series(night.store, "offline", night.clock.now))


def test_a_place_keeps_the_most_and_gaps_stay_empty(night: Night) -> None:
    night.clock.now -= night.clock.now % STEP
    assert read(night) == [None] * PLACES
    for taken in (3, 7, 2):
        note_slots(night.store, "offline", taken, 8, "closed")
    night.clock.now += 3 * STEP
    note_slots(night.store, "offline", 1, 4, "open")
    night.clock.now -= STEP  # a server whose clock went back
    note_slots(night.store, "offline", 0, 4, "open")
    night.clock.now += 2 * STEP
    expected = [SlotPlace(7, 8, "c"), None, None, SlotPlace(1, 4, "o"), None]
    assert read(night) == [None] * (PLACES - len(expected)) + expected


def test_it_never_takes_more_than_2_kb_and_forgets_what_is_older_than_a_day(night: Night) -> None:
    for number in range(PLACES + 50):
        note_slots(night.store, "offline", 10_000 + number, 10_000, "closed")
        night.clock.now += STEP
    text = night.store.client.get(keys.slot_series("offline")) or ""
    assert len(text) <= BYTES
    assert read(night) == [*[SlotPlace(999, 999, "c")] * (PLACES - 1), None]
    night.clock.now += 10 * PLACES * STEP
    assert read(night) == [None] * PLACES
    note_slots(night.store, "offline", 5, 6, "closed")
    assert read(night) == [*[None] * (PLACES - 1), SlotPlace(5, 6, "c")]


def test_requests_have_a_series_of_their_own(night: Night) -> None:
    night.clock.now -= night.clock.now % STEP
    for rate in (30, 1_200, 7):
        note_requests(night.store, "offline", rate)
    night.clock.now += 2 * STEP
    note_requests(night.store, "offline", 5_000_000)
    assert list(read_request_series(night.store, "offline", night.clock.now))[-3:] == [1_200, None, 999_999]
    assert read(night) == [None] * PLACES


def test_what_a_canary_found_is_kept_with_the_breaker_after_it(night: Night) -> None:
    store = night.store
    night.submit(single("s", 1))
    night.start("train-0000", "s")
    store.scripts.run("suspect_service", "offline", "silence")
    for number, (word, after) in enumerate((("down", "open"), ("healthy", "closed"))):
        night.clock.now += 60_000
        assert store.take_canary("offline", str(number), tokens=1, patience=9, pace=1)
        assert store.record_canary_result("offline", str(number), word, f"cause {number}", tries=1) == after
        assert store.record_canary_result("offline", "outdated", "down", "too late", tries=1) == after
    first = night.clock.now - 60_000
    assert read_canaries(store, "offline", 5) == [
        CanaryResult(night.clock.now, "healthy", "cause 1", "closed"),
        CanaryResult(first, "down", "cause 0", "open"),
    ]
