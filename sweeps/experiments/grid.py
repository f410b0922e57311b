"""Grid: which cell is the best? The best one for each data set, the cells that tie with it, and what each axis does."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sweeps.analysis.baselines import (
    UntrainedChange,
    compare_with_untrained,
    drop_untrained,
    is_untrained,
    name_untrained,
)
from sweeps.analysis.deflated_sharpe import deflate_best
from sweeps.analysis.grid_cells import BestCell, GridCell, best_cell
from sweeps.analysis.guessing import find_unbeaten, weigh_guess
from sweeps.analysis.idle_policies import INACTIVE
from sweeps.analysis.item_analysis import NEAR, ItemsBy, select_items
from sweeps.analysis.seed_estimates import estimate_level, read_run_scores
from sweeps.analysis.tables import sort_metrics
from sweeps.analysis.targets import Spec, choose_best, split_variants
from sweeps.analysis.told_items import FEWEST, count_told, may_be_conditional, warn_unknown
from sweeps.evaluation.metric_prefixes import strip_validation
from sweeps.experiments.conclude_grid import conclude_grid
from sweeps.experiments.conclusion import Conclusion, find_claim, gather
from sweeps.experiments.contrast_table import tabulate_ties
from sweeps.experiments.evidence import list_measured_first, refuse_direction
from sweeps.experiments.kind import Experiment, Fact
from sweeps.formatting import format_count
from sweeps.planning.cells import Variant
from sweeps.planning.runs import DatasetRun
from sweeps.planning.stage_builder import StageBuilder
from sweeps.records import canonicalize_row
from sweeps.report.document import Answer, Paragraph, Part, Section, Table, join_answers, make_table
from sweeps.report.grid_figures import (
    describe_change,
    describe_undirected,
    draw_axes,
    draw_cells,
    name_alike,
    name_cell,
)
from sweeps.report.plain_values import simplify
from sweeps.report.shared_parts import mark_told, warn_of_missing
from sweeps.report.table_cells import format_estimate, show_estimate
from sweeps.results import RunResult, group_by_cell, read_values
from sweeps.spec.metric_wishes import list_directed, list_wishes
from sweeps.spec.model import SweepFields
from sweeps.spec.sections import Best
from sweeps.stats.intervals import find_grain
from sweeps.stats.paired_items import ItemKey, Items, Scores, item_key


def plan_grid(builder: StageBuilder, variant: Variant) -> Iterator[DatasetRun]:
    """Plan every data set on all its examples; without any, what is learnt by acting."""
    sweep = builder.sweep
    if not variant.data:
        yield from (DatasetRun(builder, variant, variant.cell, seed, None, 1) for seed in sweep.seed_values)
    for name, spec in variant.data.items():
        dataset = builder.data.dataset(name, spec)
        cell = {**variant.cell, "data": name} if len(sweep.data) > 1 else variant.cell
        for seed in sweep.seed_values:
            yield DatasetRun(builder, variant, cell, seed, dataset, dataset.train.units)


def plan_untrained(builder: StageBuilder, variant: Variant) -> Iterator[DatasetRun]:
    """Plan the base model under the same evaluations: once for each model and data set."""
    seed, several = builder.sweep.seed_values[0], len(builder.sweep.data) > 1
    if not variant.data:
        yield DatasetRun(builder, variant, name_untrained(variant.cell), seed, None, 0)
    for name, spec in variant.data.items():
        cell = name_untrained({**variant.cell, "data": name} if several else variant.cell)
        yield DatasetRun(builder, variant, cell, seed, builder.data.dataset(name, spec), 0)


def list_values(sweep: SweepFields) -> Mapping[str, Any]:
    """List what the cells hold besides what is varied."""
    return {"data": tuple(sweep.data)} if len(sweep.data) > 1 else {}


def list_bests(spec: Spec, _rows: Sequence[RunResult]) -> list[Best]:
    """List what a best cell is named by: the metrics that the file names, else that of `best`."""
    return list_directed(spec) if list_wishes(spec) else [choose_best(spec)]


def list_deciding(spec: Spec, _rows: Sequence[RunResult]) -> list[str]:
    """Name the metrics that the answer is about, on the holdout."""
    return [wish.metric for wish in list_wishes(spec)] or [_find_metric(spec)]


def choose_runs(spec: Spec, rows: Sequence[RunResult]) -> set[ItemKey] | None:
    """Choose the runs of the best cells on each data set, of those next to it or as good, and of base models.

    All runs (None), if how many items tell a metric decides which cell can be the best.
    """
    if any(map(may_be_conditional, list_deciding(spec, rows))):
        return None
    near = {canonicalize_row(row.cell) for row in rows if is_untrained(row.cell)}
    for _, group in split_variants(rows, _list_other_keys(rows)):
        for best in list_bests(spec, rows):
            choice = best_cell(group, metric=strip_validation(best.metric), mode=best.mode)
            ranked = [cell for cell in choice.cells if cell.is_ranked][: NEAR + 1]
            near |= {canonicalize_row(cell.cell) for cell in (*ranked, *choice.alike[:NEAR])}
    return {key for row in rows if (key := item_key(row.cell, row.seed))[0] in near}


def list_best(spec: Spec, rows: Sequence[RunResult], items: ItemsBy) -> list[Fact]:
    """List the best cell of each data set by each metric, and the cells that may be as good."""
    return [
        {**on, **_list_best_facts(best, group, select_items(items, strip_validation(best.metric)))}
        for best in list_bests(spec, rows)
        for on, group in group_by_cell(rows, without=_list_other_keys(rows))
    ]


def _list_best_facts(best: Best, group: Sequence[RunResult], items: Items | None) -> Fact:
    metric = strip_validation(best.metric)
    choice = best_cell(group, metric=metric, mode=best.mode, items=items)
    runs = [row for row in group if choice.best and row.cell == choice.best.cell]
    change = compare_with_untrained(choice.best.cell, group, metric, items) if choice.best else None
    return {
        "metric": metric,
        "by": choice.by,
        "best": simplify(choice.best),
        "alike": simplify(choice.alike),
        "needed_seeds": choice.needed_seeds,
        "no_better_than": simplify(find_unbeaten(runs, metric, items)),
        "deflated_sharpe": simplify(deflate_best(choice, group, items)),
        "untrained": simplify(change),
    }


def _find_metric(spec: Spec) -> str:
    return strip_validation(choose_best(spec).metric)


def _list_other_keys(rows: Sequence[RunResult]) -> set[str]:
    """List the keys of cells besides the data set: losses on different holdouts do not compare."""
    return {key for row in rows for key in row.cell} - {"data"}


def conclude(spec: Spec, rows: Sequence[RunResult], items: ItemsBy) -> Conclusion:
    """Conclude which cell of each data set is the best by the first metric."""
    wishes, groups = list_wishes(spec), split_variants(rows, _list_other_keys(rows))
    if wishes and wishes[0].mode is None:
        return refuse_direction(wishes[0].metric)
    answers = max(1, len(wishes)) * len(groups)
    best = list_bests(spec, rows)[0]
    return gather(
        [
            conclude_grid(best, group, items, place=place.removeprefix("data="), several=answers > 1)
            for place, group in list_measured_first(groups)
        ],
        answers,
    )


def answer_grid(spec: Spec, rows: Sequence[RunResult], items: ItemsBy, conclusion: Conclusion) -> Answer:
    """Answer for each metric that the file names, or for that of `best`, one after the other."""
    wishes = list_wishes(spec)
    if not wishes:
        return _answer_metric(choose_best(spec), rows, items, conclusion, title="Which condition?")
    answers = []
    for place, wish in enumerate(wishes):
        title = f"Which condition by {wish.metric}?" if len(wishes) > 1 else "Which condition?"
        if wish.mode:
            best = Best(metric=wish.metric, mode=wish.mode)
            prefix = f"{place}-" if place else ""
            answers.append(_answer_metric(best, rows, items, conclusion, title=title, prefix=prefix))
        else:
            answers.append(describe_undirected(wish.metric, drop_untrained(rows), items, f"undirected-{place}"))
    return join_answers(answers)


def _answer_metric(
    best: Best, rows: Sequence[RunResult], items: ItemsBy, conclusion: Conclusion, *, title: str, prefix: str = ""
) -> Answer:
    """Name the best cell of each data set by a metric: losses on different holdouts do not compare."""
    metric, sentences, sections = strip_validation(best.metric), list[str](), list[Section]()
    kept = select_items(items, metric)
    for place, (where, group) in enumerate(split_variants(rows, _list_other_keys(rows))):
        choice = best_cell(group, metric=metric, mode=best.mode, items=kept)
        change = compare_with_untrained(choice.best.cell, group, metric, kept) if choice.best else None
        on = f" on {where.removeprefix('data=')}" if where else ""
        known = warn_unknown(metric, choice.best.told) if choice.best else ""
        deflated = deflate_best(choice, group, kept)
        beyond_luck = deflated.describe("conditions") if deflated else ""
        headline = find_claim(conclusion, metric, place=where.removeprefix("data="))
        in_headline = headline is not None and headline.against == "untrained"
        weighed = f"{describe_change(choice, change, in_headline=in_headline)}{_weigh_guess(choice, group, items)}"
        sentences.append(f"{name_best(choice, on, headline)}{known}{weighed}{beyond_luck}")
        sections.append(Section(f"{title}{on}", (*_list_parts(f"{prefix}{place}", choice, group, items, change),)))
    return Answer(tuple(sentences), tuple(sections))


def _list_parts(
    place: str, choice: BestCell, group: Sequence[RunResult], items: ItemsBy, change: UntrainedChange | None
) -> Iterator[Part]:
    ranked = [cell for cell in choice.cells if cell.is_ranked]
    if ranked:
        yield _say_how_chosen(choice, len(ranked))
        yield from warn_of_missing(choice.runs)
        if len(ranked) > 1:
            yield draw_cells(f"cells-{place}", choice, ranked, change)
        else:
            yield _show_one(group, ranked[0], items)
        yield from tabulate_ties(choice)
    yield from _list_unranked(choice)
    if ranked:
        yield from draw_axes(f"axes-{place}", choice)


def name_best(choice: BestCell, on: str, headline: Conclusion | None = None) -> str:
    """Name the best cell, and say what it has on the holdout, which the headline says of the only cell."""
    if choice.best is None:
        few = any(cell.chosen_by for cell in choice.cells)
        why = f"has {FEWEST} items that tell {choice.metric}" if few else f"has a result for {choice.metric}"
        return f"No {'condition' if few else 'run'}{on} {why}."
    what, held_out = name_cell(choice.best), choice.best.held_out
    if headline is not None and headline.claim == "measured" and held_out is not None and what:
        return f"The only condition{on}: {what}, over {format_count(held_out.seeds, 'seed')}."
    known = "is not known yet"
    if held_out is not None:
        interval = " (95 % interval)" if held_out.half_width is not None else ""
        known = f"{format_estimate(held_out)}{interval} over {format_count(held_out.seeds, 'seed')}"
    held = f"held-out {choice.metric} {known}"
    return f"Best{on}: {what}, {held}.{name_alike(choice)}" if what else f"The only condition{on}: {held}."


def _weigh_guess(choice: BestCell, rows: Sequence[RunResult], items: ItemsBy) -> str:
    """Say whether the best cell is better on the holdout than a guess, if that is known."""
    runs = [row for row in rows if choice.best and row.cell == choice.best.cell]
    words = weigh_guess(runs, choice.metric, select_items(items, choice.metric))
    return f" {words}" if words else ""


def _say_how_chosen(choice: BestCell, among: int) -> Paragraph:
    if among == 1:
        return Paragraph("There is one condition, so there is nothing to choose.")
    chosen = f"Chosen among {format_count(among, 'condition')} by {choice.by}"
    if choice.by == choice.metric:
        biased = f"{chosen} of the holdout itself, which is optimistically biased; add `validation` to the data."
        return Paragraph(biased, warning=True)
    return Paragraph(f"{chosen}; reported on the holdout, which took no part in the choice.")


def _list_unranked(choice: BestCell) -> list[Part]:
    """List the cells that too few items tell of, and those that do nothing."""
    idle = [cell for cell in choice.cells if cell.chosen_by and cell.inactive][:NEAR]
    reasons = "; ".join(f"{name_cell(cell)} ({INACTIVE[cell.inactive]})" for cell in idle if cell.inactive)
    lines: list[Part] = [Paragraph(f"Not ranked: {reasons}.", warning=True)] if idle else []
    few = [cell for cell in choice.cells if cell.chosen_by and cell.told and cell.told.is_too_few]
    if not few:
        return lines
    counts = "; ".join(f"{name_cell(cell)} ({cell.told.describe()})" for cell in few[:NEAR] if cell.told)
    more = f"; and {len(few) - NEAR} more" if len(few) > NEAR else ""
    why = f"Not ranked, because fewer than {FEWEST} items tell {choice.metric}"
    return [*lines, Paragraph(f"{why}: {counts}{more}.", warning=True)]


def _show_one(group: Sequence[RunResult], only: GridCell, items: ItemsBy) -> Table:
    """Show everything that was measured for the only cell."""
    runs = [run for run in group if run.cell == only.cell]
    values = {name: read_values(runs, name) for name in sort_metrics({name for run in runs for name in run.metrics})}
    rows = [
        {
            "metric": name,
            "mean": show_estimate(
                estimate_level(by_seed, name, find_grain(by_seed.values()), _read_scores(runs, name, items)),
                mark=mark_told(count_told(runs, name, select_items(items, name))),
            ),
            "seeds": len(by_seed),
        }
        for name, by_seed in values.items()
        if by_seed
    ]
    return make_table(rows, caption="Means over the seeds with their 95 % intervals")


def _read_scores(runs: Sequence[RunResult], metric: str, items: ItemsBy) -> Mapping[int, Scores]:
    return read_run_scores(runs, metric, select_items(items, metric))


EXPERIMENT = Experiment(
    name="grid",
    title="grid",
    question="Which condition is the best?",
    needs=("train",),
    takes=("train", "best"),
    plan_runs=plan_grid,
    plan_shared_runs=plan_untrained,
    conclude=conclude,
    answer=answer_grid,
    facts_key="best",
    list_facts=list_best,
    list_cell_values=list_values,
    list_bests=list_bests,
    list_deciding=list_deciding,
    choose_runs=choose_runs,
    acts=True,
    chooses=True,
)
