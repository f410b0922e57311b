"""The design of each goal of `until`, and the limits that hold for all of them: `budget` and `most`.

To add a goal, write one file with a `RoundDesign` and add one line to `DESIGNS`; `until` has a key of the same name.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sweeps.planning.rounds.minimum_data_rounds import MinimumDataRounds
from sweeps.planning.rounds.next_round import (
    Candidate,
    NextRound,
    RoundDesign,
    RoundPart,
    RoundsEnd,
    Spec,
    SweepProgress,
    sum_costs,
)
from sweeps.stage import MICRO


@dataclass(frozen=True)
class FullGridRounds:
    """The design of a sweep whose `until` was taken away: the rest of its full grid."""

    def choose_first(self, _spec: Spec, candidates: Sequence[Candidate]) -> Collection[str]:
        """Choose the full grid."""
        return {run.key for run in candidates if run.in_grid}

    def choose_next(self, progress: SweepProgress) -> NextRound | RoundsEnd:
        """Choose what is left of the full grid."""
        left = [run for run in progress.candidates if run.in_grid and run.key not in progress.made]
        return NextRound([RoundPart({}, "complete", left)]) if left else RoundsEnd("all_run")


DESIGNS: Mapping[str, RoundDesign] = {"minimum_data": MinimumDataRounds(), "full_grid": FullGridRounds()}
ROUNDING = 0.5  # micro-dollars
MOST_AT_ONCE = 100  # runs of one round: what is appended in one step is bounded, and the rest follows in the next


@dataclass(frozen=True)
class RoundLimits:
    """What all runs of a sweep may cost at most, as candidates have it, and how many of them are trained."""

    cost: float
    runs: float

    @classmethod
    def read(cls, spec: Spec, candidates: Sequence[Candidate]) -> "RoundLimits":
        """Read the limits of `until`. Without any, the sweep costs no more than its full grid."""
        until = spec.get("until")
        section = until if isinstance(until, Mapping) else {}
        if section.get("full_grid"):
            return cls(math.inf, math.inf)
        budget, most = section.get("budget"), section.get("most")
        if budget is None and most is None:
            return cls(sum_costs([run for run in candidates if run.in_grid]), math.inf)
        cost = float(str(budget["usd"])) * MICRO if isinstance(budget, Mapping) else math.inf
        return cls(cost, math.inf if most is None else float(str(most)))

    def take(self, run: Candidate) -> "RoundLimits":
        """Return what is left after a run."""
        return RoundLimits(self.cost - run.cost, self.runs - run.trains)

    def find_passed(self) -> Literal["", "budget", "most"]:
        """Name the limit that is passed; `budget` also stands for the full grid's cost."""
        return "budget" if self.cost < -ROUNDING else "most" if self.runs < 0 else ""


def find_design(spec: Spec) -> RoundDesign | None:
    """Find the design of a sweep; None for one without `until`."""
    until = spec.get("until")
    named = until if isinstance(until, Mapping) else {}
    return next((design for name, design in DESIGNS.items() if named.get(name) is not None), None)


def choose_round(progress: SweepProgress) -> NextRound | RoundsEnd:
    """Choose what follows when every run that the sweep has has ended: a round within all limits, or the end.

    Runs of the design from the first one that would pass a limit on are left out. Raises ValueError without `until`.
    """
    design = find_design(progress.spec)
    if design is None:
        raise ValueError("expected a sweep with `until`")
    wanted = design.choose_next(progress)
    if isinstance(wanted, RoundsEnd):
        return wanted
    made, left = progress.made, RoundLimits.read(progress.spec, progress.candidates)
    for run in progress.candidates:
        left = left.take(run) if run.key in made else left
    parts, passed = _keep_affordable(wanted.parts, left)
    if any(part.runs for part in parts):
        return NextRound([part for part in parts if part.runs])
    return RoundsEnd(passed or "all_run", [(part.cell, part.ratio) for part in wanted.parts])


def _keep_affordable(
    parts: Sequence[RoundPart], left: RoundLimits
) -> tuple[list[RoundPart], Literal["", "budget", "most"]]:
    """Keep the runs before the first one that passes a limit, which is named, and no more than fit into one round."""
    kept, count = list[RoundPart](), 0
    for part in parts:
        runs = list[Candidate]()
        for run in part.runs:
            left = left.take(run)
            if (passed := left.find_passed()) or count == MOST_AT_ONCE:
                return [*kept, replace(part, runs=runs, expected=None)], passed
            runs.append(run)
            count += 1
        kept.append(part)
    return kept, ""
