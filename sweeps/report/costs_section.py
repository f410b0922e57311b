"""What a sweep cost: estimated, metered and billed."""

from collections.abc import Sequence
from typing import Any

from sweeps.cost import KindCosts
from sweeps.figures.bars import Row, RowPlot
from sweeps.figures.charts import BarChart
from sweeps.formatting import format_count, format_usd
from sweeps.report.document import Figure, Paragraph, Part, Section, make_table
from sweeps.report.inputs import BilledAmount, Material
from sweeps.report.shared_parts import describe_rows
from sweeps.report.table_cells import TableCell, show_dollars
from sweeps.stage import MICRO

COLUMNS = (
    "Reserved: held back for running stages. Unreconciled: what lost attempts may have cost, until the service's own "
    "count is known."
)


def show_costs(material: Material) -> Section:
    """Show what was estimated, metered and billed."""
    kinds = [each for each in material.spending if each.stages]
    parts: list[Part] = [Paragraph(_say_spent(material))]
    if kinds:
        parts.append(_draw_costs(kinds))
    if material.billed:
        parts.append(
            make_table([_show_bill(each) for each in material.billed], caption="Counted and billed by the service")
        )
    return Section("What it cost", tuple(parts))


def _say_spent(material: Material) -> str:
    spent = sum(each.metered for each in material.spending)
    held = sum(each.reserved for each in material.spending)
    unreconciled = sum(each.unreconciled for each in material.spending)
    limit = "" if material.limit is None else f" of a budget of {format_usd(material.limit)}"
    price = (
        "at a pretend price: offline models cost nothing"
        if list(material.services) == ["offline"]
        else "at list prices"
    )
    words = f"{format_usd(spent)}{limit} spent, {price}"
    if held:
        words += f", {format_usd(held)} reserved for what is running"
    if unreconciled:
        words += f", {format_usd(unreconciled)} unreconciled"
    reused = sum(each.reused for each in material.spending)
    return (
        f"{words}; {format_usd(reused)} of the estimate was saved, because other sweeps had paid for these stages."
        if reused
        else f"{words}."
    )


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
    words = RowPlot("cost", "Spent and estimated", describe_rows(rows), "US dollars")
    legend = "Bars: what this sweep spent. Brackets: the estimate, from low to high."
    return Figure(BarChart(words, rows), make_table([_show_kind(each) for each in kinds]), legend, COLUMNS)


def _write_range(each: KindCosts) -> str:
    return format_usd(each.high) if each.low == each.high else f"{format_usd(each.low)}–{format_usd(each.high)}"


def _show_kind(each: KindCosts) -> dict[str, Any]:
    amounts = {
        "estimate (low)": each.low,
        "estimate (high)": each.high,
        "saved by reuse": each.reused,
        "spent": each.metered,
    }
    amounts |= {"reserved": each.reserved, "unreconciled": each.unreconciled}
    shown = {name: show_dollars(amount) for name, amount in amounts.items()}
    return {"kind": each.kind, "stages": each.stages, **shown, "tokens": each.tokens}


def _show_bill(each: BilledAmount) -> dict[str, Any]:
    none = "not billed" if each.service == "offline" else "no amount given"
    amount = TableCell(none) if each.micro_usd is None else show_dollars(each.micro_usd)
    return {"service": each.service, "tokens": each.tokens, "amount": amount, "as of": each.at}
