"""Simulate rounds: many experiments at once, each by the design that real sweeps have, with results that are given.

Experiments with the same runs are fitted together, which takes about as long as one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sweeps.planning.rounds.answer_variance import Truths
from sweeps.planning.rounds.ladder import Ladder
from sweeps.planning.rounds.minimum_data_rounds import NarrowedAnswer
from sweeps.scaling.fit import ScalingFit
from sweeps.scaling.laws import Rows

FitSome = Callable[[Rows, Truths], Sequence[ScalingFit]]
"""Fits experiments (their numbers) with the runs (seeds, sizes) that they have."""


@dataclass(frozen=True, eq=False)
class SimulatedEnd:
    """How the rounds of one experiment ended."""

    answer: NarrowedAnswer
    rounds: int
    is_reached: bool

    @property
    def cost(self) -> float:
        return self.answer.ladder.spent


def simulate_rounds(ladder: Ladder, fit: FitSome, experiments: int, *, ratio: float, most: float) -> list[SimulatedEnd]:
    """Run experiments from their first round until the interval's ends have this ratio, or a run would pass `most`."""
    begun = ladder.add(ladder.begin())
    running = dict.fromkeys(range(experiments), (begun, 1))
    ends: dict[int, SimulatedEnd] = {}
    while running:
        alike: dict[bytes, list[int]] = {}
        for number, (own, _) in running.items():
            alike.setdefault(own.made.tobytes(), []).append(number)
        following: dict[int, tuple[Ladder, int]] = {}
        for numbers in alike.values():
            own = running[numbers[0]][0]
            for number, fitted in zip(numbers, fit(np.array(numbers), own.measured), strict=True):
                rounds, answer = running[number][1], NarrowedAnswer({}, own, fitted)
                further = _continue(answer, ratio, most)
                if further is None:
                    ends[number] = SimulatedEnd(answer, rounds, answer.is_done(ratio))
                else:
                    following[number] = further, rounds + 1
        running = following
    return [ends[number] for number in range(experiments)]


def _continue(answer: NarrowedAnswer, ratio: float, most: float) -> Ladder | None:
    """Add the next round, up to the first run that would pass the limit; None if nothing follows."""
    ladder, places = answer.ladder, answer.ladder.places
    for run in (run for part in answer.continue_to(ratio) for run in part.runs):
        chosen = np.zeros_like(ladder.made)
        chosen[places[run.seed, run.size]] = True
        if ladder.spent + float(ladder.cost[chosen].sum()) > most * (1 + 1e-9):
            break
        ladder = ladder.add(chosen)
    return None if ladder is answer.ladder else ladder
