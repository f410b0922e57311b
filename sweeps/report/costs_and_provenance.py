"""What a sweep cost, what failed, every run, and what the answer rests on."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from sweeps.analysis.told_items import list_conditional
from sweeps.cost import KindCosts
from sweeps.figures.bars import Row, RowPlot
from sweeps.figures.charts import BarChart
from sweeps.formatting import format_cell, format_count, format_number, format_usd, format_value
from sweeps.report.document import Code, Figure, Paragraph, Part, Section, Table, make_table
from sweeps.report.inputs import BilledAmount, DataUse, LostStages, Material
from sweeps.report.shared_parts import describe_rows, mark_told
from sweeps.report.table_cells import TableCell, show_dollars
from sweeps.results import RunResult
from sweeps.stage import MICRO, Json
from sweeps.stats.paired_items import Items

FEW = 12  # labels that are listed of stages that share a cause
CAUSES = 100
LONG = 24  # rows of a table that is shown at once


def show_costs(material: Material) -> Section:
    """Show what was estimated, metered and billed."""
    kinds = [each for each in material.spending if each.stages]
    parts: list[Part] = [Paragraph(_say_spent(material))]
    if kinds:
        parts.append(_draw_costs(kinds))
    if material.billed:
        parts.append(make_table([_show_bill(each) for each in material.billed], caption="Billed by the service"))
    return Section("What it cost", tuple(parts))


def _say_spent(material: Material) -> str:
    spent = sum(each.metered for each in material.spending)
    held = sum(each.reserved for each in material.spending)
    unreconciled = sum(each.unreconciled for each in material.spending)
    limit = "" if material.limit is None else f" of a budget of {format_usd(material.limit)}"
    words = f"{format_usd(spent)}{limit} at the prices of the price list"
    if held:
        words += f", {format_usd(held)} reserved for what is running"
    if unreconciled:
        words += f", {format_usd(unreconciled)} unreconciled"
    reused = sum(each.reused for each in material.spending)
    return f"{words}; other sweeps had paid {format_usd(reused)} of the estimate." if reused else f"{words}."


def _draw_costs(kinds: Sequence[KindCosts]) -> Figure:
    rows = [
        Row(
            name=f"{each.kind}: {format_count(each.stages, 'stage')}",
            value=each.metered / MICRO,
            low=each.low / MICRO,
            high=each.high / MICRO,
            said=f"{format_usd(each.metered)} ({_write_range(each)})",
            kind=place,
        )
        for place, each in enumerate(kinds)
    ]
    words = RowPlot("cost", "Metered and estimated cost", describe_rows(rows), "US dollars")
    legend = "Bars: metered, of this sweep's own money. Brackets: the estimate."
    return Figure(BarChart(words, rows), make_table([_show_kind(each) for each in kinds]), legend)


def _write_range(each: KindCosts) -> str:
    return format_usd(each.high) if each.low == each.high else f"{format_usd(each.low)}–{format_usd(each.high)}"


def _show_kind(each: KindCosts) -> dict[str, Any]:
    amounts = {"low": each.low, "high": each.high, "reused": each.reused, "metered": each.metered}
    amounts |= {"reserved": each.reserved, "unreconciled": each.unreconciled}
    shown = {name: show_dollars(amount) for name, amount in amounts.items()}
    return {"kind": each.kind, "stages": each.stages, **shown, "tokens": each.tokens}


def _show_bill(each: BilledAmount) -> dict[str, Any]:
    amount = TableCell("not stated") if each.micro_usd is None else show_dollars(each.micro_usd)
    return {"service": each.service, "tokens": each.tokens, "amount": amount, "as of": each.at}


def show_failures(material: Material) -> Section:
    """Show what has no result, with the cause; nothing is left out of the count."""
    lost = [row for row in material.rows if row.state != "succeeded"]
    if not lost and not material.troubles:
        return Section("What failed", ())
    parts: list[Part] = []
    if material.troubles:
        causes = sorted(material.troubles, key=lambda each: (each.state, -len(each.labels)))
        parts.append(make_table([_show_cause(each) for each in causes[:CAUSES]]))
        if len(causes) > CAUSES:
            parts.append(Paragraph(f"… and {len(causes) - CAUSES:,} more causes.", warning=True))
    if lost:
        parts.append(_list_lost(lost))
    return Section("What failed, and what is missing", tuple(parts))


def _show_cause(each: LostStages) -> dict[str, Any]:
    more = len(each.labels) - FEW
    labels = ", ".join(each.labels[:FEW]) + (f" and {more:,} more" if more > 0 else "")
    return {"state": each.state, "stages": len(each.labels), "cause": each.cause, "which": labels}


def _list_lost(rows: Sequence[RunResult]) -> Table:
    caption = f"{format_count(len(rows), 'run')} without a result"
    return make_table([_show_run(row) for row in rows], caption=caption, folded=len(rows) > LONG)


def _show_run(row: RunResult) -> dict[str, Any]:
    cell = {key: TableCell(format_cell(key, value), value) for key, value in row.cell.items()}
    return {**cell, "seed": row.seed, "state": row.state}


def list_runs(rows: Sequence[RunResult], metrics: Sequence[str], items: Mapping[str, Items]) -> Section:
    """List every run; what not all of its items tell, with how many do."""
    runs = [
        _show_run(row)
        | {metric: row.metrics.get(metric) for metric in metrics}
        | {
            metric: TableCell(f"{format_value(row.metrics[metric])}{mark_told(told)}", row.metrics[metric])
            for metric, told in list_conditional([row], items).items()
        }
        | {"steps": row.steps, "tokens": row.tokens, "$": show_dollars(row.micro_usd)}
        for row in rows
    ]
    return Section(
        "Every run", (make_table(runs, folded=True, caption=format_count(len(rows), "run")),) if rows else ()
    )


def show_provenance(material: Material) -> Section:
    """Show the spec, its defaults, the data and the versions: what it takes to ask the same again."""
    parts: list[Part] = [Code(write_yaml(material.spec), "yaml")]
    if material.defaults:
        taken = [{"key left out": path, "default": format_number(value)} for path, value in material.defaults.items()]
        parts.append(make_table(taken, caption="Defaults", folded=True))
    if material.data:
        parts.append(make_table([_show_use(each) for each in material.data], caption="Data, by content", folded=True))
    versions = [{"what": name, "version": version} for name, version in material.versions.items()]
    if material.price_dates:
        oldest, newest = material.price_dates
        dated = oldest if oldest == newest else f"{oldest} to {newest}"
        versions.append({"what": "price list", "version": f"prices of {dated}"})
    if versions:
        parts.append(make_table(versions, caption="Versions"))
    return Section("What was asked, and with what", tuple(parts))


def _show_use(each: DataUse) -> dict[str, Any]:
    return {"sha256": each.records, "used to": each.what, "stages": each.stages, "for example": each.example}


def write_yaml(spec: Mapping[str, Json]) -> str:
    """Write a spec as its file has it, without the keys that it leaves out."""
    from ruamel.yaml import YAML

    yaml, text = YAML(typ="rt"), io.StringIO()
    yaml.default_flow_style = None
    yaml.width = 100
    yaml.dump(_simplify(dict(spec)), text)
    return text.getvalue()


def _simplify(value: Json) -> Json:
    """Write a whole number as a file has it: 32, where a model of the spec holds 32.0."""
    if isinstance(value, dict):
        return {key: _simplify(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_simplify(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value
