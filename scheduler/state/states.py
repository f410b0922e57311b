"""The states of stages, sweeps and breakers, and their legal moves. Python and Lua read the same tables."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

State = TypeVar("State", bound=StrEnum)


class StageState(StrEnum):
    """Where a stage is. Parked is not a state: a parked stage is `ready`, and a gate is closed."""

    WAITING = "waiting"
    """It waits for its parents, or for a sweep that wants it."""
    READY = "ready"
    """It has everything it needs and waits for admission."""
    DISPATCHED = "dispatched"
    """A worker was nudged. The stage holds a slot and a reservation until the claim comes or is overdue."""
    RUNNING = "running"
    """A worker holds its lease."""
    SUCCEEDED = "succeeded"
    """It has a result."""
    FAILED = "failed"
    """It cannot be done as it is. Its hash keeps the cause."""
    CANCELLED = "cancelled"
    """No sweep wants it any more."""
    SKIPPED = "skipped"
    """A parent failed, so it can never start."""


# Reopening always leads back to `waiting`: the verb reconsider_stages alone decides whether the parents are still good.
MOVES: dict[StageState, frozenset[StageState]] = {
    StageState.WAITING: frozenset({StageState.READY, StageState.SKIPPED, StageState.CANCELLED}),
    # Back to `waiting`: a parent was reopened because its checkpoint is gone.
    # To `failed` without an attempt: one of our verbs raises an error on this stage (see fail_stage).
    StageState.READY: frozenset({StageState.DISPATCHED, StageState.CANCELLED, StageState.WAITING, StageState.FAILED}),
    StageState.DISPATCHED: frozenset({StageState.RUNNING, StageState.READY, StageState.CANCELLED, StageState.FAILED}),
    StageState.RUNNING: frozenset({StageState.SUCCEEDED, StageState.FAILED, StageState.CANCELLED, StageState.READY}),
    StageState.SUCCEEDED: frozenset({StageState.READY}),
    StageState.FAILED: frozenset({StageState.WAITING}),
    StageState.CANCELLED: frozenset({StageState.WAITING}),
    StageState.SKIPPED: frozenset({StageState.WAITING}),
}

FINISHED = frozenset({StageState.SUCCEEDED, StageState.FAILED, StageState.CANCELLED, StageState.SKIPPED})
"""No attempt follows, unless a person or another sweep reopens the stage."""

FAILURES = (StageState.FAILED, StageState.SKIPPED)
"""It failed, or a stage failed that it needs."""


class SweepState(StrEnum):
    """Where a sweep is."""

    OPENING = "opening"
    """Its stages are being written. Nothing of it runs yet; submitting it again completes it."""
    ACTIVE = "active"
    """It wants its stages and pays for them."""
    PAUSED = "paused"
    """It wants its stages and pays for none of them until a person resumes it."""
    CANCELLED = "cancelled"
    """It wants none of its stages any more. Other sweeps may."""
    FINISHED = "finished"
    """Each of its stages has ended."""


ENDED_SWEEPS = (SweepState.FINISHED, SweepState.CANCELLED)  # nothing more is done for them

# Retry leads back to `active`; a sweep that was never completely written goes back to `opening`.
SWEEP_MOVES: dict[SweepState, frozenset[SweepState]] = {
    SweepState.OPENING: frozenset({SweepState.ACTIVE, SweepState.CANCELLED}),
    SweepState.ACTIVE: frozenset({SweepState.PAUSED, SweepState.CANCELLED, SweepState.FINISHED}),
    SweepState.PAUSED: frozenset({SweepState.ACTIVE, SweepState.CANCELLED}),
    SweepState.CANCELLED: frozenset({SweepState.ACTIVE, SweepState.OPENING}),
    SweepState.FINISHED: frozenset({SweepState.ACTIVE}),
}


class BreakerState(StrEnum):
    """How the fleet may use a service."""

    CLOSED = "closed"
    """Without limits of the breaker."""
    SUSPECT = "suspect"
    """No attempt makes progress there. Nothing new starts until a canary has found out why."""
    OPEN = "open"
    """The service is down. Running stages are parked, and canaries try the service again and again."""
    STOPPED = "stopped"
    """The service refuses the key or the account. All spending stops until a person acts."""


BREAKER_MOVES: dict[BreakerState, frozenset[BreakerState]] = {
    BreakerState.CLOSED: frozenset({BreakerState.SUSPECT, BreakerState.STOPPED}),
    BreakerState.SUSPECT: frozenset({BreakerState.CLOSED, BreakerState.OPEN, BreakerState.STOPPED}),
    BreakerState.OPEN: frozenset({BreakerState.CLOSED, BreakerState.STOPPED}),
    BreakerState.STOPPED: frozenset({BreakerState.OPEN}),
}


def spell_moves(moves: Mapping[State, frozenset[State]]) -> str:
    """Write moves as one text, " ready>dispatched ready>waiting ": a verb looks for a move in it."""
    pairs = sorted(f"{source}>{target}" for source, targets in moves.items() for target in targets)
    return f" {' '.join(pairs)} "
