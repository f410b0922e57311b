"""A run of a plan, with what a plain loop would train for it."""

from dataclasses import dataclass

from sweeps.stage import Run


@dataclass(frozen=True, slots=True)
class NaiveCount:
    """Trainings of one run, and their examples, in a plain loop that shares nothing."""

    trainings: int = 0
    examples: int = 0


CountedRun = tuple[Run, NaiveCount]
