"""Which cell is the best, by what it was chosen, and how near the others are."""

from collections.abc import Sequence
from typing import Any

from sweeps.figures.rows import Rows, intervals
from sweeps.frames import in_order
from sweeps.records import canonical
from sweeps.report.comparison import row
from sweeps.report.document import Answer, Figure, Section, Table, Text, both, table
from sweeps.report.reading import Spec, best_by, estimate_of, named, unit, variants, with_width
from sweeps.results import CellSummary, RunResult, Winner, cells, winner
from sweeps.wording import counted

DRAWN = 20  # of the best cells


def grid(spec: Spec, rows: Sequence[RunResult]) -> Answer:
    """The best cell on each data set: losses on different holdouts do not compare."""
    best = best_by(spec)
    metric, sentences, sections = best.metric.removeprefix("validation."), list[str](), list[Section]()
    others = {key for each in rows for key in each.cell} - {"data"}
    for place, (where, group) in enumerate(variants(rows, others)):
        summaries = cells(group)
        found = winner(summaries, metric, mode=best.mode)
        on = f" on {where.removeprefix('data=')}" if where else ""
        sentences.append(said(found, metric, on))
        if found is not None:
            ranked = _ranked(summaries, found.by, best.mode)
            shown = (
                _figure(f"cells-{place}", ranked, found.by, best.mode, metric) if len(ranked) > 1 else _only(ranked[0])
            )
            sections.append(Section(f"Which cell?{on}", (_chosen(found, metric), shown)))
    return Answer(tuple(sentences), tuple(sections))


def said(found: Winner | None, metric: str, on: str) -> str:
    """The best cell and what it has on the holdout, in a sentence."""
    if found is None:
        return f"No run{on} has {metric} yet."
    what = named(found.cell.cell, without={"data"})
    moments = found.cell.metrics.get(metric)
    held = (
        f"held-out {metric} is not known yet" if moments is None else f"held-out {metric} {_told(found.cell, metric)}"
    )
    return f"Best{on}: {what}: {held}." if what else f"The one cell{on}: {held}."


def _told(cell: CellSummary, metric: str) -> str:
    moments = cell.metrics[metric]
    interval = " (95 % interval)" if moments.variance is not None else ""
    return f"{with_width(estimate_of(moments))}{interval} over {counted(moments.count, 'seed')}"


def _chosen(found: Winner, metric: str) -> Text:
    if found.among == 1:
        return Text("There was one cell, and nothing to choose.")
    among = f"Chosen among {counted(found.among, 'cell')} by {found.by}"
    if found.by == metric:
        return Text(f"{among} of the holdout itself, which flatters: add `validation` to the data.", warning=True)
    return Text(f"{among}; told by the holdout, which did not choose.")


def _ranked(summaries: Sequence[CellSummary], by: str, mode: str) -> list[CellSummary]:
    judged = [cell for cell in summaries if by in cell.metrics]
    return sorted(judged, key=lambda cell: cell.metrics[by].mean, reverse=mode == "max")


def _only(cell: CellSummary) -> Table:
    """Everything that was measured of the one cell."""
    shown = in_order(cell.metrics)
    rows = [
        {"metric": name, "mean": with_width(estimate_of(cell.metrics[name])), "seeds": cell.count} for name in shown
    ]
    return table(rows, caption="Means over the seeds with their 95 % intervals")


def _figure(name: str, ranked: Sequence[CellSummary], by: str, mode: str, metric: str) -> Figure:
    shown = ranked[:DRAWN]
    same = {key for key in ranked[0].cell if len({canonical(cell.cell.get(key)) for cell in ranked}) == 1}
    rows = [
        row(named(cell.cell, without=same), estimate_of(cell.metrics[by]), 0 if place == 0 else 7)
        for place, cell in enumerate(shown)
    ]
    told = "; ".join(f"{each.name}: {each.said}" for each in rows)
    better = "more is better" if mode == "max" else "less is better"
    title = f"The best of {counted(len(ranked), 'cell')}, by {by}"
    plot = Rows(name, title, told, f"{unit(by)}, {better}")
    left = f" Of {len(ranked):,} cells the {DRAWN} best are drawn; the table has all." if len(ranked) > DRAWN else ""
    numbers = table([_row(cell, dict.fromkeys([by, metric])) for cell in ranked], folded=len(ranked) > DRAWN)
    note = f"Means over the seeds with their own 95 % intervals.{left}"
    return Figure(name, title, **both(lambda w, s: intervals(plot, rows, w, s)), table=numbers, note=note)


def _row(cell: CellSummary, metrics: dict[str, None]) -> dict[str, Any]:
    found = {metric: with_width(estimate_of(cell.metrics[metric])) for metric in metrics if metric in cell.metrics}
    return {**{key: value for key, value in cell.cell.items() if key != "data"}, "seeds": cell.count, **found}
