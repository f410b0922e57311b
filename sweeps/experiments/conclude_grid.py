"""Conclude which cell is the best: by the first metric, on the first data set, against the cells that come next."""

from collections.abc import Sequence
from dataclasses import replace

from sweeps.analysis.baselines import compare_with_untrained
from sweeps.analysis.deflated_sharpe import deflate_best
from sweeps.analysis.grid_cells import BestCell, GridCell, best_cell
from sweeps.analysis.item_analysis import ItemsBy, select_items
from sweeps.analysis.targets import describe_cell
from sweeps.evaluation.metric_prefixes import strip_validation
from sweeps.experiments.caveats import Caveat, order_caveats
from sweeps.experiments.conclusion import Claim, Conclusion
from sweeps.experiments.evidence import (
    conclude_guess,
    is_saturated,
    list_agreement,
    list_coverage,
    list_item_caveats,
    list_run_caveats,
    list_seed_caveats,
    miss_results,
    orient,
)
from sweeps.results import RunResult, find_shared_keys
from sweeps.spec.sections import Best
from sweeps.stats.intervals import ALPHA

ONLY = "the only condition"


def conclude_grid(
    best: Best, rows: Sequence[RunResult], items: ItemsBy, *, place: str = "", several: bool = False
) -> Conclusion:
    """Conclude which cell of one data set is the best; `several` where there are other data sets or metrics."""
    metric, sign = strip_validation(best.metric), 1.0 if best.mode == "max" else -1.0
    kept = select_items(items, metric)
    choice = best_cell(rows, metric=metric, mode=best.mode, items=kept)
    conclusion = _compare_best(choice)
    if choice.best is not None:
        runs = [row for row in rows if row.cell == choice.best.cell]
        change = compare_with_untrained(choice.best.cell, rows, metric, kept)
        gained = orient(change.change, sign) if change else None
        if guessed := conclude_guess(runs, conclusion.subject, metric, kept):
            conclusion = guessed
        elif change and gained and (gained.effect or 0) <= 0 and change.clear:
            conclusion = Conclusion("worse", metric, conclusion.subject, "untrained", *gained)
        elif change and gained and change.change.seeds > 1 and not change.clear:
            conclusion = Conclusion("nothing_learnt", metric, conclusion.subject, "untrained", *gained)
        elif change and gained and change.clear and conclusion.claim == "measured":
            conclusion = Conclusion("better", metric, conclusion.subject, "untrained", *gained)
    codes = _list_caveats(choice, sign) | {*conclusion.caveats}
    deflated = deflate_best(choice, rows, kept)
    if deflated and deflated.probability < 1 - ALPHA:
        codes.add("may_be_luck")
    if several:
        codes.add("one_of_several")
    return replace(conclusion, place=place, caveats=order_caveats(codes))


def _compare_best(choice: BestCell) -> Conclusion:
    """Compare the best cell with the first that is not clearly worse, or else with the next."""
    ranked = [cell for cell in choice.cells if cell.is_ranked]
    if not ranked:
        few = any(cell.told and cell.told.is_too_few for cell in choice.cells)
        return Conclusion("too_few_items", choice.by) if few else miss_results(choice.by, choice.runs)
    first, *rest = ranked
    if not rest:
        return Conclusion("measured", choice.metric, ONLY, None, *orient(first.held_out or first.chosen_by))
    shared = find_shared_keys([cell.cell for cell in ranked])
    names = {id(cell): describe_cell(cell.cell, without={*shared, "data"}) for cell in ranked}
    rival = choice.alike[0] if choice.alike else rest[0]
    sides = names[id(first)], names[id(rival)]
    effect = orient(rival.behind)
    if rival.behind is None:
        return Conclusion("not_judged", choice.by, *sides, caveats=("no_shared_seed",))
    claim: Claim = "tied_best" if any(cell.apart for cell in rest) else "no_clear_difference"
    if rival.behind.half_width is None and (rival.behind.seeds < 2 or rival.behind.mean):
        claim = "not_judged"
    elif not choice.alike:
        claim = "best_cell"
    caveats = (*list_agreement(rival.behind), *list_coverage(rival.covers))
    return Conclusion(claim, choice.by, *sides, *effect, caveats=caveats)


def _list_caveats(choice: BestCell, sign: float) -> set[Caveat]:
    ranked = [cell for cell in choice.cells if cell.is_ranked]
    codes = list_run_caveats(choice.runs) | list_item_caveats(choice.metric, [cell.told for cell in _list_told(choice)])
    codes |= list_seed_caveats([cell.chosen_by.seeds for cell in ranked if cell.chosen_by])
    if ranked and is_saturated(ranked[0].chosen_by, choice.by, sign):
        codes.add("saturated")
    if len(ranked) > 1 and choice.by == choice.metric:
        codes.add("chosen_on_holdout")
    return codes


def _list_told(choice: BestCell) -> list[GridCell]:
    """List the cells whose items were counted: a validation set has no items."""
    return list(choice.cells) if choice.by == choice.metric else []
