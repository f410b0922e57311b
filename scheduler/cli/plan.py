"""`sweep plan`: what a file would do and cost, before any of it is done."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from scheduler.cli.console.options import take_file
from scheduler.cli.console.output import Output
from scheduler.cli.reuse import ReusableResults, find_reusable, read_forward_class
from scheduler.cli.service_facts_text import describe_facts, facts_document
from scheduler.prepare import prepare
from scheduler.services import service_of
from scheduler.settings import from_environment
from sweeps.formatting import format_count, format_duration, format_number, format_usd
from sweeps.planning.duration import estimate_cycles
from sweeps.planning.plan_json import build_plan_document
from sweeps.stage import Json, Plan, Stage, to_dollars

FEW = 24  # stages that are listed; the rest is counted
CYCLE = 10.0  # seconds: a clock cycle of Tinker, by its documentation
SLOTS = 12  # to reckon with, while none have been found


@click.command()
@take_file
@click.option("--all", "everything", is_flag=True, help="List every stage.")
@click.pass_obj
def plan(output: Output, file: Path, overrides: tuple[str, ...], everything: bool) -> None:
    """Print the stages of FILE, what they cost, and every default taken."""
    settings = from_environment()
    prepared = prepare(file, overrides, settings, read_forward_class(settings))
    planned = replace(prepared.plan, notes=(*prepared.plan.notes, *prepared.notes))
    there = find_reusable(planned, settings)
    refused = [*prepared.refused, *_list_refusals(planned, there)]
    if output.form == "json":
        output.document(_document(planned, there, refused))
    elif output.form == "csv":
        output.csv([_csv_row(stage, there) for stage in planned.stages])
    else:
        _print(output, planned, there, planned.stages if everything else planned.stages[:FEW])
        for reason in refused:
            output.say(f"refused  {reason}")


def _document(planned: Plan, there: ReusableResults, refused: Sequence[str]) -> dict[str, Json]:
    accounts: list[Json] = [facts_document(each) for each in there.accounts]
    return {**build_plan_document(planned), "refused": [*refused], "known": there.document(), "accounts": accounts}


def _print(output: Output, planned: Plan, there: ReusableResults, listed: Sequence[Stage]) -> None:
    output.table(
        [_row(stage, there) for stage in listed], title=f"{planned.sweep}: {format_count(len(planned.stages), 'stage')}"
    )
    if len(listed) < len(planned.stages):
        output.say(f"… and {len(planned.stages) - len(listed):,} more (--all lists them)")
    output.say("")
    print_summary(output, planned)
    if planned.totals.micro_usd is not None:
        output.say(_kinds_line(planned))
    if said := _reuse_line(planned, there):
        output.say(said)
    if said := _time_line(planned, there):
        output.say(said)
    for each in there.accounts:
        output.say(f"account  {each.service}: {describe_facts(each)}")
    for path, value in planned.defaults:
        output.say(f"default  {path}: {format_number(value)}")
    for note in planned.notes:
        output.say(f"note     {note}")


def _kinds_line(planned: Plan) -> str:
    """What training costs, and what measuring."""
    kinds = ("train", "evaluate")
    costs = {kind: sum(stage.micro_usd or 0 for stage in planned.stages if stage.kind == kind) for kind in kinds}
    return ", ".join(f"{kind} {format_usd(cost)}" for kind, cost in costs.items())


def _list_refusals(planned: Plan, there: ReusableResults) -> list[str]:
    said = f"sweep: {planned.sweep!r} was submitted already and asks something else; another name is right"
    return [said] if there.taken else []


def _reuse_line(planned: Plan, there: ReusableResults) -> str:
    """What is there already, how old it is, and what is left to pay."""
    if there.unread:
        return f"what has a result already is not known: {there.unread}"
    if not there.ages:
        return ""
    young, old = format_duration(min(there.ages.values())), format_duration(max(there.ages.values()))
    age = f"{old} old" if young == old else f"{young} to {old} old"
    left = planned.totals.micro_usd
    cost = "" if left is None else f"; {format_usd(left - there.micro_usd)} left to spend"
    return f"known already: {format_count(len(there.ages), 'stage')} with results {age}, not done again{cost}"


def _time_line(planned: Plan, there: ReusableResults) -> str:
    """How long it takes at Tinker, at the pace that its documentation gives; offline a stage takes seconds."""
    live = [stage for stage in planned.stages if service_of(str(stage.recipe["model"])) == "tinker"]
    left = estimate_cycles(live, done=there.ages)
    if not left.total:
        return ""
    slots, source = (there.slots, "found so far") if there.slots else (SLOTS, "if the account has as many")
    hours = format_duration(CYCLE * left.with_slots(slots))
    alone = format_duration(CYCLE * left.longest)
    return f"time: at least {hours} with {slots} slots ({source}) and {CYCLE:g} s a step; {alone} with unlimited slots"


def print_summary(output: Output, planned: Plan) -> None:
    """The plan in two lines: what is trained and what sharing saves, and what it costs."""
    totals = planned.totals
    saved = f" instead of {totals.naive_train:,} with nothing shared" if totals.naive_train > totals.train else ""
    runs, evaluations = format_count(len(planned.runs), "run"), format_count(totals.evaluate, "evaluate stage")
    output.say(f"{runs}: {format_count(totals.train, 'train stage')}{saved}, {evaluations}")
    tokens = _span(f"{totals.low_tokens:,}", f"{totals.tokens:,}")
    cost = (
        "no price"
        if totals.micro_usd is None
        else _span(format_usd(totals.low_micro_usd), format_usd(totals.micro_usd))
    )
    exact = totals.low_tokens == totals.tokens
    taught = (
        "training on pairs" if any("reference" in stage.recipe for stage in planned.stages) else "supervised training"
    )
    how = f"low = high: {taught} is reckoned exactly" if exact else "low to high; the high one is reserved"
    output.say(f"{tokens} tokens, {cost} ({how})")
    if totals.price_dates:
        output.say(f"prices of {_span(*totals.price_dates)}")


def _span(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _row(stage: Stage, there: ReusableResults) -> dict[str, object]:
    age = there.ages.get(stage.id)
    row: dict[str, object] = {
        "stage": stage.id,
        "what": stage.label,
        "steps": stage.steps or None,
        "tokens": stage.tokens if stage.low_tokens == stage.tokens else f"{stage.low_tokens:,} to {stage.tokens:,}",
        "cost": _span(format_usd(stage.low_micro_usd), format_usd(stage.micro_usd)),
    }
    return row | ({"known": f"{format_duration(age)} old"} if age is not None else {})


def _csv_row(stage: Stage, there: ReusableResults) -> dict[str, object]:
    """For programs: numbers as they are."""
    return {
        "stage": stage.id,
        "kind": stage.kind,
        "what": stage.label,
        "parents": " ".join(stage.parents),
        "steps": stage.steps,
        "low_tokens": stage.low_tokens,
        "tokens": stage.tokens,
        "low_usd": to_dollars(stage.low_micro_usd),
        "usd": to_dollars(stage.micro_usd),
        "known_seconds": there.ages.get(stage.id),
    }


commands = {"plan": plan}
