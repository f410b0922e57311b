"""How the trainings went: one curve for each cell, the mean of its seeds."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sweeps.figures.lines import Line, Plot, lines
from sweeps.records import canonical
from sweeps.report.document import Figure, Section, both, table
from sweeps.report.material import Learning
from sweeps.report.reading import named, unit
from sweeps.results import RunResult
from sweeps.stage import Json
from sweeps.wording import counted

PARTS = 26  # of a drawn curve: means over steps that are near each other on a logarithmic axis
MOST = 48  # curves in one figure
GROUPS = ("method", "data", "target", "source", "model")  # what colours may tell apart
COLOURS = 8


@dataclass(frozen=True)
class Course:
    """The trainings of one cell that measured the same."""

    cell: Mapping[str, Json]
    what: str
    points: Sequence[tuple[float, float]]
    seeds: int
    broken: bool  # a value of it was not finite


def training(rows: Sequence[RunResult], curves: Sequence[Learning]) -> Section:
    """A figure for each kind of curve."""
    courses = _courses(rows, curves)
    kinds = dict.fromkeys(course.what for course in courses)
    figures = (_figure(what, [each for each in courses if each.what == what]) for what in kinds)
    return Section("How the trainings went", tuple(figures))


def _courses(rows: Sequence[RunResult], curves: Sequence[Learning]) -> list[Course]:
    cells = {row.stage: row.cell for row in rows if row.stage}
    groups: dict[tuple[bytes, str], tuple[Mapping[str, Json], list[Learning]]] = {}
    for curve in curves:
        if curve.points and curve.stage in cells:
            cell = cells[curve.stage]
            groups.setdefault((canonical(cell), curve.what), (cell, []))[1].append(curve)
    return [
        Course(cell, what, _mean(each), len(each), any(not _finite(one) for one in each))
        for (_, what), (cell, each) in groups.items()
    ]


def _finite(curve: Learning) -> bool:
    return all(math.isfinite(value) for _, value in curve.points)


def _mean(curves: Iterable[Learning]) -> list[tuple[float, float]]:
    """Step by step over the seeds, then part by part: no more points than can be seen, and less noise."""
    values: dict[float, list[float]] = {}
    for curve in curves:
        for step, value in curve.points:
            if math.isfinite(value):
                values.setdefault(step, []).append(value)
    parts: dict[int, list[float]] = {}
    for step in sorted(values):
        part = int(PARTS * math.log(max(step, 1)) / math.log(max(*values, 2)))
        parts.setdefault(part, []).append(step)
    return [
        (_middle(part), statistics.fmean(statistics.fmean(values[step]) for step in part)) for part in parts.values()
    ]


def _middle(steps: Sequence[float]) -> float:
    return statistics.geometric_mean(max(step, 1) for step in steps)


def _figure(what: str, courses: Sequence[Course]) -> Figure:
    chosen = _chosen(courses)
    axis = _axis(courses)
    names = list(dict.fromkeys(_named(course, axis) for course in courses))
    series = [
        Line(name, curve=course.points, kind=names.index(name) % COLOURS, told=named(course.cell))
        for course in chosen
        for name in [_named(course, axis)]
    ]
    name, title = f"training-{what.replace('_', '-')}", f"{unit(what)} while training"
    told = f"{counted(len(courses), 'curve')} of {what} by step, each the mean of a cell's seeds."
    plot = Plot(name, title, told, "optimizer steps done (log scale)", f"{what} of the batch", quiet=True, height=340)
    return Figure(
        name,
        title,
        **both(lambda width, suffix: lines(plot, series, width, suffix)),
        table=table([_row(course) for course in courses], folded=True),
        note=_note(courses, chosen, axis),
    )


def _named(course: Course, axis: str | None) -> str:
    """What a curve's colour says."""
    value = course.cell.get(axis) if axis else "all"
    return "none" if value is None else str(value)


def _note(courses: Sequence[Course], chosen: Sequence[Course], axis: str | None) -> str:
    parts = ["One line for each cell, the mean of its seeds (the table says how many), smoothed."]
    if axis:
        parts.append(f"Colours tell {axis} apart.")
    if len(chosen) < len(courses):
        parts.append(f"{len(chosen)} of {len(courses):,} are drawn, evenly chosen; the table has all.")
    if broken := sum(course.broken for course in courses):
        parts.append(f"{broken} had a value that was not finite, which is left out.")
    return " ".join(parts)


def _chosen(courses: Sequence[Course]) -> list[Course]:
    """All, or evenly spread ones."""
    drawable = [course for course in courses if course.points]
    every = max(1.0, len(drawable) / MOST)
    return [drawable[int(place * every)] for place in range(min(MOST, len(drawable)))]


def _axis(courses: Sequence[Course]) -> str | None:
    """The first of what colours may tell apart that differs."""
    for axis in GROUPS:
        if len({str(course.cell[axis]) for course in courses if axis in course.cell}) > 1:
            return axis
    return None


def _row(course: Course) -> dict[str, object]:
    first, last = (course.points[0], course.points[-1]) if course.points else ((0, math.nan), (0, math.nan))
    return {
        "cell": named(course.cell),
        "seeds": course.seeds,
        "at first": first[1],
        "at last": last[1],
        "not finite": course.broken,
    }
