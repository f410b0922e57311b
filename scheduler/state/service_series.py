"""What each service saw of us in the last day: slots taken, requests, and canaries. At most 4 kB of each in Redis."""

from collections.abc import Sequence
from dataclasses import dataclass

from scheduler.state import keys
from scheduler.state.store import Store

STEP = 300_000  # milliseconds of a place
PLACES = 288  # a day
SLOTS_WIDE = 7  # characters of a place: slots taken, the limit found, a letter for the breaker
REQUESTS_WIDE = 6


@dataclass(frozen=True)
class SlotPlace:
    """What was noted in five minutes."""

    taken: int  # the most
    limit: int  # the last one that was found
    breaker: str  # the first letter of its state


@dataclass(frozen=True)
class CanaryResult:
    """What one canary found."""

    at: int  # milliseconds since 1970
    found: str  # `healthy`, `down`, `stopped` or `unsure`
    cause: str
    breaker: str  # its state afterwards


def note_slots(store: Store, service: str, taken: int, limit: int, breaker: str) -> None:
    """Note what is so now."""
    store.scripts.run("note_slots", service, taken, limit, breaker[:1] or "?")


def note_requests(store: Store, service: str, per_minute: int) -> None:
    """Note how many requests a minute the fleet sends now."""
    store.scripts.run("note_requests", service, per_minute)


def read_slot_series(store: Store, service: str, now: int) -> Sequence[SlotPlace | None]:
    """Read the places of the last day, the newest last; None where nobody looked. `now` in milliseconds."""
    entries = _read_entries(store, keys.slot_series(service), SLOTS_WIDE, now)
    return [SlotPlace(int(entry[:3]), int(entry[3:6]), entry[6]) if entry else None for entry in entries]


def read_request_series(store: Store, service: str, now: int) -> Sequence[int | None]:
    """Read the most requests a minute in each place of the last day, as `read_slot_series` does."""
    entries = _read_entries(store, keys.request_series(service), REQUESTS_WIDE, now)
    return [int(entry) if entry else None for entry in entries]


def read_canaries(store: Store, service: str, last: int) -> list[CanaryResult]:
    """Read what the last canaries found, the newest first."""
    entries = store.client.xrevrange(keys.canaries(service), count=last)
    return [CanaryResult(int(row["at"]), row["found"], row["cause"], row["breaker"]) for _, row in entries]


def _read_entries(store: Store, key: str, wide: int, now: int) -> list[str | None]:
    last, _, text = (store.client.get(key) or "0:").partition(":")
    entries = [text[start : start + wide] for start in range(0, len(text), wide)]
    places = [None if entry[0] == "." else entry for entry in entries]
    silent = max(0, now // STEP - int(last))  # places since the last note
    series = [*places, *[None] * min(silent, PLACES)][-PLACES:]
    return [*[None] * (PLACES - len(series)), *series]
