"""Values of rounds: the runs that a sweep may have, what is known of it, and what follows: a round, or the end.

A design is a pure function of these values. It does not see when a run ended, in which order, how often it was tried
or who paid. So a crash, an outage or a pause in the middle of a round changes nothing of what follows.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from sweeps.identity import name_run
from sweeps.results import RunResult
from sweeps.stage import Json
from sweeps.stats.paired_items import Items

Spec = Mapping[str, Json]
Purpose = Literal["first", "narrow", "complete"]
"""Why runs are made: to begin; for the largest drop of the answer's variance for each dollar; or, while there is no
interval to narrow, as the next seed of the full grid."""
Ending = Literal["reached", "no_answer", "all_run", "budget", "most"]
"""Why no round follows: the goal is reached; no interval can be given; every run that may follow is made; or the next
run would pass `until.budget` or `until.most`."""


@dataclass(frozen=True)
class Candidate:
    """A run that the sweep may have, with what it costs at most: micro-dollars, or tokens where there is no price."""

    cell: Mapping[str, Json]
    seed: int
    cost: float
    in_grid: bool  # the full grid of the file has it; the others are further seeds

    @property
    def key(self) -> str:
        return name_run(self.cell, self.seed)

    @property
    def size(self) -> int:
        """The size of its cell; 0 for the untrained model, and in a kind without sizes."""
        size = self.cell.get("size")
        return size if isinstance(size, int) else 0

    @property
    def trains(self) -> bool:
        """Whether it is more than the untrained model, which every sweep measures."""
        return self.cell.get("size") != 0


@dataclass(frozen=True)
class SweepProgress:
    """What is known of a sweep: its file, all runs that it may have, and the rows of those that it has."""

    spec: Spec
    candidates: Sequence[Candidate]
    rows: Sequence[RunResult]
    items: Mapping[str, Items] = field(default_factory=dict)  # by measure

    @property
    def made(self) -> set[str]:
        """The runs that the sweep has."""
        return {name_run(row.cell, row.seed) for row in self.rows}


@dataclass(frozen=True)
class RoundPart:
    """What a round does for one answer: whose answer it is, why, and how wide its interval is and should become."""

    cell: Mapping[str, Json]  # without the size
    purpose: Purpose
    runs: Sequence[Candidate]
    ratio: float | None = None  # upper over lower end now; None without both ends
    expected: float | None = None  # and as is expected after this part

    def document(self) -> dict[str, Json]:
        """Return it as JSON."""
        runs: list[Json] = [[run.size, run.seed] for run in self.runs]
        return {
            "cell": dict(self.cell),
            "purpose": self.purpose,
            "runs": runs,
            "ratio": self.ratio,
            "expected": self.expected,
        }


@dataclass(frozen=True)
class NextRound:
    """The runs to make next."""

    parts: Sequence[RoundPart]

    @property
    def runs(self) -> list[Candidate]:
        return [run for part in self.parts for run in part.runs]

    def document(self) -> dict[str, Json]:
        """Return it as JSON."""
        return {"parts": [part.document() for part in self.parts]}


@dataclass(frozen=True)
class RoundsEnd:
    """Why no round follows, and the width of each answer."""

    code: Ending
    ratios: Sequence[tuple[Mapping[str, Json], float | None]] = ()  # of each cell without its size

    def document(self) -> dict[str, Json]:
        """Return it as JSON."""
        return {"code": self.code, "ratios": [{"cell": dict(cell), "ratio": ratio} for cell, ratio in self.ratios]}


class RoundDesign(Protocol):
    """How one kind of goal spends. Both are pure: the same arguments give the same runs, in the same order."""

    def choose_first(self, spec: Spec, candidates: Sequence[Candidate]) -> Collection[str]:
        """Choose the runs of the first round, by their names."""

    def choose_next(self, progress: SweepProgress) -> NextRound | RoundsEnd:
        """Choose the next round. Limits are not its business: `choose_round` holds it to them."""


def sum_costs(runs: Sequence[Candidate]) -> float:
    """Sum what runs cost at most."""
    return sum(run.cost for run in runs)
