"""How an attempt ended, as a value. Every way of ending is one of these."""

from collections.abc import Mapping
from dataclasses import dataclass

from scheduler.engine.retry import Fault
from scheduler.state.store import Cost
from sweeps.stage import Json


class StageError(Exception):
    """The stage cannot be done as it is, and trying again would end the same. The message is its cause."""


class ParentGone(Exception):
    """What the stage needs of a parent is no more: the checkpoint from which it starts, or what was measured there."""

    def __init__(self, parent: str, path: str) -> None:
        super().__init__(f"what its parent {parent} left is gone: {path}")
        self.parent = parent
        self.path = path


@dataclass(frozen=True)
class Succeeded:
    """The result stands once it is settled."""

    result: Mapping[str, Json]
    steps: int


@dataclass(frozen=True)
class Stopped:
    """It was asked to end at a step, and did."""

    cancelled: bool  # nobody wants the stage any more; otherwise another attempt goes on from the checkpoint
    cause: str
    cost: Cost = "exact"  # where it had to leave in the midst of something: at most what it had asked for


@dataclass(frozen=True)
class Failed:
    """It could not go on."""

    fault: Fault
    cause: str


@dataclass(frozen=True)
class Orphaned:
    """It cannot start: its parent must be done again."""

    parent: str
    path: str
    cause: str


@dataclass(frozen=True)
class Lost:
    """Its lease is another's: nothing more may be written or submitted."""


Outcome = Succeeded | Stopped | Failed | Orphaned | Lost


def summarise(outcome: Outcome) -> str:
    """One line for Flower: what was measured, or why it ended without."""
    match outcome:
        case Succeeded(result):
            metrics = result.get("metrics")
            rows = metrics.items() if isinstance(metrics, dict) else ()
            return " ".join(f"{name} {value:.4f}" for name, value in rows if isinstance(value, float))
        case Stopped(cause=cause) | Failed(cause=cause) | Orphaned(cause=cause):
            return cause
        case Lost():
            return "the lease was lost"
