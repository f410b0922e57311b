"""Decide what follows an attempt that ended without a result: a pure function of the failure and earlier ones."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """Whose failure it was. This decides what it costs the stage."""

    OUTAGE = "outage"
    """Tinker's: unreachable or down. Never charged to the stage."""
    BROKEN = "broken"
    """Tinker's: it is up, and lost or broke what it held of this stage. Probably not the stage's fault."""
    GONE = "gone"
    """Tinker says that what it held of this stage is gone, or sent an answer that cannot be read. One more try in a
    new session; then we believe it."""
    MALFORMED = "malformed"
    """Tinker's answer does not fit the request: too few numbers, or none. A repetition would cost the same again."""
    ACCOUNT = "account"
    """The key's or the account's. All spending at the service stops until a person acts. Not charged."""
    MACHINE = "machine"
    """The machine's: its disk, or something else that a worker needs besides Tinker. A person must act. Not charged."""
    STAGE = "stage"
    """The stage's: bad data, a refused request, a diverged loss. Fail the stage: it would fail again."""
    UNKNOWN = "unknown"
    """Unknown. Charged, and tried again a few times."""
    LOST = "lost"
    """The worker died or lost its connection while it held the lease."""
    STALLED = "stalled"
    """No answer came for too long during the work."""


BUDGETS: Mapping[Fault, int] = {
    Fault.BROKEN: 20,
    Fault.GONE: 2,
    Fault.MALFORMED: 1,
    Fault.UNKNOWN: 3,
    Fault.LOST: 10,
    Fault.STALLED: 5,
    Fault.STAGE: 1,
}
"""How many failures of a kind in a row, without progress (a new checkpoint), end a stage. Kinds that are not listed are
never charged."""

SUSPECTED_AFTER = 3
"""Lost attempts in a row that make a stage a suspect. Suspects run one at a time: a worker that dies ends all its
attempts, and only the stage that killed it should fail."""

FIRST = 1.0  # seconds: the wait after a first failure; each further failure of its kind doubles it
LONGEST: Mapping[Fault, float] = {Fault.BROKEN: 600.0}  # so that its budget lasts longer than a bad hour
LONGEST_ELSE = 60.0
LOOK_AGAIN = 60.0  # seconds between two checks whether a person has acted


@dataclass(frozen=True)
class RetryAt:
    """Try again after `delay` seconds, from the last checkpoint."""

    delay: float


@dataclass(frozen=True)
class Park:
    """Wait for a person, and check again after `delay` seconds."""

    delay: float


@dataclass(frozen=True)
class GiveUp:
    """Fail the stage: it would fail again."""


Decision = RetryAt | Park | GiveUp


def decide(fault: Fault, *, failures: Mapping[str, int], chance: random.Random) -> Decision:
    """Judge one failure. `failures` counts earlier ones of each kind without progress; `chance` jitters the wait."""
    if fault in (Fault.ACCOUNT, Fault.MACHINE):
        return Park(delay=LOOK_AGAIN if fault is Fault.MACHINE else 0.0)  # an account: its breaker holds the stage
    so_far = failures.get(fault, 0) + 1
    if so_far >= BUDGETS.get(fault, so_far + 1):
        return GiveUp()
    return RetryAt(delay=_compute_delay(so_far, LONGEST.get(fault, LONGEST_ELSE), chance))


def _compute_delay(times: int, longest: float, chance: random.Random) -> float:
    return min(longest, FIRST * 2.0 ** min(times, 12)) * chance.uniform(0.5, 1.0)
