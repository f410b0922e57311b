"""The table of differences: one row, one interval and one verdict for each pair, and what it takes to see it."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sweeps.analysis.grid_cells import BestCell, GridCell
from sweeps.analysis.item_analysis import NEAR
from sweeps.analysis.seed_estimates import Covers
from sweeps.formatting import format_count
from sweeps.metrics.ranges import clip_interval
from sweeps.report.document import Paragraph, Part, make_table
from sweeps.report.grid_figures import name_cell
from sweeps.report.table_cells import MINUS, MISSING, TableCell, show_estimate
from sweeps.stats.intervals import Estimate, is_clear, turn_estimate
from sweeps.stats.paired_items import ItemDifference

BOTH = "Differences, ± half of the 95 % interval for other seeds and other items of the same kind."
SEEDS = "Differences over the seeds that both have, ± half of the 95 % interval for other seeds, on these items."
SOME = "Rows over seeds alone hold for other seeds, on these items."
CLEAR = "Clear: `alone`, beyond its own interval; `all pairs`, also when {family} are judged together (Holm)."
SINGLE = "Clear: beyond its interval."
NEEDED = "Seeds: how many would find a difference of this size in four of five experiments."
CHECKPOINTS = (
    "Checkpoints: ± for other items, if these trained models are asked again (* clear{together}); items: how many "
    "would make that clear."
)
SIGNS = "McNemar: the p-value of one being right where the other is wrong, on these items."


class Contrast(NamedTuple):
    """One pair: its difference, the verdict in a word, and what is known of it item by item."""

    name: str
    estimate: Estimate | None  # None: they share no seed
    clear: str
    covers: Covers | None
    needed_seeds: int | None
    by_item: ItemDifference | None


def list_contrast_rows(metric: str, contrasts: Sequence[Contrast]) -> list[dict[str, Any]]:
    """List the rows of the table; columns about items only where some pair has them."""
    has_items = any(contrast.by_item for contrast in contrasts)
    has_signs = any(contrast.by_item and contrast.by_item.mcnemar is not None for contrast in contrasts)
    return [
        {
            "difference": contrast.name,
            metric: show_estimate(contrast.estimate, signed=True),
            "clear": contrast.clear,
            **({} if describe_extent(contrasts) else {"over": _describe_extent(contrast)}),
            **({"checkpoints": _show_checkpoints(contrast.by_item)} if has_items else {}),
            **({"McNemar": _show_signs(contrast.by_item)} if has_signs else {}),
            "seeds": contrast.needed_seeds,
            **({"items": _count_items(contrast.by_item)} if has_items else {}),
        }
        for contrast in contrasts
    ]


def describe_extent(contrasts: Sequence[Contrast]) -> str:
    """Say over how many seeds and items all of them are, to be put behind a title; nothing if they differ."""
    extents = {_describe_extent(contrast) for contrast in contrasts}
    return f" ({extents.pop()})" if len(extents) == 1 else ""


def explain_contrasts(
    contrasts: Sequence[Contrast], *, family: str = "", against: str | None = None, asked: int = 0
) -> str:
    """Say what the columns of these rows mean; `asked` of them, those `against` a method, are judged by themselves.

    Without a `family` nothing was corrected.
    """
    covered = {contrast.covers for contrast in contrasts}
    whole = bool(covered & {"seeds_and_items", "items"})
    words = [
        BOTH if whole else SEEDS,
        *([SOME] if whole and "seeds" in covered else []),
        CLEAR.format(family=family) if family else SINGLE,
    ]
    words.append(NEEDED)
    if family and against and asked:
        those = "The one" if asked == 1 else f"The {asked:,}"
        among = "is judged by itself" if asked == 1 else "are judged among themselves"
        words.append(f"{those} with {against}, which the question is about, {among}.")
    together = " among all pairs" if family else ""
    words += [CHECKPOINTS.format(together=together)] if any(contrast.by_item for contrast in contrasts) else []
    has_signs = any(contrast.by_item and contrast.by_item.mcnemar is not None for contrast in contrasts)
    return " ".join([*words, *([SIGNS] if has_signs else [])])


def _describe_extent(contrast: Contrast) -> str:
    seeds = format_count(contrast.estimate.seeds if contrast.estimate else 0, "seed")
    kept = contrast.by_item
    if kept is None or contrast.covers == "seeds":
        return seeds
    left = f" of {kept.items + kept.left_out:,}" if kept.left_out else ""
    clusters = f" in {format_count(kept.clusters, 'cluster')}" if kept.clusters < kept.items else ""
    return f"{seeds}, {kept.items:,}{left} {'item' if kept.items == 1 and not left else 'items'}{clusters}"


def _show_checkpoints(kept: ItemDifference | None) -> TableCell:
    """Show half of the interval, or both of its ends where the metric's range cuts it."""
    if kept is None or (claim := kept.checkpoints) is None:
        return TableCell(MISSING)
    low, high, cut = clip_interval(kept.mean, claim.half_width, kept.span)
    reach = f"{low:+.4f} to {high:+.4f}".replace("-", MINUS) if cut else f"±{claim.half_width:.4f}"
    return TableCell(f"{reach}{'*' * claim.after_holm}", claim.half_width)


def _show_signs(kept: ItemDifference | None) -> TableCell:
    p = kept.mcnemar if kept else None
    if kept is None or p is None or math.isnan(p):
        return TableCell(MISSING)
    return TableCell(f"{'<.001' if p < 0.001 else f'{p:.3f}'.removeprefix('0')}{'*' * kept.mcnemar_after_holm}", p)


def _count_items(kept: ItemDifference | None) -> int | None:
    """Count the items that these checkpoints would need; none where they differ clearly already."""
    if kept is None or (kept.checkpoints is not None and abs(kept.mean) > kept.checkpoints.half_width):
        return None
    return kept.needed_items


def contrast_tie(choice: BestCell, cell: GridCell) -> Contrast:
    """Contrast a cell with the best by what the best was chosen by: above 0, its value is larger."""
    behind, own = cell.behind, choice.by == choice.metric
    less = behind if behind is None or choice.mode == "min" else turn_estimate(behind)
    clear = "alone" if behind is not None and is_clear(behind) else "no"
    return Contrast(name_cell(cell), less, clear, cell.covers, cell.needed_seeds, cell.by_item if own else None)


def contrast_on_holdout(cell: GridCell) -> Contrast | None:
    """Contrast a cell with the best on the holdout, item by item; None without items of several seeds."""
    if cell.by_item is None or (recipe := cell.by_item.recipe) is None:
        return None
    less = Estimate(cell.by_item.mean, recipe.half_width, cell.by_item.seeds, cell.by_item.span)
    clear = "all pairs" if recipe.after_holm else "alone" if is_clear(less) else "no"
    return Contrast(name_cell(cell), less, clear, "seeds_and_items", cell.by_item.needed_seeds, cell.by_item)


def tabulate_ties(choice: BestCell) -> Iterator[Part]:
    """Tabulate the cells that may be as good as the best; on the holdout, too, where it took no part in the choice."""
    if not choice.alike:
        return
    near, left = choice.alike[:NEAR], len(choice.alike) - NEAR
    more = f" (the first {NEAR} of {NEAR + left:,})" if left > 0 else ""
    contrasts = [contrast_tie(choice, cell) for cell in near]
    caption = f"Not clearly worse than the best, {choice.by} less that of the best{more}{describe_extent(contrasts)}"
    yield make_table(list_contrast_rows(choice.by, contrasts), caption=caption)
    held = [row for cell in near if choice.by != choice.metric and (row := contrast_on_holdout(cell))]
    if held:
        caption = f"The same conditions on the holdout, {choice.metric} less that of the best"
        yield make_table(list_contrast_rows(choice.metric, held), caption=caption)
    yield Paragraph(explain_contrasts([*contrasts, *held], family="all conditions"))
