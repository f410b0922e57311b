"""What answers about published curves have to reach, and which tallies fall short of it."""

from collections.abc import Iterator, Sequence

from tests.published.held_tally import EVERY_SOURCE, HeldTally, divide_widths

HELD = 0.92  # share of intervals and of bands that hold, over all sources
HELD_BY_SOURCE = 0.88
REFUSED = 0.15
UNWARNED = 0.02  # share of answers that are wrong and have no warning
WIDER = {"x2": 2.2, "x4": 2.5}  # median width of the loss band, as a multiple of the baseline's


def list_shortfalls(tallies: Sequence[HeldTally], baseline: dict[tuple[str, str], HeldTally]) -> Iterator[str]:
    """List what misses its bar, with the figure and the bar."""
    for tally in tallies:
        where = f"{tally.source} at {tally.horizon}"
        least = HELD if tally.source == EVERY_SOURCE else HELD_BY_SOURCE
        if tally.held < least:
            yield f"{where}: {tally.held:.3f} of the intervals hold, expected {least} or more"
        if tally.band_held < least:
            yield f"{where}: {tally.band_held:.3f} of the loss bands hold, expected {least} or more"
        if tally.source != EVERY_SOURCE:
            continue
        if tally.refused > REFUSED:
            yield f"{where}: {tally.refused:.1%} are refused, expected {REFUSED:.0%} or less"
        if tally.unwarned > UNWARNED:
            yield f"{where}: {tally.unwarned:.1%} are wrong and have no warning, expected {UNWARNED:.0%} or less"
        wider = divide_widths(tally, baseline)
        if wider > WIDER.get(tally.horizon, float("inf")):
            yield f"{where}: the loss band is {wider:.2f} times the baseline's, expected {WIDER[tally.horizon]} or less"
