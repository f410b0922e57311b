"""What follows an attempt that ended without a result: a pure function of how it ended and what went before."""

import random
from dataclasses import dataclass
from enum import StrEnum

ATTEMPTS = 3  # failures that are the stage's own before it is given up
BACKOFF = (1.0, 60.0)  # seconds: first and longest wait after an outage


class Fault(StrEnum):
    """Whose failure it was, which decides what it costs the stage."""

    SERVICE = "service"
    """Tinker's, or the network's: never charged to the stage."""
    ACCOUNT = "account"
    """The key's, the bill's or the disk's: a person has to act; nothing is charged."""
    STAGE = "stage"
    """The stage's own, and it would fail again: bad data, a refused request, a diverged loss."""
    UNKNOWN = "unknown"
    """Nobody can say; charged, and tried again a few times."""


@dataclass(frozen=True)
class RetryAt:
    """Try again after `delay` seconds."""

    delay: float
    charged: bool


@dataclass(frozen=True)
class Park:
    """Wait for a person, looking again after `delay` seconds."""

    delay: float


@dataclass(frozen=True)
class GiveUp:
    """It would fail again."""


Decision = RetryAt | Park | GiveUp


def decide(fault: Fault, *, failures: int, attempt: int, chance: random.Random) -> Decision:
    """Judge one failure of an attempt. `failures` were charged before it; `chance` jitters the wait."""
    match fault:
        case Fault.SERVICE:
            return RetryAt(_spaced(attempt, chance), charged=False)
        case Fault.ACCOUNT:
            return Park(delay=BACKOFF[1])
        case Fault.UNKNOWN if failures + 1 < ATTEMPTS:
            return RetryAt(_spaced(failures + 1, chance), charged=True)
        case _:
            return GiveUp()


def _spaced(times: int, chance: random.Random) -> float:
    first, longest = BACKOFF
    return min(longest, first * 2.0 ** min(times, 10)) * chance.uniform(0.5, 1.0)
