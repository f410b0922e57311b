"""What follows an attempt that ended without a result: a pure function of how it ended and what went before."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """Whose failure it was, which decides what it costs the stage."""

    OUTAGE = "outage"
    """Tinker could not be reached, or was not itself: never the stage's."""
    BROKEN = "broken"
    """Tinker was there, and lost or broke what it had of this stage: most likely not the stage's."""
    GONE = "gone"
    """Tinker refused in words that say that what it had of this stage is no more, or answered what cannot be read:
    once more in a new session, then it is believed."""
    MALFORMED = "malformed"
    """Tinker's answer is none to what was asked: too few numbers, or no numbers. It would be again, and cost again."""
    ACCOUNT = "account"
    """The key's or the bill's: all spending at the service stops until a person has acted; nothing is charged."""
    MACHINE = "machine"
    """The disk's, or of another thing that the worker needs beside Tinker: a person has to act; nothing is charged."""
    STAGE = "stage"
    """The stage's own, and it would fail again: bad data, a refused request, a diverged loss."""
    UNKNOWN = "unknown"
    """Nobody can say; charged, and tried again a few times."""
    LOST = "lost"
    """The worker died, or was cut off, with the lease in its hands."""
    STALLED = "stalled"
    """No answer came for too long, in the midst of the work."""


BUDGETS: Mapping[Fault, int] = {
    Fault.BROKEN: 20,
    Fault.GONE: 2,
    Fault.MALFORMED: 1,
    Fault.UNKNOWN: 3,
    Fault.LOST: 10,
    Fault.STALLED: 5,
    Fault.STAGE: 1,
}
"""How many failures of a kind a stage may have in a row without getting any further (a new checkpoint) before it is
given up. What is not listed is never charged."""

SUSPECTED_AFTER = 3
"""Lost attempts in a row after which a stage is tried apart from others that were lost as often: a worker that dies
takes all its attempts along, and what did not kill it must not fail with what did."""

FIRST = 1.0  # seconds: the wait after a first failure; each further one of its kind doubles it
LONGEST: Mapping[Fault, float] = {Fault.BROKEN: 600.0}  # so that its budget outlasts a bad hour
LONGEST_ELSE = 60.0
LOOK_AGAIN = 60.0  # seconds between two looks at whether a person has acted


@dataclass(frozen=True)
class RetryAt:
    """Try again after `delay` seconds, from the last checkpoint."""

    delay: float


@dataclass(frozen=True)
class Park:
    """Wait for a person, looking again after `delay` seconds."""

    delay: float


@dataclass(frozen=True)
class GiveUp:
    """It would fail again."""


Decision = RetryAt | Park | GiveUp


def decide(fault: Fault, *, failures: Mapping[str, int], chance: random.Random) -> Decision:
    """Judge one failure. `failures` of each kind went before it without progress; `chance` jitters the wait."""
    if fault in (Fault.ACCOUNT, Fault.MACHINE):
        return Park(delay=LOOK_AGAIN if fault is Fault.MACHINE else 0.0)  # the breaker keeps it, of an account
    so_far = failures.get(fault, 0) + 1
    if so_far >= BUDGETS.get(fault, so_far + 1):
        return GiveUp()
    return RetryAt(delay=_space_out(so_far, LONGEST.get(fault, LONGEST_ELSE), chance))


def _space_out(times: int, longest: float, chance: random.Random) -> float:
    return min(longest, FIRST * 2.0 ** min(times, 12)) * chance.uniform(0.5, 1.0)
