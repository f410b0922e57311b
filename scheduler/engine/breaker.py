"""When a service counts as down: the states of its breaker, the table of their moves, and what arouses suspicion.

    closed ──suspicion──► suspect ──two canaries fail──► open ──a canary succeeds──► closed, slowly
                             └──a canary succeeds──► closed
    any of them ──the key or the bill is refused──► stopped ──`sweep resume`──► open

While it is suspect nothing new is started; while it is open or stopped what runs is parked as well. A canary is one
small training step with a deadline of its own, made by a worker (worker/maintenance/canary.py).
"""

from dataclasses import dataclass

LATELY = 60.0  # seconds for which an error of the service counts


@dataclass(frozen=True)
class Timing:
    """How soon a service is suspected, and how it is tried; the times in proportion to one setting, SWEEP_SILENCE."""

    silence: float = 60.0  # seconds without progress of anybody: the service's clock cycles take about 10
    tries: int = 2  # canaries in a row that must fail: a first one may have met a model that was cold

    @property
    def pace(self) -> float:
        """Seconds between the beginnings of two canaries while it is open."""
        return self.silence / 3

    @property
    def patience(self) -> float:
        """Seconds for one: a creation and a step are some cycles."""
        return 0.75 * self.silence

    @property
    def parking(self) -> float:
        """Seconds for a last checkpoint at a service that is down, should it still be able to make one."""
        return self.silence / 3


@dataclass(frozen=True)
class ServiceHealth:
    """What is seen of a service at one moment; times in milliseconds, 0 for never."""

    now: int
    heard: int  # when it last did something for anybody
    waiting_since: int  # since when the longest of those clients waits that are not told to; 0: none does


def find_suspicion(pulse: ServiceHealth, timing: Timing) -> str | None:
    """Why the service should be looked at, or None: somebody waits, and nobody has got any further for too long.

    Who is told to wait (a pause for capacity, or for too many clients) is proof that the service is there.
    """
    if not pulse.waiting_since:
        return None
    silent = (pulse.now - max(pulse.heard, pulse.waiting_since)) / 1000
    return f"nothing has got any further for {silent:.0f} s" if silent > timing.silence else None
