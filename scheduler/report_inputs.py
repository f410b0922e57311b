"""Gather the inputs of a report from Redis and the artefact store; write its figures as files."""

import json
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files

from scheduler.errors import FiguresUnavailable
from scheduler.state import costs, keys, views
from scheduler.state.answer_inputs import read_answer_inputs
from scheduler.state.keeping.archive import open_archive
from scheduler.state.keeping.packing import read_points
from scheduler.state.milliseconds import read_moment
from scheduler.state.pages import read_in_pages
from scheduler.state.runs.incidents import read_incidents
from scheduler.state.store import Store
from scheduler.state.views import StageView, read_recipes
from sweeps.figures.charts import draw_svg
from sweeps.figures.svg import WIDE
from sweeps.formatting import format_count
from sweeps.report.document import Figure
from sweeps.report.inputs import BilledAmount, DataUse, LearningCurve, LostStages, Material
from sweeps.results import GIVEN_UP, RunResult, group_by_cell

LIBRARIES = ("tinker-sweeps", "tinker", "numpy", "scipy")
SVG = 'xmlns="http://www.w3.org/2000/svg"'  # a name, of which nothing is fetched
MOST_CURVES = 120  # that are read: more would be neither seen nor waited for
STAGE = re.compile(r"\b(?:train|evaluate)-[0-9a-f]{16}\b")
SCALE = 2  # pixels of a PNG for each unit of a drawing


def gather_inputs(store: Store, name: str, now: int, *, url: str | None = None) -> Material:
    """Gather everything about a sweep at `now`, in milliseconds. Its items lie at `url`; without one they are not read.

    Raises UnknownSweep.
    """
    store = open_archive(store, name)
    view, rows = views.read_sweep(store, name), views.read_results(store, name)
    stages, spent = views.read_stages(store, name), costs.read_costs(store, name)
    kept = store.client.hmget(keys.sweep(name), ["totals", "defaults"])
    totals = json.loads(kept[0] or "{}")
    return replace(
        read_answer_inputs(store, view, rows, url),
        stages=view.counts,
        troubles=_list_troubles(stages),
        spending=spent.kinds,
        billed=[
            BilledAmount(bill.service, bill.tokens, bill.micro_usd, format_moment(bill.at)) for bill in spent.billed
        ],
        limit=spent.limit,
        incidents=read_incidents(store, view).sentence,
        services=view.services,
        curves=read_curves(store, rows, {stage.id: stage.label for stage in stages}),
        defaults=json.loads(kept[1]) if kept[1] else None,
        data=_list_data(store, stages),
        versions=list_versions(),
        price_dates=tuple(totals["price_dates"]) if totals.get("price_dates") else None,
        submitted=format_moment(view.submitted),
        made=format_moment(now),
    )


def format_moment(milliseconds: int) -> str:
    """Write a time: 2026-11-25 22:57 UTC."""
    return read_moment(milliseconds).strftime("%Y-%m-%d %H:%M UTC")


def list_versions() -> dict[str, str]:
    """List the versions that computed the report."""
    return {"python": platform.python_version(), **{name: _read_version(name) for name in LIBRARIES}}


def _read_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _list_troubles(stages: Sequence[StageView]) -> list[LostStages]:
    """Group stages without a result by state and cause; causes that differ only in numbers or stage ids are one."""
    alike: dict[tuple[str, str], list[StageView]] = {}
    for stage in stages:
        if stage.state in GIVEN_UP:
            cause = re.sub(r"\d[\w.+-]*", "#", STAGE.sub("#", stage.cause or ""))
            alike.setdefault((stage.state, cause), []).append(stage)
    return [
        LostStages(state, _describe_causes(group), [stage.label for stage in group])
        for (state, _), group in alike.items()
    ]


def _describe_causes(alike: Sequence[StageView]) -> str:
    """Return the first cause, and say whether others name other stages."""
    first = alike[0].cause or "no cause is known"
    named = {name for stage in alike for name in STAGE.findall(stage.cause or "")}
    return f"{first}; others name {format_count(len(named) - 1, 'other stage')}" if len(named) > 1 else first


def read_curves(store: Store, rows: Sequence[RunResult], labels: Mapping[str, str]) -> list[LearningCurve]:
    """Read the learning curves of these rows, of very many only some; `labels` are those of the stages."""
    curves = []
    stages = _choose_trainings(rows)
    for stage, text in read_in_pages(store.client, stages, lambda pipe, stage: pipe.get(keys.curve(stage))):
        steps = read_points(text)
        what = next((name for name in steps[0] if name != "step"), "") if steps else ""
        kept = [(point["step"] + 1, float(point[what])) for point in steps if isinstance(point.get(what), int | float)]
        if kept:
            curves.append(LearningCurve(stage, labels.get(stage, stage), what, kept))
    return curves


def _choose_trainings(rows: Sequence[RunResult]) -> list[str]:
    """Choose trainings to read: some seeds of every cell; of very many cells, evenly spaced ones."""
    cells = [
        list(dict.fromkeys((*row.before, row.stage) for row in group if row.stage)) for _, group in group_by_cell(rows)
    ]
    trained = [chains for chains in cells if chains]
    every, seeds = -(-len(trained) // MOST_CURVES) or 1, MOST_CURVES // max(len(trained), 1) or 1
    chains = [chain for chains in trained[::every] for chain in chains[:seeds]]
    return list(dict.fromkeys(stage for chain in chains for stage in chain if stage))


def _list_data(store: Store, stages: Sequence[StageView]) -> list[DataUse]:
    """List data by its content address, from the recipes."""
    uses: dict[tuple[str, str], list[str]] = {}
    labels = {stage.id: stage.label for stage in stages}
    for stage, recipe in read_recipes(store, list(labels)).items():
        data = recipe.get("data")
        if isinstance(data, dict) and "records" in data:
            uses.setdefault((str(data["records"]), "train"), []).append(labels[stage])
        if isinstance(items := recipe.get("items"), str):
            uses.setdefault((items, "evaluate"), []).append(labels[stage])
    return [DataUse(records, what, len(names), names[0]) for (records, what), names in uses.items()]


def read_style() -> str:
    """Return the style of the page and of its figures."""
    folder = files("scheduler")
    return (folder / "figure.css").read_text(encoding="utf-8") + (folder / "report.css").read_text(encoding="utf-8")


def write_svg(figure: Figure) -> str:
    """Write a figure as a file of its own, with colours in place of CSS variables, which not every reader knows."""
    css = (files("scheduler") / "figure.css").read_text(encoding="utf-8")
    colours = dict(re.findall(r"(--[\w-]+): (#\w+)", css))
    plain = re.sub(r"var\((--[\w-]+)\)", lambda match: colours[match[1]], re.sub(r":root \{[^}]*\}", "", css))
    opening, rest = draw_svg(figure.chart, WIDE, "wide").split(">", 1)
    return f"{opening} {SVG}>{_insert_style(rest, plain, colours['--paper'])}\n"


def _insert_style(rest: str, css: str, paper: str) -> str:
    """Keep title and description first, as readers expect; then the style and the background."""
    head, drawing = rest.split("</desc>", 1)
    return f'{head}</desc><style>{css}</style><rect width="100%" height="100%" fill="{paper}"/>{drawing}'


def draw_png(figure: Figure) -> bytes:
    """Draw a figure as a PNG. Raises FiguresUnavailable."""
    try:
        import resvg_py
    except ImportError:
        hint = "PNG needs resvg_py, which is not installed: .venv/bin/python -m pip install resvg_py"
        raise FiguresUnavailable(f"{hint} (the extra `figures`); `--format svg` needs nothing") from None
    return bytes(resvg_py.svg_to_bytes(svg_string=write_svg(figure), zoom=SCALE))
