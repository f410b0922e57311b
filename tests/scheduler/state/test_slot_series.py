"""The series of slots keeps a day in 2 kB, the most of each place, and says where nobody looked."""

from scheduler.state import keys
from scheduler.state.slot_series import PLACES, STEP, SlotPlace, note_slots, read_slot_series
from tests.scheduler.night import Night

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
