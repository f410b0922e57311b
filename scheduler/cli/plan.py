"""Print what a file would do and cost (`sweep plan`). Writes nothing and spends nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click

from scheduler.cli.console.options import take_file
from scheduler.cli.console.output import Output
from scheduler.cli.reuse import ReusableResults, find_reusable, read_forward_class, read_reusable
from scheduler.cli.service_facts_text import describe_facts, make_facts_document
from scheduler.prepare import Prepared, complete_spec, prepare
from scheduler.services import describe_pretend_price, find_service
from scheduler.settings import read_settings
from scheduler.state.store import Store
from sweeps.formatting import format_count, format_duration, format_number, format_span, format_usd
from sweeps.planning.duration import Cycles, estimate_cycles
from sweeps.planning.notes.horizons import WARNING
from sweeps.planning.plan_json import build_plan_document
from sweeps.report.table_cells import TableCell
from sweeps.stage import Json, Plan, Stage, to_dollars

FEW = 24  # stages that are listed without --all
NAMED = 3  # models that a line names
CYCLE = 10.0  # seconds: a clock cycle of Tinker, by its documentation
SLOTS = 12  # assumed while none have been found


@click.command()
@take_file
@click.option("--all", "everything", is_flag=True, help="List every stage and every default.")
@click.pass_obj
def plan(output: Output, file: Path, overrides: tuple[str, ...], everything: bool) -> None:
    """Show what FILE would do and cost. Nothing is submitted.

    FILE is a sweep file in YAML (see examples/). KEY=VALUE replaces a value for this command; FILE
    stays as it is: train.rank=8, seeds=5, sizes=[16,32].
    """
    settings = read_settings()
    prepared = prepare(file, overrides, settings, read_forward_class(settings))
    planned = _add_notes(prepared)
    there = find_reusable(planned, complete_spec(prepared), settings)
    refusals = [*prepared.refused, *filter(None, [there.refusal])]
    if output.form == "json":
        output.print_document(_make_document(planned, there, refusals))
    elif output.form == "csv":
        output.print_csv([_make_csv_row(stage, there) for stage in planned.stages])
    else:
        _print(output, planned, there, refusals, everything=everything)


def _add_notes(prepared: Prepared) -> Plan:
    return replace(prepared.plan, notes=(*prepared.plan.notes, *prepared.notes))


def make_plan_document(store: Store, prepared: Prepared) -> dict[str, Json]:
    """Return what `sweep -f json plan` prints."""
    planned = _add_notes(prepared)
    there = read_reusable(planned, complete_spec(prepared), store)
    return _make_document(planned, there, [*prepared.refused, *filter(None, [there.refusal])])


def _make_document(planned: Plan, there: ReusableResults, refusals: Sequence[str]) -> dict[str, Json]:
    accounts: list[Json] = [make_facts_document(facts) for facts in there.accounts]
    return {
        **build_plan_document(planned),
        "refusals": [*refusals],
        "reused": there.document(),
        "time": _make_time_document(planned, there),
        "accounts": accounts,
    }


def _print(output: Output, planned: Plan, there: ReusableResults, refusals: Sequence[str], *, everything: bool) -> None:
    """Print what is unusual first, then the cost, then the stages."""
    output.say(f"{planned.sweep}: {format_count(len(planned.stages), 'stage')}")
    for reason in refusals:
        output.say(f"refused  {reason}")
    for note in sorted(planned.notes, key=lambda note: not note.startswith(WARNING)):
        label, words = ("warning", note.removeprefix(WARNING)) if note.startswith(WARNING) else ("note", note)
        output.say(f"{label:<8} {words}")
    output.say("")
    print_summary(output, planned, to_pay=describe_to_pay(planned, there))
    for line in _describe_cost(planned, there):
        output.say(line)
    output.say("")
    listed = planned.stages if everything else planned.stages[:FEW]
    output.print_table([_make_row(stage, there) for stage in listed])
    left_out = len(planned.stages) - len(listed)
    if everything:
        output.say("")
        output.say("Defaults. docs/reference/spec.md explains each:")
        for path, value in planned.defaults:
            output.say(f"default  {path}: {format_number(value)}")
    else:
        output.say(_describe_hidden(left_out, len(planned.defaults)))


def _describe_hidden(stages: int, defaults: int) -> str:
    """Say how many stages and default settings are not shown."""
    settings = f"{format_count(defaults, 'setting')} that the file leaves at the default"
    hidden = f"{format_count(stages, 'more stage')} and {settings}" if stages else settings
    are = "is" if stages + defaults == 1 else "are"
    return f"{hidden} {are} hidden; `--all` shows {'it' if are == 'is' else 'them'}"


def _describe_cost(planned: Plan, there: ReusableResults) -> Iterator[str]:
    if there.unreadable:
        yield f"could not check for results that can be reused: {there.unreadable}"
    if planned.totals.micro_usd is not None and not there.ages:  # else the first line says it
        yield _describe_kinds(planned.stages)
    if time := _describe_time(planned, there):
        yield time
    for facts in there.accounts:
        yield f"account {facts.service}: {describe_facts(facts)}"


def _describe_kinds(stages: Sequence[Stage]) -> str:
    """Say what training costs, and what evaluating costs."""
    kinds = ("train", "evaluate")
    costs = {kind: sum(stage.micro_usd or 0 for stage in stages if stage.kind == kind) for kind in kinds}
    words = ", ".join(f"{kind} {format_usd(cost)}" for kind, cost in costs.items())
    exact = all(stage.low_micro_usd == stage.micro_usd for stage in stages)
    return words if exact else f"at most: {words}"


def describe_to_pay(planned: Plan, there: ReusableResults) -> str:
    """Say what is to pay and what is reused, where some stages have results; else ""."""
    if not there.ages:
        return ""
    left = [stage for stage in planned.stages if stage.id not in there.ages]
    young, old = format_duration(min(there.ages.values())), format_duration(max(there.ages.values()))
    age = f"{old} old" if young == old else f"{young} to {old} old"
    priced = planned.totals.micro_usd is not None
    worth = f", {format_usd(there.micro_usd)}" if priced else ""
    reused = f"reused: {format_count(len(there.ages), 'stage')}{worth} ({age})"
    if not left:
        return f"to pay: {format_usd(0)}; {reused}"
    stages = format_count(len(left), "stage")
    if not priced:
        return f"to pay: {stages}, no price; {reused}"
    low, high = (sum(getattr(stage, name) or 0 for stage in left) for name in ("low_micro_usd", "micro_usd"))
    cost = format_span(format_usd(low), format_usd(high))
    return f"to pay: {cost} for {stages} ({_describe_kinds(left)}); {reused}"


def _describe_time(planned: Plan, there: ReusableResults) -> str:
    """Say about how long it takes: at Tinker by the pace in its documentation, offline by that of earlier sweeps."""
    left = _estimate_live(planned, there)
    if not left.total:
        return _describe_offline_time(planned, there)
    slots, source = (there.slots, "found so far") if there.slots else (SLOTS, "assumed")
    hours = format_duration(CYCLE * left.count_for_slots(slots))
    alone = format_duration(CYCLE * left.longest)
    return f"time: at least {hours} with {slots} slots ({source}) and {CYCLE:g} s a step; {alone} with unlimited slots"


def _estimate_live(planned: Plan, there: ReusableResults) -> Cycles:
    live = [stage for stage in planned.stages if find_service(str(stage.recipe["model"])) == "tinker"]
    return estimate_cycles(live, done=there.ages)


def _describe_offline_time(planned: Plan, there: ReusableResults) -> str:
    """Say how long the stages take that have no result yet; nothing if all have one."""
    tokens, models = _count_offline_tokens(planned, there)
    if not tokens:
        return ""
    if (seconds := there.pace.estimate_seconds(tokens)) is None:
        named = " and ".join(models) if len(models) <= NAMED else format_count(len(models), "model")
        return f"time: not known yet, because no sweep with {named} has finished here; the first one tells"
    sweeps = "1 earlier sweep" if there.pace.sweeps == 1 else f"{there.pace.sweeps} earlier sweeps"
    pace = f"at the {there.pace.tokens / there.pace.seconds:,.0f} tokens a second of {sweeps} with the same models"
    return f"time: about {format_duration(seconds)} {pace}; longer beside other work"


def _count_offline_tokens(planned: Plan, there: ReusableResults) -> tuple[float, list[str]]:
    """Count the tokens of the stages that run offline and have no result, and list their models."""
    left = [
        stage
        for stage in planned.stages
        if stage.id not in there.ages and find_service(str(stage.recipe["model"])) == "offline"
    ]
    models = list(dict.fromkeys(str(stage.recipe["model"]) for stage in left))
    return sum((stage.low_tokens + stage.tokens) / 2 for stage in left), models


def _make_time_document(planned: Plan, there: ReusableResults) -> dict[str, Json]:
    live, (tokens, _) = _estimate_live(planned, there), _count_offline_tokens(planned, there)
    return {
        "live_seconds": CYCLE * live.count_for_slots(there.slots or SLOTS) if live.total else None,
        "offline_seconds": there.pace.estimate_seconds(tokens) if tokens else None,
        "earlier_sweeps": there.pace.sweeps,
    }


def print_summary(output: Output, planned: Plan, *, to_pay: str = "") -> None:
    """Print the plan in a few lines: runs and stages, tokens and cost.

    `to_pay` comes first, if some stages have results; then the cost is that without them.
    """
    if to_pay:
        output.say(to_pay)
    totals = planned.totals
    unshared = (
        f" ({totals.naive_train:,} if no two runs shared a training)" if totals.naive_train > totals.train else ""
    )
    runs = "1 run needs" if len(planned.runs) == 1 else f"{len(planned.runs):,} runs need"
    trainings, evaluations = format_count(totals.train, "train stage"), format_count(totals.evaluate, "evaluate stage")
    output.say(f"{runs} {trainings}{unshared} and {evaluations}")
    tokens = format_span(f"{totals.low_tokens:,}", f"{totals.tokens:,}")
    cost = (
        "no price"
        if totals.micro_usd is None
        else format_span(format_usd(totals.low_micro_usd), format_usd(totals.micro_usd))
    )
    exact = totals.low_tokens == totals.tokens
    pretend = (
        ""
        if totals.micro_usd is None
        else describe_pretend_price(str(stage.recipe["model"]) for stage in planned.stages)
    )
    how = (
        "; ".join(filter(None, ["" if exact else "each stage reserves its higher amount when it starts", pretend]))
        or "exact"
    )
    output.say(f"{'without reuse: ' if to_pay else ''}{tokens} tokens, {cost} ({how})")
    if totals.price_dates:
        models = list(dict.fromkeys(str(stage.recipe["model"]) for stage in planned.stages))
        named = " and ".join(models) if len(models) <= NAMED else format_count(len(models), "model")
        output.say(f"the prices of {named} date from {format_span(*totals.price_dates)}")


def _make_row(stage: Stage, there: ReusableResults) -> dict[str, object]:
    age = there.ages.get(stage.id)
    row: dict[str, object] = {
        "label": stage.label,
        "stage": stage.id,
        "steps": TableCell(f"about {stage.steps:,}", stage.steps) if _ends_by_tokens(stage) else stage.steps or None,
        "tokens": stage.tokens if stage.low_tokens == stage.tokens else f"{stage.low_tokens:,} to {stage.tokens:,}",
        "cost": format_span(format_usd(stage.low_micro_usd), format_usd(stage.micro_usd)) if age is None else None,
    }
    return row | ({"reused": f"{format_duration(age)} old"} if age is not None else {})


def _ends_by_tokens(stage: Stage) -> bool:
    """Whether the number of steps is an estimate: RL that ends at a number of tokens."""
    return bool(stage.recipe.get("tokens")) and stage.recipe.get("steps") is None


def _make_csv_row(stage: Stage, there: ReusableResults) -> dict[str, object]:
    """Return a stage for programs: numbers as they are."""
    return {
        "id": stage.id,
        "kind": stage.kind,
        "label": stage.label,
        "parents": " ".join(stage.parents),
        "steps": stage.steps,
        "low_tokens": stage.low_tokens,
        "tokens": stage.tokens,
        "low_usd": to_dollars(stage.low_micro_usd),
        "usd": to_dollars(stage.micro_usd),
        "reused_age_seconds": there.ages.get(stage.id),
    }


commands = {"plan": plan}
