"""A run of a plan, with what a plain loop would train for it."""

from dataclasses import dataclass

from sweeps.stage import Run


@dataclass(frozen=True, slots=True)
class NaiveCount:
    """What a plain loop, which shares nothing, would train for one run: trainings and their examples."""

    trainings: int = 0
    examples: int = 0


CountedRun = tuple[Run, NaiveCount]
