"""What a run of a plan is, beside what a plain loop would do for it."""

from dataclasses import dataclass

from sweeps.stage import Run


@dataclass(frozen=True, slots=True)
class Naive:
    """What a plain loop would train for one run, sharing nothing: how many trainings, of how many examples."""

    trainings: int = 0
    examples: int = 0


Row = tuple[Run, Naive]
