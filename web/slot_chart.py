"""Draw how many slots of a service were taken in the last day, and how many requests it got. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from scheduler.state.service_series import SlotPlace

HIGH = 60  # of the drawing


class SlotChart(NamedTuple):
    """Paths of a drawing that is one unit wide for each place, and HIGH units high."""

    service: str
    wide: int
    taken: str
    limit: str
    troubled: str  # where the breaker was not closed
    most: int  # slots taken
    top: int  # what the height stands for


def draw_slots(service: str, places: Sequence[SlotPlace | None]) -> SlotChart | None:
    """Draw a series; None if no slot was taken."""
    most = max((place.taken for place in places if place), default=0)
    if not most:
        return None
    top = max(max(place.taken, place.limit) for place in places if place)
    seen = [(x, place) for x, place in enumerate(places) if place]

    def scale(value: int) -> str:
        return f"{HIGH * (1 - value / top):.4g}"

    return SlotChart(
        service,
        len(places),
        "".join(f"M{x} {HIGH}V{scale(place.taken)}h1V{HIGH}z" for x, place in seen if place.taken),
        "".join(f"M{x} {scale(place.limit)}h1" for x, place in seen),
        "".join(f"M{x} {HIGH - 2}h1" for x, place in seen if place.breaker != "c"),
        most,
        top,
    )


class RequestChart(NamedTuple):
    """A path of a drawing that is one unit wide for each place, and HIGH units high."""

    service: str
    wide: int
    sent: str
    most: int  # requests a minute


def draw_requests(service: str, places: Sequence[int | None]) -> RequestChart | None:
    """Draw a series; None if nothing was sent."""
    most = max((place for place in places if place), default=0)
    if not most:
        return None
    bars = [f"M{x} {HIGH}V{HIGH * (1 - place / most):.4g}h1V{HIGH}z" for x, place in enumerate(places) if place]
    return RequestChart(service, len(places), "".join(bars), most)
