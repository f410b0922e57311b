"""How many slots of each service were taken in the last day, five minutes a place: 2 kB in Redis."""

from collections.abc import Sequence
from dataclasses import dataclass

from scheduler.state import keys
from scheduler.state.store import Store

STEP = 300_000  # milliseconds of a place
PLACES = 288  # a day
WIDE = 7  # characters of a place: slots taken, the limit found, a letter for the breaker


@dataclass(frozen=True)
class SlotPlace:
    """What was noted in five minutes."""

    taken: int  # the most
    limit: int  # the last one that was found
    breaker: str  # the first letter of its state


def note_slots(store: Store, service: str, taken: int, limit: int, breaker: str) -> None:
    """Note what is so now."""
    store.scripts.run("note_slots", service, taken, limit, breaker[:1] or "?")


def read_slot_series(store: Store, service: str, now: int) -> Sequence[SlotPlace | None]:
    """Read the places of the last day, the newest last; None where nobody looked. `now` in milliseconds."""
    last, _, text = (store.client.get(keys.slot_series(service)) or "0:").partition(":")
    entries = [text[start : start + WIDE] for start in range(0, len(text), WIDE)]
    places = [None if entry[0] == "." else SlotPlace(int(entry[:3]), int(entry[3:6]), entry[6]) for entry in entries]
    silent = max(0, now // STEP - int(last))  # places since the last note
    series = [*places, *[None] * min(silent, PLACES)][-PLACES:]
    return [*[None] * (PLACES - len(series)), *series]
