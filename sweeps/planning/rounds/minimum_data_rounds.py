"""Rounds for `until: {minimum_data: {ratio: r}}`: run where it narrows the minimum data most for its cost.

One answer is one data set in one setting of `vary`. The interval is the one that the answer shows, by the same code
(`fit_runs`): an answer is done when its upper end is at most r times its lower end. Whether a difference is significant
is never asked, so looking after every round favours no outcome.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sweeps.analysis.item_analysis import select_items
from sweeps.analysis.targets import find_metric, fit_runs
from sweeps.identity import fingerprint
from sweeps.planning.rounds.answer_variance import AnswerVariance
from sweeps.planning.rounds.ladder import Ladder, Narrowing, choose_narrowing
from sweeps.planning.rounds.next_round import (
    Candidate,
    NextRound,
    RoundPart,
    RoundsEnd,
    Spec,
    SweepProgress,
)
from sweeps.results import RunResult, keep_measured
from sweeps.scaling.fit import ScalingFit
from sweeps.scaling.profile import FARTHEST, find_tolerance
from sweeps.stage import Json

FEWEST_SEEDS = (
    3  # of an answer that is done: of two, t has one degree of freedom, and a lucky interval is far too narrow
)
ROUND_SHARE = 0.25  # of what one run at every size costs: so much does a round spend before the interval is read again


@dataclass(frozen=True)
class MinimumDataRounds:
    """The design for the minimum data of each data set and setting."""

    def choose_first(self, spec: Spec, candidates: Sequence[Candidate]) -> Collection[str]:
        """Choose one run at every size, and more seeds where they are cheap; of controls, which have no answer, all."""
        controls = _list_controls(spec)
        first = {run.key for run in candidates if not run.size}
        for _, own in _group_candidates(candidates):
            ladder = Ladder.build(own)
            whole = [run for run in own if run.in_grid]
            chosen = whole if own[0].cell.get("data") in controls else ladder.list_runs(ladder.begin())
            first.update(run.key for run in chosen)
        return first

    def choose_next(self, progress: SweepProgress) -> NextRound | RoundsEnd:
        """Choose the runs that narrow each answer most, until all are done."""
        ratio = read_ratio(progress.spec)
        answers = [NarrowedAnswer.read(progress, cell, own) for cell, own in _group_candidates(progress.candidates)]
        asked = [answer for answer in answers if answer.cell.get("data") not in _list_controls(progress.spec)]
        parts = [part for answer in asked for part in answer.continue_to(ratio)]
        if parts:
            return NextRound(parts)
        ratios = [(answer.cell, answer.ratio) for answer in asked]
        if all(answer.is_done(ratio) for answer in asked):
            return RoundsEnd("reached", ratios)
        return RoundsEnd("no_answer" if all(answer.ratio is None for answer in asked) else "all_run", ratios)


def read_ratio(spec: Spec) -> float:
    """Read the ratio of the ends of an interval that is narrow enough."""
    until = spec.get("until")
    goal = until.get("minimum_data") if isinstance(until, Mapping) else None
    return float(str(goal["ratio"])) if isinstance(goal, Mapping) else math.inf


@dataclass(frozen=True, eq=False)
class NarrowedAnswer:
    """One answer as it is now."""

    cell: Mapping[str, Json]
    ladder: Ladder
    fit: ScalingFit

    @classmethod
    def read(
        cls, progress: SweepProgress, cell: Mapping[str, Json], candidates: Sequence[Candidate]
    ) -> "NarrowedAnswer":
        """Read the runs of one answer from all rows, and fit them as the answer does."""
        metric, own = find_metric(progress.spec), fingerprint(cell)
        rows = _sort_rows([row for row in progress.rows if fingerprint(_drop_size(row.cell)) == own])
        values = {(row.seed, int(str(row.cell["size"]))): row.metrics.get(metric, math.nan) for row in rows}
        ladder = Ladder.build(candidates)
        has_run, has_value = np.zeros_like(ladder.made), np.zeros_like(ladder.made)
        for run, place in ladder.places.items():
            has_run[place], has_value[place] = run in values, math.isfinite(values.get(run, math.nan))
        fit = fit_runs(progress.spec, keep_measured(rows), select_items(progress.items, metric))
        return cls(cell, replace(ladder, made=has_run, measured=has_value), fit)

    @property
    def seeds(self) -> int:
        return int(self.ladder.measured.any(axis=1).sum())

    @property
    def ratio(self) -> float | None:
        """The upper over the lower end; 1 if the smallest size is enough, None without both ends."""
        least = self.fit.minimum_data
        if least is None or self.fit.refused or self.fit.curve is None:
            return None
        if least.status == "met":
            return 1.0
        return least.high / least.low if least.has_interval and least.low and least.high else None

    def is_done(self, goal: float) -> bool:
        return self.ratio is not None and self.ratio <= goal and self.seeds >= FEWEST_SEEDS

    def continue_to(self, goal: float) -> Iterator[RoundPart]:
        """Yield the next runs, if some are left that may help."""
        if self.is_done(goal):
            return
        least = self.fit.minimum_data
        has_curve = self.fit.curve is not None and not self.fit.refused and least is not None and least.has_interval
        part = self._narrow(goal) if has_curve else None
        if part is None and (runs := self.ladder.list_runs(self.ladder.complete())):
            part = RoundPart(self.cell, "complete", runs, self.ratio)
        if part is not None:
            yield part

    def _narrow(self, goal: float) -> RoundPart | None:
        ladder, curves, least = self.ladder.keep_measured(), self.fit.drawn, self.fit.minimum_data
        assert least is not None
        farthest = FARTHEST * float(curves.n[-1])
        size = min(max(least.point or farthest, float(curves.n[0])), farthest)
        share = max(least.parts.seeds, 1e-6) if least.parts else 1.0
        width = math.log(self.ratio) if self.ratio and self.ratio > 1 else self._estimate_width(size, share)
        aim = Narrowing(AnswerVariance.linearize(curves, size), share, (math.log(goal) / width) ** 2)
        chosen, remaining = choose_narrowing(ladder, aim, ROUND_SHARE * self.ladder.cost_of_one)
        if not chosen.any():
            return None
        return RoundPart(
            self.cell, "narrow", ladder.list_runs(chosen), self.ratio, math.exp(width * math.sqrt(remaining))
        )

    def _estimate_width(self, size: float, share: float) -> float:
        """Estimate the logarithm of the ratio, to first order, where the interval lacks an end."""
        curves, at = self.fit.drawn, np.array([[size, 1.01 * size]])
        fall = abs(float(np.diff(curves.predict(at)[0])[0])) / math.log(1.01)
        influence = AnswerVariance.linearize(curves, size).influence
        half = math.sqrt(find_tolerance(curves, at[:, :1], self.fit.blocks)[0, 0] * float(influence @ influence))
        return 2 * half / max(fall, 1e-12) / math.sqrt(share)


def _list_controls(spec: Spec) -> set[str]:
    """List the data sets from which nothing can be learnt."""
    data = spec.get("data")
    named = data.items() if isinstance(data, Mapping) else ()
    return {name for name, section in named if isinstance(section, Mapping) and section.get("control_of")}


def _drop_size(cell: Mapping[str, Json]) -> dict[str, Json]:
    return {key: value for key, value in cell.items() if key != "size"}


def _group_candidates(candidates: Sequence[Candidate]) -> list[tuple[Mapping[str, Json], list[Candidate]]]:
    """Group the runs by answer, in the order of the plan; an answer has at least one size."""
    groups: dict[str, tuple[Mapping[str, Json], list[Candidate]]] = {}
    for run in candidates:
        cell = _drop_size(run.cell)
        groups.setdefault(fingerprint(cell), (cell, []))[1].append(run)
    return [(cell, runs) for cell, runs in groups.values() if any(run.size for run in runs)]


def _sort_rows(rows: Sequence[RunResult]) -> list[RunResult]:
    """Put rows in order of size and seed, whatever order they were made in: sums of floats depend on it."""
    return sorted(rows, key=lambda row: (int(str(row.cell["size"])), row.seed))
