"""Define how an attempt can end: every ending is one of these values."""

from collections.abc import Mapping
from dataclasses import dataclass

from scheduler.engine.retry import Fault
from scheduler.state.store import Cost
from sweeps.stage import Json


class StageError(Exception):
    """The stage cannot be done as it is, and another attempt would end the same. The message is its cause."""


class ParentGone(Exception):
    """A parent's checkpoint or measurement that the stage needs no longer exists."""

    def __init__(self, parent: str, path: str) -> None:
        super().__init__(f"the result of parent {parent} is gone: {path}")
        self.parent = parent
        self.path = path


@dataclass(frozen=True)
class Succeeded:
    """The stage is done; the result counts once it is settled."""

    result: Mapping[str, Json]
    steps: int


@dataclass(frozen=True)
class Stopped:
    """The attempt was asked to end at a step, and did."""

    cancelled: bool  # no sweep wants the stage; otherwise another attempt continues from the checkpoint
    cause: str
    cost: Cost = "exact"  # "at most" if it had to leave in the middle of a step


@dataclass(frozen=True)
class Failed:
    """The attempt could not continue."""

    fault: Fault
    cause: str


@dataclass(frozen=True)
class Orphaned:
    """The attempt cannot start: its parent must be done again."""

    parent: str
    path: str
    cause: str


@dataclass(frozen=True)
class Lost:
    """The lease belongs to another attempt: nothing more may be written or submitted."""


Outcome = Succeeded | Stopped | Failed | Orphaned | Lost


def summarise(outcome: Outcome) -> str:
    """Return one line for Flower: what was measured, or why the attempt ended."""
    match outcome:
        case Succeeded(result):
            metrics = result.get("metrics")
            rows = metrics.items() if isinstance(metrics, dict) else ()
            return " ".join(f"{name} {value:.4f}" for name, value in rows if isinstance(value, float))
        case Stopped(cause=cause) | Failed(cause=cause) | Orphaned(cause=cause):
            return cause
        case Lost():
            return "the lease was lost"
