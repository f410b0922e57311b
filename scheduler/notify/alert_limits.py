"""When an operator is told that something is wrong: the grammar of SWEEP_ALERTS and its defaults. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

OFF = float("inf")
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "%": 0.01, "": 1.0}
FORMS: Mapping[str, str] = {
    "no_worker": "smh",
    "leases_lost": "",
    "disk": "%",
    "memory": "%",
    "books_closed": "smh",
    "books_uncertain": "",
}
"""Each alert, and the units of its limit: seconds, minutes, hours; a share; or none, for a count or US dollars."""
DEFAULT = "no_worker=5m leases_lost=10 disk=90% memory=90% books_closed=5m books_uncertain=0"
WORD = re.compile(r"(\w+)=(?:(\d+(?:\.\d+)?)([smh%]?)|(off))")


@dataclass(frozen=True)
class AlertLimits:
    """The limit of each alert; infinite for one that is off."""

    no_worker: float = OFF  # seconds for which something is ready and no worker is there
    leases_lost: float = OFF  # leases that ran out while no stage made progress
    disk: float = OFF  # share of a disk that is used
    memory: float = OFF  # share of the memory of Redis that is used
    books_closed: float = OFF  # seconds for which nothing starts because Redis may lack writes
    books_uncertain: float = OFF  # US dollars; the alert begins above them


def parse_alert_limits(text: str) -> AlertLimits:
    """Read `ALERT=LIMIT` words, separated by spaces or commas; an alert that is not named has its default.

    Raises ValueError.
    """
    limits = AlertLimits()
    for word in (*DEFAULT.split(), *text.replace(",", " ").split()):
        match = WORD.fullmatch(word)
        if match is None or match[1] not in FORMS or not (match[4] or _fits(match[3], FORMS[match[1]])):
            raise ValueError(f"expected words such as {DEFAULT}, or ALERT=off; got {word!r}")
        limits = replace(limits, **{match[1]: OFF if match[4] else float(match[2]) * UNITS[match[3]]})
    return limits


def _fits(unit: str, units: str) -> bool:
    return unit in units if unit else not units
