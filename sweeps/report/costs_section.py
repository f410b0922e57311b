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
    "Estimate: with the fewest (low) and the most (high) tokens that the stages may need. Reserved: held back for "
    "running stages. Unreconciled: what lost attempts may have cost, until the service's own count is known."
)


def show_costs(material: Material) -> Section:
    """Show what was estimated, metered and billed."""
    kinds = [costs for costs in material.spending if costs.stages]
    parts: list[Part] = [Paragraph(_say_spent(material))]
    if material.incidents:
        parts.append(Paragraph(material.incidents))
    if kinds:
        parts.append(_draw_costs(kinds))
    if material.billed:
        parts.append(
            make_table(
                [_show_bill(bill) for bill in material.billed],
                caption="The service's own count at the time on the right; stages that ended later are missing",
            )
        )
    return Section("What it cost", tuple(parts))


def _say_spent(material: Material) -> str:
    spent = sum(costs.metered for costs in material.spending)
    held = sum(costs.reserved for costs in material.spending)
    unreconciled = sum(costs.unreconciled for costs in material.spending)
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
    reused = sum(costs.reused for costs in material.spending)
    return (
        f"{words}; {format_usd(reused)} of the estimate was saved, because earlier sweeps had the results already."
        if reused
        else f"{words}."
    )


def _draw_costs(kinds: Sequence[KindCosts]) -> Figure:
    rows = [
        Row(
            name=f"{costs.kind}: {format_count(costs.stages, 'stage')}",
            value=costs.metered / MICRO,
            low=costs.low / MICRO,
            high=costs.high / MICRO,
            said=f"{format_usd(costs.metered)} ({_write_range(costs)})",
            kind=place,
        )
        for place, costs in enumerate(kinds)
    ]
    words = RowPlot("cost", "Spent and estimated", describe_rows(rows), "US dollars")
    legend = "Bars: what this sweep spent. Brackets: the estimate, from low to high."
    return Figure(BarChart(words, rows), make_table([_show_kind(costs) for costs in kinds]), legend, COLUMNS)


def _write_range(costs: KindCosts) -> str:
    return format_usd(costs.high) if costs.low == costs.high else f"{format_usd(costs.low)}–{format_usd(costs.high)}"


def _show_kind(costs: KindCosts) -> dict[str, Any]:
    amounts = {
        "estimate (low)": costs.low,
        "estimate (high)": costs.high,
        "saved by reuse": costs.reused,
        "spent": costs.metered,
    }
    amounts |= {"reserved": costs.reserved, "unreconciled": costs.unreconciled}
    shown = {name: show_dollars(amount) for name, amount in amounts.items()}
    return {"kind": costs.kind, "stages": costs.stages, **shown, "tokens": costs.tokens}


def _show_bill(bill: BilledAmount) -> dict[str, Any]:
    none = "not billed" if bill.service == "offline" else "no amount given"
    amount = TableCell(none) if bill.micro_usd is None else show_dollars(bill.micro_usd)
    return {"service": bill.service, "tokens": bill.tokens, "amount": amount, "as of": bill.at}
