"""Conclude whether a source helps a target: the strongest clear pair over all sizes, or at the only size."""

import statistics
from collections.abc import Collection, Sequence
from dataclasses import replace

from sweeps.analysis.transfer.transfer_gains import TransferCell, TransferMatrix
from sweeps.analysis.transfer.transfer_pairs import Overall
from sweeps.experiments.caveats import Caveat, order_caveats
from sweeps.experiments.conclusion import Claim, Conclusion
from sweeps.experiments.evidence import (
    conclude_guess,
    find_best_learner,
    is_saturated,
    list_agreement,
    list_item_caveats,
    list_run_caveats,
    list_seed_caveats,
    miss_results,
    orient,
)
from sweeps.experiments.transfer_words import Pair, count_verdicts, describe_sizes
from sweeps.results import RunResult, group_by_cell, read_values
from sweeps.spec.size_units import EXAMPLES, SizeUnit
from sweeps.stats.intervals import Estimate
from sweeps.stats.paired_items import Items


def conclude_transfer(
    matrix: TransferMatrix,
    rows: Sequence[RunResult],
    metric: str,
    sign: float,
    *,
    items: Items | None = None,
    guessing: Collection[str] = (),
    place: str = "",
    several: bool = False,
    unit: SizeUnit = EXAMPLES,
) -> Conclusion:
    """Conclude from the matrix of one variant; `sign` is -1 where a lower value is better.

    `guessing`: the targets on which no training is clearly better than a guess.
    """
    pairs, where = _choose_pairs(matrix, unit)
    known = [pair for pair in pairs if pair.gain]
    taught = [pair for pair in known if pair.target not in guessing]
    if known and not taught:
        conclusion, where = _conclude_guesses(rows, metric, sign, items), ""
    elif known:
        conclusion = _judge_pairs(taught, metric, matrix, unit)
    else:
        few = any(cell.verdict == "too_few_items" for cell in matrix.cells)
        conclusion = Conclusion("too_few_items", metric) if few else miss_results(metric, matrix.runs)
    if taught and conclusion.claim == "no_clear_difference":
        conclusion = _find_nothing_learnt(rows, metric, sign, items) or conclusion
    codes: set[Caveat] = list_run_caveats(matrix.runs) | {*conclusion.caveats}
    codes |= list_item_caveats(metric, [cell.told for cell in matrix.cells if cell.runs.measured])
    codes |= list_seed_caveats([pair.gain.seeds for pair in known if pair.gain])
    if _reach_best(rows, {pair.target for pair in taught}, metric, sign):
        codes.add("saturated")
    if matrix.shared:
        codes.add("shared_source")
    if several:
        codes.add("one_of_several")
    return replace(conclusion, place=", ".join(filter(None, (place, where))), caveats=order_caveats(codes))


def _reach_best(rows: Sequence[RunResult], targets: Collection[str], metric: str, sign: float) -> bool:
    """Whether training on one of these targets alone is already as good as the metric can be: no source helps there."""
    alone = [row for row in rows if row.cell["source"] is None and row.cell["size"] and row.cell["target"] in targets]
    cells = [read_values(runs, metric) for _, runs in group_by_cell(alone)]
    means = [Estimate(statistics.fmean(values.values()), None, len(values)) for values in cells if values]
    return any(is_saturated(mean, metric, sign) for mean in means)


def _choose_pairs(matrix: TransferMatrix, unit: SizeUnit) -> tuple[Sequence[Pair], str]:
    """Choose the pairs over all sizes; of a single size, or where no seed has all of them, those of the largest."""
    sizes = [size for size in matrix.sizes if size]
    if len(sizes) > 1 and any(pair.gain for pair in matrix.overall):
        return matrix.overall, f"mean over {sizes[0]:,} to {unit.write_of_target(sizes[-1])}"
    for size in (*reversed(sizes), 0):
        cells = [cell for cell in matrix.cells if cell.size == size]
        if any(cell.gain for cell in cells):
            return cells, f"with {unit.write_of_target(size)}" if size else "without training on the target"
    return (), ""


def _judge_pairs(pairs: Sequence[Pair], metric: str, matrix: TransferMatrix, unit: SizeUnit) -> Conclusion:
    clear = [pair for pair in pairs if pair.after_holm]
    strongest = max(clear or pairs, key=lambda pair: abs(pair.gain.mean) if pair.gain else 0.0)
    gain = strongest.gain
    claim: Claim = "no_clear_difference"
    if len({pair.verdict for pair in clear}) > 1:
        claim = "mixed"
    elif clear and gain:
        claim = "helps" if gain.mean > 0 else "hurts"
    elif gain and gain.half_width is None and (gain.seeds < 2 or gain.mean):
        claim = "not_judged"
    alone = isinstance(strongest, TransferCell) and not strongest.size
    against = "the untrained model" if alone else f"{strongest.target} alone"
    subject = f"{strongest.source} → {strongest.target}"
    conclusion = Conclusion(claim, metric, subject, against, *orient(gain), caveats=list_agreement(gain))
    if claim == "mixed":
        conclusion = replace(conclusion, counted=count_verdicts(pairs))
    if isinstance(strongest, Overall) and strongest.sizes_differ:
        by_size = describe_sizes(strongest, matrix, metric, unit)
        caveats: tuple[Caveat, ...] = (*conclusion.caveats, "sizes_differ")
        return replace(conclusion, caveats=caveats, details={"sizes_differ": by_size})
    return conclusion


def _conclude_guesses(rows: Sequence[RunResult], metric: str, sign: float, items: Items | None) -> Conclusion:
    """Conclude for the best of the trained cells that it is no better than a guess."""
    cells = [
        runs for cell, runs in group_by_cell(rows) if (cell["source"] or cell["size"]) and read_values(runs, metric)
    ]
    best = max(cells, key=lambda runs: sign * statistics.fmean(read_values(runs, metric).values()))
    conclusion = conclude_guess(best, _name(best[0]), metric, items)
    assert conclusion, "all cells of all targets were no better than a guess"
    return conclusion


def _find_nothing_learnt(rows: Sequence[RunResult], metric: str, sign: float, items: Items | None) -> Conclusion | None:
    """Conclude that no training is better than the untrained model on any target."""
    best: Conclusion | None = None
    for target in dict.fromkeys(row.cell.get("target") for row in rows):
        own = [row for row in rows if row.cell.get("target") == target]
        base = [row for row in own if row.cell.get("source") is None and not row.cell.get("size")]
        cells = {_name(runs[0]): runs for cell, runs in group_by_cell(own) if cell.get("size")}
        learner = find_best_learner(base, cells, metric, sign, items)
        if learner is None:
            return None
        best = best or Conclusion("nothing_learnt", metric, learner.name, "untrained", *learner.effect)
    return best


def _name(run: RunResult) -> str:
    source, target, size = (run.cell.get(key) for key in ("source", "target", "size"))
    return f"{target} alone, size {size}" if source is None else f"{source} → {target}, size {size}"
