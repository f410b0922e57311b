"""`make bench-rounds`: what rounds cost beside the full grid at equal width, and how often their interval holds.

    python -m tests.bench.adaptive_scaling [--experiments N] [--few]

Simulated experiments of the kinds of `tests/sweeps/planted.py` run by the design of `until: {minimum_data: …}`, with
the product's own interval. The grid has three seeds at each of nine sizes. Rounds may use up to six, and stop at the
median width that the grid reaches. `share` is their cost over the grid's, without a limit of cost; `within` is the
share of experiments that reach the width for no more than the grid costs. A kind whose median grid has no upper end is
left out, because no width can be equal to that. Says where a bar is missed, and fails where intervals do not hold.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sweeps.planning.rounds.ladder import Ladder
from sweeps.planning.rounds.next_round import Candidate
from sweeps.scaling.fit import ScalingFit, fit_many
from sweeps.scaling.laws import Floats
from tests.bench.simulated_rounds import SimulatedEnd, simulate_rounds
from tests.sweeps.planted import BEYOND, KINDS, SEEDS, SHIFTS, SIZES, WITHIN, Coverage, Kind

EXPERIMENTS = 500
MORE_SEEDS = 2 * SEEDS
MEDIAN_SHARE, LARGE_SHARE, HOLDS = 0.65, 1.0, 0.94
COSTS: Mapping[str, Floats] = {"by rows": SIZES + 256.0, "by steps": np.full(len(SIZES), 1_000.0)}
FEW = ("cv .3%, free", "cv 1%, nested", "pure, cv .5%, blocks")


@dataclass(frozen=True)
class RoundsOutcome:
    """How the experiments of a kind ended, beside their full grid."""

    where: str
    goal: float  # high / low that the median grid reaches
    shares: Floats  # of the grid's cost, each experiment
    reached: float
    within: float
    covered: float
    grid_covered: float

    def list_costly(self) -> Iterator[str]:
        """List what costs more than its bar, with the figure and the bar."""
        median, large = np.quantile(self.shares, [0.5, 0.9])
        if median > MEDIAN_SHARE:
            yield f"{self.where}: a median of {median:.2f} of the grid's cost, expected {MEDIAN_SHARE} or less"
        if large > LARGE_SHARE:
            yield f"{self.where}: a 90th percentile of {large:.2f}, expected {LARGE_SHARE} or less"


def build_ladder(costs: Floats) -> Ladder:
    """Arrange all runs that an experiment may have."""
    return Ladder.build(
        [
            Candidate({"size": int(size)}, seed, float(cost), in_grid=seed < SEEDS)
            for seed in range(MORE_SEEDS)
            for size, cost in zip(SIZES, costs, strict=True)
        ]
    )


def measure_rounds(kind: Kind, size: float, costs: Floats, experiments: int, where: str) -> RoundsOutcome | None:
    """Simulate a kind; None where the median grid has no upper end."""
    more = Kind(kind.name, kind.truth, kind.cv, kind.noise, MORE_SEEDS)
    losses, target = more.losses(experiments, seed=1), float(kind.truth(np.array([size]))[0])

    def fit(numbers: npt.NDArray[np.int_], measured: npt.NDArray[np.bool_]) -> Sequence[ScalingFit]:
        seeds, places = np.nonzero(measured)
        return fit_many(SIZES[places], losses[numbers][:, seeds, places], seed=seeds, targets=target)

    ladder = build_ladder(costs)
    whole = np.zeros(ladder.cost.shape, bool)
    whole[:SEEDS] = True
    grid = Coverage.of(fit(np.arange(experiments), whole), size)
    if not np.isfinite(grid.width) or grid.width <= 1:
        return None
    ends = simulate_rounds(ladder, fit, experiments, ratio=grid.width, most=float(ladder.cost.sum()))
    return summarize(where, ends, grid, size, float(ladder.cost[:SEEDS].sum()))


def summarize(where: str, ends: Sequence[SimulatedEnd], grid: Coverage, size: float, whole: float) -> RoundsOutcome:
    """Count how experiments ended, beside a grid of this cost."""
    shares = np.array([end.cost / whole for end in ends])
    reached = np.array([end.is_reached for end in ends])
    covered = Coverage.of([end.answer.fit for end in ends], size).covered
    within = float((reached & (shares <= 1)).mean())
    return RoundsOutcome(where, grid.width, shares, float(reached.mean()), within, covered, grid.covered)


def measure_all(experiments: int, names: Sequence[str] = ()) -> Iterator[RoundsOutcome]:
    """Simulate every kind, size and cost model, and print a line for each."""
    columns = (
        f"{'goal':>7} {'median':>7} {'90 %':>6} {'reached':>8} {'within':>7} {'covered':>8} {'grid':>6} {'seconds':>8}"
    )
    sys.stdout.write(f"{'kind':54} {columns}\n")
    for kind in (kind for kind in (*KINDS, *SHIFTS) if not names or kind.name in names):
        for size in (WITHIN, BEYOND):
            for name, costs in COSTS.items():
                began, where = time.perf_counter(), f"{kind.name} at {size:.0f}, {name}"
                outcome = measure_rounds(kind, size, costs, experiments, where)
                if outcome is None:
                    sys.stdout.write(f"{where:54} the median grid has no upper end\n")
                    continue
                median, large = np.quantile(outcome.shares, [0.5, 0.9])
                figures = f"{outcome.goal:7.2f} {median:7.2f} {large:6.2f} {outcome.reached:8.3f} {outcome.within:7.3f}"
                holds = f"{outcome.covered:8.3f} {outcome.grid_covered:6.3f} {time.perf_counter() - began:8.1f}"
                sys.stdout.write(f"{where:54} {figures} {holds}\n")
                sys.stdout.flush()
                yield outcome


def main() -> None:
    """Print the table and what misses a bar, and fail where intervals do not hold."""
    options = argparse.ArgumentParser()
    options.add_argument("--experiments", type=int, default=EXPERIMENTS)
    options.add_argument("--few", action="store_true", help="three kinds only")
    chosen = options.parse_args()
    outcomes = list(measure_all(chosen.experiments, FEW if chosen.few else ()))
    costly = [line for outcome in outcomes for line in outcome.list_costly()]
    sys.stdout.write("\n".join([*costly, ""]))
    wrong = [outcome for outcome in outcomes if outcome.covered < HOLDS]
    if wrong:
        sys.exit("\n".join(f"{outcome.where}: {outcome.covered:.3f} of the intervals hold" for outcome in wrong))


if __name__ == "__main__":
    main()
