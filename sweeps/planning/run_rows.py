"""What a run of a plan is, beside what a plain loop would do for it."""

from dataclasses import dataclass

from sweeps.stage import Run


@dataclass(frozen=True, slots=True)
class NaiveCount:
    """What a plain loop would train for one run, sharing nothing: how many trainings, of how many examples."""

    trainings: int = 0
    examples: int = 0


CountedRun = tuple[Run, NaiveCount]
