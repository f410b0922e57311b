"""`sweep plan`: what a file would do and cost, before any of it is done."""

from pathlib import Path

import click

from scheduler.cli.options import takes_file
from scheduler.cli.output import Output, dollars, shown
from scheduler.prepare import Prepared, prepare
from scheduler.settings import from_environment
from sweeps.plan_document import plan_document
from sweeps.stage import Plan, Stage

FEW = 24  # stages that are listed; the rest is counted


@click.command()
@takes_file
@click.option("--all", "everything", is_flag=True, help="List every stage.")
@click.pass_obj
def plan(output: Output, file: Path, overrides: tuple[str, ...], everything: bool) -> None:
    """Print the stages of FILE, what they cost, and every default taken."""
    prepared = prepare(file, overrides, from_environment())
    if output.form == "json":
        output.document(plan_document(prepared.plan))
    elif output.form == "csv":
        output.csv([_row(stage) for stage in prepared.plan.stages])
    else:
        _print(output, prepared, everything)


def _print(output: Output, prepared: Prepared, everything: bool) -> None:
    planned = prepared.plan
    listed = planned.stages if everything else planned.stages[:FEW]
    output.table([_row(stage) for stage in listed], title=f"{planned.sweep}: {len(planned.stages):,} stages")
    if len(listed) < len(planned.stages):
        output.say(f"… and {len(planned.stages) - len(listed):,} more (--all lists them)")
    output.say("")
    summarise(output, planned)
    for path, value in planned.defaults:
        output.say(f"default  {path}: {_plain(value)}")
    for note in planned.notes:
        output.say(f"note     {note}")
    for reason in planned.refused:
        output.say(f"refused  {reason}")


def summarise(output: Output, planned: Plan) -> None:
    """The plan in two lines: what is trained and what sharing saves, and what it costs."""
    totals = planned.totals
    saved = f" instead of {totals.naive_train:,} with nothing shared" if totals.naive_train > totals.train else ""
    output.say(f"{len(planned.runs):,} runs: {totals.train:,} train stages{saved}, {totals.evaluate:,} evaluate stages")
    cost = "no price" if totals.micro_usd is None else f"{dollars(totals.micro_usd)}"
    output.say(f"{totals.tokens:,} tokens, {cost} (low = high: supervised training is reckoned exactly)")


def _row(stage: Stage) -> dict[str, object]:
    return {
        "stage": stage.id,
        "what": stage.label,
        "from": ", ".join(stage.parents) or "the base",
        "steps": stage.steps or None,
        "tokens": stage.tokens,
        "cost": dollars(stage.micro_usd),
    }


def _plain(value: object) -> str:
    return str(value) if isinstance(value, str) else shown(value) if not isinstance(value, dict | list) else str(value)


commands = {"plan": plan}
