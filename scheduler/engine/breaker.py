"""Decide when a service is suspected to be down, and how canaries try it. A pure function.

    closed ──suspicion──► suspect ──two canaries fail──► open ──a canary succeeds──► closed, with few slots
                             └──a canary succeeds──► closed
    any state ──the service refuses the key or the account──► stopped ──`sweep resume`──► open

Nothing new starts while the breaker is suspect. While it is open or stopped, running stages are parked as well. A
canary is one small training step with a deadline of its own, made by a worker (worker/maintenance/canary.py).
"""

from dataclasses import dataclass

LATELY = 60.0  # seconds for which an error of the service counts


@dataclass(frozen=True)
class Timing:
    """How soon a service is a suspect, and how it is tried. All times follow from one setting, SWEEP_SILENCE."""

    silence: float = 60.0  # seconds without progress of any attempt; the service's clock cycles take about 10
    tries: int = 2  # canaries in a row that must fail; the first may meet a cold model

    @property
    def pace(self) -> float:
        """Seconds between the starts of two canaries while the breaker is open."""
        return self.silence / 3

    @property
    def patience(self) -> float:
        """Seconds for one canary: it creates a client and makes a step, which takes several cycles."""
        return 0.75 * self.silence

    @property
    def parking(self) -> float:
        """Seconds for a last checkpoint at a service that is down, in case it can still save one."""
        return self.silence / 3


@dataclass(frozen=True)
class ServiceHealth:
    """The health of a service at one moment. Times in milliseconds, 0 for never."""

    now: int
    heard: int  # when it last did something for any client
    waiting_since: int  # since when the first client waits that the service did not tell to wait; 0: none does


def find_suspicion(health: ServiceHealth, timing: Timing) -> str | None:
    """Return why a canary should try the service, or None: a client waits, and no client made progress for too long.

    A client that the service tells to wait (for capacity, or because too many are open) shows that the service is up.
    """
    if not health.waiting_since:
        return None
    silent = (health.now - max(health.heard, health.waiting_since)) / 1000
    return f"no progress for {silent:.0f} s" if silent > timing.silence else None
