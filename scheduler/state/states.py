"""The life of a stage: its states, and the one table of legal moves that Python and Lua both read."""

from enum import StrEnum


class StageState(StrEnum):
    """Where a stage is. Parked is not a state: a parked stage is `ready`, and a gate is closed."""

    WAITING = "waiting"
    """For its parents, or for somebody who wants it."""
    READY = "ready"
    """Everything it needs is there; it waits for admission."""
    DISPATCHED = "dispatched"
    """A worker was nudged; slot and reservation are held until it claims or the claim runs out."""
    RUNNING = "running"
    """A worker holds the lease."""
    SUCCEEDED = "succeeded"
    """Its result stands."""
    FAILED = "failed"
    """It cannot be done as it is; the cause is kept."""
    CANCELLED = "cancelled"
    """Nobody wants it any more."""
    SKIPPED = "skipped"
    """A parent failed, so that it can never start."""


# Reopening always leads back to `waiting`: whether the parents still stand is `reconsider`'s decision alone.
MOVES: dict[StageState, frozenset[StageState]] = {
    StageState.WAITING: frozenset({StageState.READY, StageState.SKIPPED, StageState.CANCELLED}),
    # Back to `waiting`: a parent was opened again, because the checkpoint that it left has gone.
    # To `failed` from where nothing was tried yet: a verb of ours cannot do with it (see condemn).
    StageState.READY: frozenset({StageState.DISPATCHED, StageState.CANCELLED, StageState.WAITING, StageState.FAILED}),
    StageState.DISPATCHED: frozenset({StageState.RUNNING, StageState.READY, StageState.CANCELLED, StageState.FAILED}),
    StageState.RUNNING: frozenset({StageState.SUCCEEDED, StageState.FAILED, StageState.CANCELLED, StageState.READY}),
    StageState.SUCCEEDED: frozenset({StageState.READY}),
    StageState.FAILED: frozenset({StageState.WAITING}),
    StageState.CANCELLED: frozenset({StageState.WAITING}),
    StageState.SKIPPED: frozenset({StageState.WAITING}),
}

FINISHED = frozenset({StageState.SUCCEEDED, StageState.FAILED, StageState.CANCELLED, StageState.SKIPPED})
"""No attempt follows unless somebody reopens the stage."""


class SweepState(StrEnum):
    """Where a sweep is."""

    OPENING = "opening"
    """Its stages are being written; nothing of it runs yet, and submitting again completes it."""
    ACTIVE = "active"
    """Its stages are wanted, and it pays for them."""
    PAUSED = "paused"
    """Its stages are wanted, and it pays for none of them until it is resumed."""
    CANCELLED = "cancelled"
    """Its stages are wanted no more, except by other sweeps."""
    FINISHED = "finished"
    """Every stage of it has ended."""


def moves_as_lua() -> str:
    """The table as a Lua literal, for the prelude of every verb."""
    rows = (
        f"{source}={{{','.join(f'{target}=true' for target in sorted(targets))}}}" for source, targets in MOVES.items()
    )
    return "{" + ",".join(rows) + "}"
