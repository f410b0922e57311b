"""What it cost, what went wrong, and what it all rests on."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from sweeps.cost import KindCosts
from sweeps.figures.bars import Row, RowPlot, draw_bars
from sweeps.formatting import format_cell, format_count, format_number, format_usd
from sweeps.report.document import Code, Figure, Paragraph, Part, Section, Table, both, table
from sweeps.report.inputs import LostStages, Material
from sweeps.results import RunResult
from sweeps.stage import MICRO, Json

FEW = 12  # labels that are listed of stages that share a cause
CAUSES = 100
LONG = 24  # rows of a table that is shown without being asked for


def cost(material: Material) -> Section:
    """Estimated, metered and billed."""
    kinds = [each for each in material.spending if each.stages]
    parts: list[Part] = [Paragraph(_spent(material))]
    if kinds:
        parts.append(_bars(kinds))
    if material.billed:
        parts.append(table([_billed(each) for each in material.billed], caption="What the service says that it bills"))
    return Section("What it cost", tuple(parts))


def _spent(material: Material) -> str:
    spent = sum(each.metered for each in material.spending)
    held = sum(each.reserved for each in material.spending)
    unreconciled = sum(each.unreconciled for each in material.spending)
    limit = "" if material.limit is None else f" of a budget of {format_usd(material.limit)}"
    said = f"{format_usd(spent)}{limit} at the price book's prices"
    if held:
        said += f", {format_usd(held)} held for what runs"
    if unreconciled:
        said += f", {format_usd(unreconciled)} unreconciled"
    reused = sum(each.reused for each in material.spending)
    return f"{said}; {format_usd(reused)} of the estimate had been paid by other sweeps." if reused else f"{said}."


def _bars(kinds: Sequence[KindCosts]) -> Figure:
    rows = [
        Row(
            name=f"{each.kind}: {format_count(each.stages, 'stage')}",
            value=each.metered / MICRO,
            low=each.low / MICRO,
            high=each.high / MICRO,
            said=f"{format_usd(each.metered)} ({_range(each)})",
            kind=place,
        )
        for place, each in enumerate(kinds)
    ]
    told = "; ".join(f"{row.name}: {row.said}" for row in rows)
    plot = RowPlot("cost", "What was metered, and what was estimated", told, "US dollars")
    note = "Bars are what was metered of this sweep's own money, brackets (and what is in them) the estimate."
    numbers = table([_kind(each) for each in kinds])
    return Figure("cost", plot.title, **both(lambda w, s: draw_bars(plot, rows, w, s)), table=numbers, note=note)


def _range(each: KindCosts) -> str:
    return format_usd(each.high) if each.low == each.high else f"{format_usd(each.low)}–{format_usd(each.high)}"


def _kind(each: KindCosts) -> dict[str, Any]:
    amounts = ("low", "high", "reused", "metered", "reserved", "unreconciled")
    return {
        "kind": each.kind,
        "stages": each.stages,
        **{name: format_usd(getattr(each, name)) for name in amounts},
        "tokens": each.tokens,
    }


def _billed(each: Any) -> dict[str, Any]:
    amount = "none named" if each.micro_usd is None else format_usd(each.micro_usd)
    return {"service": each.service, "tokens": each.tokens, "amount": amount, "as of": each.at}


def failures(material: Material) -> Section:
    """What has no result, with the cause; nothing is left out of the count."""
    lost = [row for row in material.rows if row.state != "succeeded"]
    if not lost and not material.troubles:
        return Section("What failed", ())
    parts: list[Part] = []
    if material.troubles:
        found = sorted(material.troubles, key=lambda each: (each.state, -len(each.labels)))
        parts.append(table([_trouble(each) for each in found[:CAUSES]]))
        if len(found) > CAUSES:
            parts.append(Paragraph(f"… and {len(found) - CAUSES:,} more causes.", warning=True))
    if lost:
        parts.append(_lost(lost))
    return Section("What failed, and what is missing", tuple(parts))


def _trouble(each: LostStages) -> dict[str, Any]:
    more = len(each.labels) - FEW
    labels = ", ".join(each.labels[:FEW]) + (f" and {more:,} more" if more > 0 else "")
    return {"state": each.state, "stages": len(each.labels), "cause": each.cause, "which": labels}


def _lost(rows: Sequence[RunResult]) -> Table:
    said = f"{format_count(len(rows), 'run')} without a result"
    return table([_run(row) for row in rows], caption=said, folded=len(rows) > LONG)


def _run(row: RunResult) -> dict[str, Any]:
    return {**{key: format_cell(key, value) for key, value in row.cell.items()}, "seed": row.seed, "state": row.state}


def every_run(rows: Sequence[RunResult], metrics: Sequence[str]) -> Section:
    """The rows themselves."""
    found = [
        _run(row)
        | {metric: row.metrics.get(metric) for metric in metrics}
        | {"steps": row.steps, "tokens": row.tokens, "$": format_usd(row.micro_usd)}
        for row in rows
    ]
    return Section("Every run", (table(found, folded=True, caption=format_count(len(rows), "run")),) if rows else ())


def provenance(material: Material) -> Section:
    """The spec, its defaults, the data, the versions: what somebody needs to ask the same again."""
    parts: list[Part] = [Code(yaml_of(material.spec), "yaml")]
    if material.defaults:
        taken = [{"value left open": path, "taken": format_number(value)} for path, value in material.defaults.items()]
        parts.append(table(taken, caption="Defaults", folded=True))
    if material.data:
        parts.append(table([_used(each) for each in material.data], caption="Data, by content", folded=True))
    versions = [{"what": name, "version": version} for name, version in material.versions.items()]
    if material.price_dates:
        oldest, newest = material.price_dates
        dated = oldest if oldest == newest else f"{oldest} to {newest}"
        versions.append({"what": "price book", "version": f"prices of {dated}"})
    if versions:
        parts.append(table(versions, caption="Versions"))
    return Section("What was asked, and with what", tuple(parts))


def _used(each: Any) -> dict[str, Any]:
    return {"sha256": each.records, "used to": each.what, "stages": each.stages, "such as": each.example}


def yaml_of(spec: Mapping[str, Json]) -> str:
    """A spec as its file would say it, without what it leaves open."""
    from ruamel.yaml import YAML

    yaml, text = YAML(typ="rt"), io.StringIO()
    yaml.default_flow_style = None
    yaml.width = 100
    yaml.dump(_plain(dict(spec)), text)
    return text.getvalue()


def _plain(value: Json) -> Json:
    """A whole number as a file would have it: 32, where a model of the spec holds 32.0."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value
