"""How an attempt ended, as a value. Every way of ending is one of these."""

from collections.abc import Mapping
from dataclasses import dataclass

from scheduler.retry import Fault
from sweeps.stage import Json


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


@dataclass(frozen=True)
class Failed:
    """It could not go on."""

    fault: Fault
    cause: str


@dataclass(frozen=True)
class Lost:
    """Its lease is another's: nothing more may be written or submitted."""


Outcome = Succeeded | Stopped | Failed | Lost
