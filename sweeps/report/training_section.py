"""Show how training went: one curve for each cell, the mean of its seeds.

The trainings of a chain stand one after another: each begins where the one before it ended.
"""

import math
import statistics
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sweeps.analysis.targets import describe_cell, name_with_unit
from sweeps.figures.charts import LineChart
from sweeps.figures.drawn_part import choose_evenly
from sweeps.figures.lines import Line, Plot
from sweeps.formatting import format_count
from sweeps.records import canonicalize_row
from sweeps.report.document import Figure, Section, make_table
from sweeps.report.inputs import LearningCurve
from sweeps.results import RunResult
from sweeps.stage import Json

PARTS = 26  # of a drawn curve: means over steps that are near each other on its axis
MOST = 48  # curves in one figure
GROUPS = ("method", "data", "target", "source", "model")  # what colours may tell apart
COLOURS = 8
STEPS = "optimizer steps done (log scale)"


@dataclass(frozen=True)
class Course:
    """The trainings of one cell with the same metric, at one place of its chain."""

    cell: Mapping[str, Json]
    what: str
    place: int  # 0: the first, and mostly the only one
    chain: int  # how many trainings there are
    points: Sequence[tuple[float, float]]
    ends: tuple[float, float]  # the means over the first and the last quarter of the steps, and over the seeds
    seeds: int
    broken: bool  # a value of it was not finite

    @property
    def label(self) -> str:
        """The cell, and which training of its chain it is."""
        chained = f", training {self.place + 1} of {self.chain}" if self.chain > 1 else ""
        return describe_cell(self.cell) + chained


def show_trainings(rows: Sequence[RunResult], curves: Sequence[LearningCurve]) -> Section:
    """Draw a figure for each kind of curve."""
    courses = _courses(rows, curves)
    axis = _axis(courses)
    colours = list(dict.fromkeys(_name_colour(course, axis) for course in courses))
    kinds = dict.fromkeys(course.what for course in courses)
    figures = (_figure(what, [course for course in courses if course.what == what], axis, colours) for what in kinds)
    return Section("How the trainings went", tuple(figures))


def _courses(rows: Sequence[RunResult], curves: Sequence[LearningCurve]) -> list[Course]:
    known = {curve.stage: curve for curve in curves if curve.points}
    groups: dict[tuple[bytes, str, int], tuple[RunResult, dict[str, LearningCurve]]] = {}
    for row in rows:
        for place, curve in enumerate(_chain(row, known)):
            if curve:
                group = groups.setdefault((canonicalize_row(row.cell), curve.what, place), (row, {}))
                group[1][curve.stage] = curve
    chained = {what for (_, what, place) in groups if place}
    return [
        Course(
            cell=row.cell,
            what=what,
            place=place,
            chain=len(row.before) + 1,
            points=_mean(by_seed.values(), log=what not in chained),
            ends=_average_ends(by_seed.values()),
            seeds=len(by_seed),
            broken=not all(map(_finite, by_seed.values())),
        )
        for (_, what, place), (row, by_seed) in groups.items()
    ]


def _chain(row: RunResult, known: Mapping[str, LearningCurve]) -> Iterator[LearningCurve | None]:
    """List the curves of a run's trainings in order, each shifted to where the one before it ended."""
    done = 0.0
    for stage in (*row.before, row.stage):
        curve = known.get(stage) if stage else None
        if curve and done:
            curve = replace(curve, points=[(done + step, value) for step, value in curve.points])
        yield curve
        done = curve.points[-1][0] if curve else done


def _finite(curve: LearningCurve) -> bool:
    return all(math.isfinite(value) for _, value in curve.points)


def _mean(curves: Iterable[LearningCurve], *, log: bool) -> list[tuple[float, float]]:
    """Average over the seeds step by step, then over parts: no more points than can be seen, and less noise."""
    values: dict[float, list[float]] = {}
    for curve in curves:
        for step, value in curve.points:
            if math.isfinite(value):
                values.setdefault(step, []).append(value)
    parts: dict[int, list[float]] = {}
    for step in sorted(values):
        parts.setdefault(int(PARTS * _locate_step(step, values, log=log)), []).append(step)
    return [
        (_middle(part), statistics.fmean(statistics.fmean(values[step]) for step in part)) for part in parts.values()
    ]


def _average_ends(curves: Iterable[LearningCurve]) -> tuple[float, float]:
    """Average what is finite over the first and over the last quarter of the steps, and over the seeds."""
    points = [point for curve in curves for point in curve.points]
    begin, end = min(step for step, _ in points), max(step for step, _ in points)
    quarter = (end - begin) / 4
    parts = ((begin, begin + quarter), (end - quarter, end))
    kept = [[value for step, value in points if a <= step <= b and math.isfinite(value)] for a, b in parts]
    first, last = (statistics.fmean(values) if values else math.nan for values in kept)
    return first, last


def _locate_step(step: float, steps: Collection[float], *, log: bool) -> float:
    """Measure how far along the axis a step is, from 0 to 1."""
    if log:
        return math.log(max(step, 1)) / math.log(max(*steps, 2))
    return (step - min(steps)) / (max(steps) - min(steps) or 1)


def _middle(steps: Sequence[float]) -> float:
    return statistics.geometric_mean(max(step, 1) for step in steps)


def _figure(what: str, courses: Sequence[Course], axis: str | None, colours: Sequence[str]) -> Figure:
    """Draw the curves of one metric; a name has the same colour in all figures."""
    chosen = choose_evenly([course for course in courses if course.points], MOST)
    chained = any(course.place for course in courses)
    series = [
        Line(name, curve=course.points, kind=colours.index(name) % COLOURS, told=course.label)
        for course in chosen
        for name in [_name_colour(course, axis)]
    ]
    name, title = f"training-{what.replace('_', '-')}", f"{name_with_unit(what)} of the training batches"
    description = f"{format_count(len(courses), 'curve')} of {what} by step, each the mean of the seeds of a condition."
    across = "optimizer steps done, along the chain" if chained else STEPS
    plot = Plot(name, title, description, across, f"{what} of the batch", log=not chained, quiet=True, height=340)
    numbers = make_table([_row(course) for course in courses], folded=True)
    return Figure(LineChart(plot, series), numbers, _note(courses, chosen, axis))


def _name_colour(course: Course, axis: str | None) -> str:
    """Name what a curve's colour stands for."""
    value = course.cell.get(axis) if axis else "all"
    return "none" if value is None else str(value)


def _note(courses: Sequence[Course], chosen: Sequence[Course], axis: str | None) -> str:
    parts = ["One line for each condition, the mean of its seeds (the table says how many), smoothed."]
    if axis:
        parts.append(f"Colours tell {axis} apart.")
    if any(course.place for course in courses):
        parts.append("Where a training goes on from another one, its line begins where that one ended.")
    if len(chosen) < len(courses):
        parts.append(f"{len(chosen)} of {len(courses):,} are drawn, evenly chosen; the table has all.")
    if broken := sum(course.broken for course in courses):
        parts.append(f"{broken} had a value that was not finite, which is left out.")
    return " ".join(parts)


def _axis(courses: Sequence[Course]) -> str | None:
    """Find the first key that differs, among those that colours may show."""
    for axis in GROUPS:
        if len({str(course.cell[axis]) for course in courses if axis in course.cell}) > 1:
            return axis
    return None


def _row(course: Course) -> dict[str, object]:
    first, last = course.ends
    return {
        "condition": course.label,
        "seeds": course.seeds,
        f"mean {course.what}, first quarter of the steps": first,
        f"mean {course.what}, last quarter of the steps": last,
        "NaN or infinity": course.broken,
    }
