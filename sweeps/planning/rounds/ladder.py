"""The ladder of sizes and seeds of one answer: which runs are made, and which few would narrow it most for their cost.

Two kinds of steps are compared. A single run adds the next seed to one size. A block fills neighbouring sizes up to a
number of seeds: how far seeds differ is known from those that several sizes share, so a seed at one size alone would
look better than it is. The step with the largest drop of the variance for each dollar is taken first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sweeps.planning.rounds.answer_variance import AnswerVariance, Truths
from sweeps.planning.rounds.next_round import Candidate
from sweeps.scaling.laws import Floats

BLOCK = 3  # the fewest neighbouring sizes of a block
FIRST_SEEDS = 3  # of the cheapest sizes in the first round: from two on an interval knows how far seeds differ
FIRST_SHARE = 0.25  # of what one run at every size costs: so much may these further seeds cost


@dataclass(frozen=True, eq=False)
class Ladder:
    """All runs that one answer may have: (S, M), by the place of the seed and of the size, ascending."""

    runs: Sequence[Sequence[Candidate | None]]  # None: there is no such run
    cost: Floats
    made: Truths  # the runs that there are, with a result or without
    measured: Truths  # those with a value

    @classmethod
    def build(cls, candidates: Sequence[Candidate]) -> "Ladder":
        """Arrange the runs of one answer, in the order of their seeds and sizes; none is made yet."""
        sized = [run for run in candidates if run.size]
        seeds, sizes = dict.fromkeys(run.seed for run in sized), sorted({run.size for run in sized})
        places = {(run.seed, run.size): run for run in sized}
        runs = [[places.get((seed, size)) for size in sizes] for seed in seeds]
        cost = np.array([[np.inf if run is None else max(run.cost, 1.0) for run in row] for row in runs])
        none = np.zeros(cost.shape, bool)
        return cls(runs, cost, none, none)

    @property
    def free(self) -> Truths:
        """Runs that may follow."""
        return ~self.made & np.isfinite(self.cost)

    @property
    def cost_of_one(self) -> float:
        """What the first seed at every size costs."""
        return float(self.cost[0][np.isfinite(self.cost[0])].sum())

    @property
    def places(self) -> dict[tuple[int, int], tuple[int, int]]:
        """The place of each run, by its seed and size."""
        return {
            (run.seed, run.size): (seed, size)
            for seed, row in enumerate(self.runs)
            for size, run in enumerate(row)
            if run is not None
        }

    @property
    def spent(self) -> float:
        """What the runs cost that there are."""
        return float(self.cost[self.made].sum())

    def begin(self) -> Truths:
        """Choose the first round: the first seed at every size, and further ones at the cheapest sizes."""
        chosen = np.zeros_like(self.made)
        chosen[0] = np.isfinite(self.cost[0])
        room = FIRST_SHARE * self.cost_of_one
        for size in np.argsort(self.cost[0], kind="stable"):
            further = self.cost[1:FIRST_SEEDS, size]
            room -= float(further.sum())
            if not np.isfinite(room) or room < 0:
                break
            chosen[1:FIRST_SEEDS, size] = True
        return chosen

    def complete(self) -> Truths:
        """Choose the next seed of the full grid at every size that lacks it; nothing where the grid is complete."""
        for place, row in enumerate(self.runs):
            lacking = np.array([run is not None and run.in_grid for run in row]) & self.free[place]
            if lacking.any():
                chosen = np.zeros_like(self.made)
                chosen[place] = lacking
                return chosen
        return np.zeros_like(self.made)

    def add(self, chosen: Truths) -> "Ladder":
        """Add runs as if they were made and measured."""
        return replace(self, made=self.made | chosen, measured=self.measured | chosen)

    def keep_measured(self) -> "Ladder":
        """Keep the sizes with a value: a law says nothing of the others."""
        kept = np.flatnonzero(self.measured.any(axis=0)).tolist()
        runs = [[row[size] for size in kept] for row in self.runs]
        return Ladder(runs, self.cost[:, kept], self.made[:, kept], self.measured[:, kept])

    def list_runs(self, chosen: Truths) -> list[Candidate]:
        """List the chosen runs, by seed and then by size."""
        rows = (
            run
            for row, own in zip(self.runs, chosen, strict=True)
            for run, is_in in zip(row, own, strict=True)
            if is_in
        )
        return [run for run in rows if run is not None]


@dataclass(frozen=True, eq=False)
class Narrowing:
    """What is aimed at: the square of the width, `share` of which is of runs, is to be `goal` of what it is."""

    variance: AnswerVariance
    share: float
    goal: float

    def remaining(self, ladder: Ladder, runs: Truths) -> Floats:
        """(Q,) the square of the width with each set of runs (Q, seeds, M), as a share of what it is now."""
        now = self.variance.compute(ladder.measured[None])[0]
        return np.asarray(self.share * self.variance.compute(runs) / now + 1 - self.share)


def choose_narrowing(ladder: Ladder, aim: Narrowing, most: float) -> tuple[Truths, float]:
    """Choose runs until the goal is to be reached or they cost `most`: at least one step, if there is one that helps.

    Returns them, and the share of the width's square that is expected to remain.
    """
    start, spent = ladder, 0.0
    remaining = 1.0
    while remaining > aim.goal and spent < most:
        steps = np.array(list(_list_steps(ladder)))
        if not len(steps):
            break
        left = aim.remaining(start, ladder.measured | steps)
        costs = np.where(steps, ladder.cost, 0.0).sum(axis=(1, 2))
        best = int(((remaining - left) / costs).argmax())
        if left[best] >= remaining * (1 - 1e-9):
            break
        ladder, spent, remaining = ladder.add(steps[best]), spent + float(costs[best]), float(left[best])
    return ladder.made & ~start.made, remaining


def _list_steps(ladder: Ladder) -> Iterator[Truths]:
    """List the single runs and the blocks that may come next, each once."""
    free, seen = ladder.free, set[bytes]()
    seeds = int(ladder.made.any(axis=1).sum())
    for chosen in (*_list_singles(free), *_list_blocks(free, seeds)):
        if chosen.any() and chosen.tobytes() not in seen:
            seen.add(chosen.tobytes())
            yield chosen


def _list_singles(free: Truths) -> Iterator[Truths]:
    for size in np.flatnonzero(free.any(axis=0)):
        chosen = np.zeros_like(free)
        chosen[free[:, size].argmax(), size] = True
        yield chosen


def _list_blocks(free: Truths, seeds: int) -> Iterator[Truths]:
    count = free.shape[1]
    for level in (seeds, seeds + 1):
        for begin in range(count):
            for end in range(begin + min(BLOCK, count), count + 1):
                chosen = np.zeros_like(free)
                chosen[:level, begin:end] = free[:level, begin:end]
                yield chosen
