"""Plan a sweep: make the DAG of its stages, with prices, and the runs that read their results.

    sweep --cells--> variants --experiments--> runs --stage builder--> stages, equal ones once --> totals, digest, notes

Pure: the caller passes functions that load data and tokenizers, and prices as a value. The same sweep with the same
data is the same plan.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence

from sweeps.analysis.baselines import is_untrained
from sweeps.environments import NamedEnvironment
from sweeps.errors import PlanError
from sweeps.evaluation.metric_prefixes import get_base_name
from sweeps.evaluation.nll import NLL
from sweeps.experiments.experiment_registry import find_experiment
from sweeps.formatting import format_count
from sweeps.identity import fingerprint
from sweeps.planning.defaults import list_defaults
from sweeps.planning.goal_checks import choose_default_metrics, name_goals, settle_left_out
from sweeps.planning.measured_places import MeasuredPlaces, note_candidates
from sweeps.planning.notes.class_notes import note_classes
from sweeps.planning.notes.horizons import note_alike, note_horizons
from sweeps.planning.notes.method_notes import note_methods, note_roles, note_whole_data
from sweeps.planning.notes.prompt_notes import note_candidate_lengths, note_prompts
from sweeps.planning.notes.round_notes import note_rounds
from sweeps.planning.plan_data import Load, PlanData
from sweeps.planning.prices import PRETEND, PriceBook, list_unpriced_models
from sweeps.planning.rl_stages import WITHIN
from sweeps.planning.rounds.held_runs import add_seeds, hold_runs, list_needed, read_spec
from sweeps.planning.run_rows import CountedRun
from sweeps.planning.runs import plan_runs
from sweeps.planning.stage_builder import StageBuilder
from sweeps.planning.unused_settings import UnusedSettings
from sweeps.planning.validation import validate
from sweeps.records import Dataset
from sweeps.rendering.tokenizer import Tokenizer
from sweeps.spec.metric_rules import note_wishes
from sweeps.spec.model import SweepFields
from sweeps.stage import HeldRun, Json, LeftOut, Plan, Run, Stage, Totals
from sweeps.training.learning_rates import describe_rates as rates_found
from sweeps.training.schedule import describe_length

__all__ = ["Json", "Load", "Plan", "Run", "Stage", "Totals", "plan"]


def refuse_environments(name: str) -> NamedEnvironment:
    """Refuse to load an environment, for plans without one."""
    raise PlanError(f"cannot load environment {name!r} here")


def refuse_checks(name: str) -> str:
    """Refuse to load a user check, for plans without one."""
    raise PlanError(f"cannot load check {name!r} here")


def plan(
    sweep: SweepFields,
    *,
    load: Load,
    tokenizers: Callable[..., Tokenizer],
    prices: PriceBook,
    environments: Callable[[str], NamedEnvironment] = refuse_environments,
    checks: Callable[[str], str] = refuse_checks,
) -> Plan:
    """Plan a sweep. `tokenizers` returns the tokenizer of a model, or the one at an address; `checks` returns the
    digest of the code of a user check. Raises PlanError or DataError if it cannot be planned, or read.
    """
    validate(sweep, prices)
    data = PlanData(
        load, tokenizers, environments, sweep.all_sizes, checks=checks, renderer=sweep.renderer, turns=sweep.turns
    )
    builder = StageBuilder(
        add_seeds(sweep), data, prices, UnusedSettings(sweep), places=MeasuredPlaces(name_goals(sweep))
    )
    made, held = _divide_runs(sweep, builder)
    runs = tuple(run for run, _ in made)
    stages = _select_stages(builder, runs) if held else tuple(builder.stages.values())
    left_out = settle_left_out(sweep, runs, builder.places)
    metrics = choose_default_metrics(sweep, runs, left_out)
    _refuse_half_priced(sweep, stages, prices)
    totals = _sum_totals(stages, made, _find_price_dates(sweep, prices))
    listed = _list_notes(sweep, data, stages, runs, totals=totals, prices=prices)
    others = (*_note_runs(builder, runs, left_out), *note_rounds(read_spec(sweep), held, stages))
    return Plan(
        sweep=sweep.sweep,
        digest=_hash_plan(sweep, *_select_grid(builder, held)) if held else _hash_plan(sweep, stages, runs),
        stages=stages,
        runs=runs,
        totals=totals,
        defaults=list_defaults(sweep, data.renderers.values(), data.list_contexts(), metrics),
        notes=tuple(dict.fromkeys((*listed, *others))),
        prefixes=data.prefixes,
        left_out=left_out,
        metrics=metrics,
        held=held,
        held_stages=_select_held(builder, held, stages),
    )


def _note_runs(builder: StageBuilder, runs: Sequence[Run], left_out: Sequence[LeftOut]) -> Iterator[str]:
    yield from _note_untrained(runs)
    yield from builder.unused.notes()
    yield from (evaluation.describe() for evaluation in left_out)


def _divide_runs(sweep: SweepFields, builder: StageBuilder) -> tuple[list[CountedRun], tuple[HeldRun, ...]]:
    """Plan all runs. Return those that are submitted, and with `until` all that the sweep may have."""
    every = list(plan_runs(builder))
    if not every:
        raise PlanError(f"{sweep.sweep}: no run is left, because `exclude` removes all of them")
    if sweep.until is None:
        return every, ()
    held = hold_runs(sweep, every, builder.stages)
    return [row for row, known in zip(every, held, strict=True) if known.is_first], held


def _select_stages(builder: StageBuilder, runs: Iterable[Run]) -> tuple[Stage, ...]:
    """Select the stages that runs need, in the order of the plan."""
    needed = list_needed(runs, builder.stages)
    return tuple(stage for stage in builder.stages.values() if stage.id in needed)


def _select_grid(builder: StageBuilder, held: Sequence[HeldRun]) -> tuple[tuple[Stage, ...], tuple[Run, ...]]:
    """Select the full grid: the same question has the same digest, whenever it stops and whatever runs cost."""
    runs = tuple(known.run for known in held if known.in_grid)
    return _select_stages(builder, runs), runs


def _select_held(builder: StageBuilder, held: Sequence[HeldRun], begun: Sequence[Stage]) -> tuple[Stage, ...]:
    """Select the stages of runs that may follow."""
    first = {stage.id for stage in begun}
    return tuple(stage for stage in _select_stages(builder, (known.run for known in held)) if stage.id not in first)


def _refuse_half_priced(sweep: SweepFields, stages: Sequence[Stage], prices: PriceBook) -> None:
    """Raise PlanError if a budget cannot be kept, because a row of the price list lacks a price."""
    if sweep.budget is not None and (missing := list_unpriced_models(stages)):
        problem = f"budget.usd: the row of {', '.join(missing)} in {prices.name} lacks a price that this sweep needs"
        raise PlanError(f"{problem} (train, prefill); complete the row, or remove the budget")


def _note_turns(data: PlanData, dataset: Dataset) -> Iterator[str]:
    """Note what `turns: each` costs: each answer is an input of its own."""
    for part in ("train", "holdout", "validation"):
        records = getattr(dataset, part)
        if records is not None and (turns := data.parted.get(records.sha256)):
            yield (
                f"data.{dataset.name}: turns: each: {turns.rows:,} chats of {part} become {turns.inputs:,} inputs, "
                f"one for each answer, with {turns.tokens / turns.once:.2f} times the tokens of the chats"
            )
            if turns.unread:
                unread = f"{format_count(turns.unread, 'message')} of {part} after the last trained answer"
                yield f"data.{dataset.name}: turns: each: {unread}, in no input"


def _sum_totals(stages: Sequence[Stage], made: Sequence[CountedRun], dates: tuple[str, str] | None) -> Totals:
    trained = [stage for stage in stages if stage.kind == "train"]
    return Totals(
        stages=len(stages),
        train=len(trained),
        evaluate=len(stages) - len(trained),
        naive_train=sum(naive.trainings for _, naive in made),
        examples=sum(stage.examples for stage in trained),
        naive_examples=sum(naive.examples for _, naive in made),
        tokens=sum(stage.tokens for stage in stages),
        low_tokens=sum(stage.low_tokens for stage in stages),
        micro_usd=_sum_known(stage.micro_usd for stage in stages),
        low_micro_usd=_sum_known(stage.low_micro_usd for stage in stages),
        price_dates=dates,
    )


def _sum_known(amounts: Iterable[int | None]) -> int | None:
    """Sum the amounts; None if one of them is unknown."""
    listed = list(amounts)
    known = [amount for amount in listed if amount is not None]
    return sum(known) if len(known) == len(listed) else None


def _find_price_dates(sweep: SweepFields, prices: PriceBook) -> tuple[str, str] | None:
    dates = sorted(str(row.date) for model in sweep.models if (row := prices.find_price(model)))
    return (dates[0], dates[-1]) if dates else None


def _hash_plan(sweep: SweepFields, stages: Sequence[Stage], runs: Sequence[Run]) -> str:
    """Hash the sweep and its data: stages identify the content, runs say which results they read.

    Defaults and untrained rows are left out: what a later version adds must not make another question of a sweep. So is
    `until`: a sweep that is to stop earlier or later goes on from what is there.
    """
    content, asked = hashlib.sha256(), [run for run in runs if not is_untrained(run.cell)]
    added = (
        _list_measured_by(runs) - _list_measured_by(asked) - {parent for stage in stages for parent in stage.parents}
    )
    for stage in stages:
        if stage.id not in added:
            content.update(stage.id.encode())
    for run in asked:
        content.update(f"\n{run.seed} {run.stage} {sorted(run.measures.items())}".encode())
    spec = sweep.model_dump(mode="json", exclude_defaults=True, exclude={"until"})
    return fingerprint({"spec": spec, "content": content.hexdigest()})


def _list_measured_by(runs: Iterable[Run]) -> set[str]:
    return {stage for run in runs for stage in run.measures.values()}


def _list_notes(
    sweep: SweepFields,
    data: PlanData,
    stages: Sequence[Stage],
    runs: Sequence[Run],
    *,
    totals: Totals,
    prices: PriceBook,
) -> Iterator[str]:
    for dataset in data.datasets.values():
        yield from (f"data.{dataset.name}: {note}" for note in dataset.notes)
        yield from _note_turns(data, dataset)
    unused = [name for name in sweep.data if name not in {*sweep.source_names, *sweep.target_names}]
    if unused:
        yield f"data: {', '.join(unused)} is neither a source nor a target, so it is not used"
    yield from note_roles(sweep)
    yield from note_whole_data(sweep, data.datasets.values(), stages)
    yield from note_methods(sweep, stages, runs)
    yield from dict.fromkeys(_note_wide_estimates(stages))
    if sweep.train is not None and sweep.sizes is not None and not any("train." in path for path in sweep.vary):
        yield f"training length: {describe_length(sweep.train)}"
    yield from note_wishes(sweep)
    if sweep.best is not None and any(spec.validation is None for spec in sweep.data.values()):
        yield "best: a data set has no `validation`, so the best condition is chosen and reported on the same holdout"
    for model, address in data.named.items():
        if address is not None:
            yield f"tokenizer of {model}: {address} ({data.tokenizer(model).name[:18]}) instead of the model's own"
    names = {data.tokenizer(model).name for model in data.named}
    chooses = find_experiment(sweep.experiment).chooses
    if chooses and len(names) > 1 and (sweep.best is None or get_base_name(sweep.best.metric) == NLL.name):
        yield "best: compare models with different tokenizers by bits_per_byte, not by nll (nats per token)"
    yield from dict.fromkeys(note for notes in data.foregone.values() for note in notes)
    yield from rates_found(sweep.model_dump(include={"train", "methods", "vary"}), sweep.models)
    yield from note_horizons(sweep.models, data)
    yield from note_alike(sweep.models, data)
    yield from note_candidates(sweep, data.datasets.values())
    yield from note_classes(sweep, data.datasets.values())
    yield from note_candidate_lengths(sweep, data.datasets.values())
    yield from note_prompts(sweep)
    yield from _note_prices(sweep, totals, prices)


def _note_untrained(runs: Sequence[Run]) -> Iterator[str]:
    """Note the evaluations that a grid makes of its base models."""
    count = sum(len(run.measures) for run in runs if is_untrained(run.cell))
    if count:
        yield f"untrained: {format_count(count, 'evaluation')} of the base model, to see what training changed"


def _note_wide_estimates(stages: Sequence[Stage]) -> Iterator[str]:
    for stage in stages:
        if stage.tokens > WITHIN * stage.low_tokens and isinstance(acted := stage.recipe.get("environment"), dict):
            far = f"the high estimate is {stage.tokens / stage.low_tokens:.0f} times the low one"
            yield f"{acted['name']}: {far}; its EpisodeShape can give narrower bounds"


def _note_prices(sweep: SweepFields, totals: Totals, prices: PriceBook) -> Iterator[str]:
    for model in sweep.models:
        price = prices.find_price(model)
        if price and price.source.startswith(PRETEND):  # the summary says so
            continue
        known = (
            f"is from {price.date} ({price.source})" if price else f"is not in {prices.name}, so there is no estimate"
        )
        other = f"; this variant has no row, so that of {price.name} applies" if price and price.name != model else ""
        yield f"price of {model} {known}{other}"
    if (kept := prices.kept) and not all(model.startswith("offline/") for model in sweep.models):
        rate = f"${kept.usd_per_gb_month:.2f} per GB per month, as of {kept.date} ({kept.source})"
        yield f"checkpoints at Tinker cost {rate}. This is not in the estimate or the budget"
    if sweep.budget is not None and totals.usd is not None and sweep.budget.usd < totals.usd:
        shortfall = f"{_format_dollars(sweep.budget.usd)} is less than the estimate of {_format_dollars(totals.usd)}"
        yield f"budget: {shortfall}; the sweep stops early, unless it reuses enough"


def _format_dollars(amount: float) -> str:
    """Format an amount with enough digits for a small one."""
    return f"${amount:,.2f}" if amount >= 1 else f"${amount:.4f}"
