"""Compute whether training on A helps B: gains and forgetting for every pair and size, with intervals.

The gain is L(base → target) - L(base → source → target), so that a positive one helps. L is a loss, in nats per token,
or a metric that is better if it is higher, with the opposite sign. It is paired
by seed, because both sides share the seed's subset. At size 0 it is the untrained base against the source alone.
Forgetting is the loss on the source after training on the target minus before; a positive one is a loss of skill.

Few seeds say little about their own spread, so the variance is pooled over the sources of one target at one size, as
in the t half-width t(.975, df)·s/√k (see stats/pooling.py); forgetting pools over the targets of one source. Holm's
step-down over all pairs of the size (a panel) says which gains stand up to having looked at all. Over all sizes a
pair's gain is the mean of its gains at the sizes above 0, seed by seed; those are a family of their own, and so are the
asymmetries G(s, t) - G(t, s), whose variance is the sum of those of the two targets.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter

from sweeps.analysis.run_counts import Tally, count_runs
from sweeps.analysis.tables import Runs, read_runs
from sweeps.analysis.told_items import Told, ToldRuns
from sweeps.analysis.transfer.data_multiplier import Multiplier, TargetAlone
from sweeps.analysis.transfer.transfer_pairs import (
    Asymmetry,
    Cell,
    Gains,
    MeasuredGains,
    Overall,
    SourceDifference,
    SourceVerdict,
    Verdict,
    judge_gain,
    judge_loss,
    list_asymmetries,
    list_overall,
    list_source_differences,
)
from sweeps.errors import DataError
from sweeps.evaluation.evaluator import Better
from sweeps.evaluation.metric_prefixes import SOURCE
from sweeps.evaluation.nll import NLL
from sweeps.evaluation.registry import choose_direction
from sweeps.results import RunResult, group_by_cell, keep_measured
from sweeps.stats.intervals import Estimate
from sweeps.stats.paired_items import Items
from sweeps.stats.pooling import FamilyScale, judge_family, measure_spreads, pool_family
from sweeps.stats.seed_pairs import SeedValues, Values

AXES = ("source", "target", "size")


@dataclass(frozen=True)
class TransferCell:
    """One pair at one size; `gain` is None where a run of it is missing, or where too few items tell the metric."""

    source: str
    target: str
    size: int
    gain: Estimate | None
    forgetting: Estimate | None
    verdict: Verdict  # "hurts", negative transfer: the gain's whole interval is below 0
    after_holm: bool  # still clear when all pairs of the panel are considered together
    source_verdict: SourceVerdict = "missing"  # what training on the target did to the source's own skill
    source_after_holm: bool = False
    relative: float | None = None  # the gain as a share of what the target alone gains, up to its largest size
    multiplier: Multiplier | None = None  # how many times the target's examples it is worth; None at size 0
    runs: Tally = field(default_factory=Tally)  # of source → target at this size
    told: Told | None = None  # how many items of source → target tell the metric; None: not known


@dataclass(frozen=True)
class TransferMatrix:
    """Every source with every other target at every size, in the order in which the results name the targets."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    sizes: tuple[int, ...]
    cells: tuple[TransferCell, ...]
    overall: tuple[Overall, ...] = ()
    asymmetries: tuple[Asymmetry, ...] = ()
    source_differences: tuple[SourceDifference, ...] = ()
    runs: Tally = field(default_factory=Tally)
    shared: bool = False  # each source was trained once for all seeds: intervals are of these sources alone

    def cell(self, source: str, target: str, size: int) -> TransferCell:
        """Return one cell. Raises KeyError for a pair that is not in the matrix, such as a source on itself."""
        return self._places[source, target, size]

    @cached_property
    def _places(self) -> Mapping[tuple[str, str, int], TransferCell]:
        return {(cell.source, cell.target, cell.size): cell for cell in self.cells}


def transfer_matrix(
    results: Runs,
    *,
    metric: str = NLL.name,
    better: Better | None = None,
    items: Items | None = None,
    source_items: Items | None = None,
) -> TransferMatrix:
    """Compute the matrix of a transfer experiment's runs, whose cells have source (None: target only), target and size.

    They may come as a DataFrame. A positive gain is better and positive forgetting worse, whichever way the metric is
    better. Runs that failed or are not there leave a "missing" cell. With the rows that evaluations kept, `items` and
    those on the source, by `item_key(run.cell, run.seed)`, what not all items tell is compared over the items that both
    sides tell; too few of them leave no gain. Raises DataError for a metric whose direction is not known, unless
    `better` says it; and for runs of several variants: group them with `group_by_cell(results, without=AXES)`.
    """
    results = read_runs(results)
    variants = [variant for variant, _ in group_by_cell(results, without=AXES)]
    if len(variants) > 1:
        raise DataError(f"runs of {len(variants)} variants, such as {variants[0]} and {variants[1]}: one is wanted")
    metrics = sorted({name for run in results for name in run.metrics})
    if metrics and metric not in metrics:
        raise DataError(f"{', '.join(metrics)} found; gains are of {metric}, which no run has; choose another `metric`")
    return fill_matrix(
        results, metric, 1.0 if choose_direction(metric, better) == "lower" else -1.0, items, source_items
    )


def fill_matrix(
    results: Sequence[RunResult], metric: str, sign: float, items: Items | None, source_items: Items | None
) -> TransferMatrix:
    """Fill the matrix of one variant; `sign` is -1 of a metric that is better if it is higher. No run need have it."""
    after, on_source = (_losses(results, name, sign) for name in (metric, f"{SOURCE}{metric}"))
    places = [_place(run) for run in results]
    targets = tuple(dict.fromkeys(target for _, target, _ in places))
    named = [source for source, _, _ in places if source is not None]
    order = dict.fromkeys([*targets, *named])  # one for rows and columns, so that the diagonal is one
    sources = tuple(name for name in order if name in named)
    sizes = tuple(sorted({size for _, _, size in places}))
    pairs = [(source, target) for source in sources for target in targets if source != target]
    scale = FamilyScale.read(metric, _list_values(results, metric))
    runs: dict[Cell, list[RunResult]] = {}
    for place, run in zip(places, results, strict=True):
        runs.setdefault(place, []).append(run)
    told_runs = ToldRuns(runs, metric, items, after.once)
    on_sources = ToldRuns(runs, f"{SOURCE}{metric}", source_items, on_source.once)
    cells = [(*pair, size) for size in sizes for pair in pairs]
    gains = {cell: _compute_gain(after, told_runs, (None, *cell[1:]), cell, sign) for cell in cells}
    rises = {cell: _compute_gain(on_source, on_sources, cell, (*cell[:2], 0), sign) for cell in cells if cell[2]}
    alone = {target: _read_alone(after, target) for target in targets}
    fates = {place: count_runs(rows, metric) for place, rows in runs.items()}
    of_size = {size: [(*pair, size) for pair in pairs] for size in sizes}
    spreads = {size: measure_spreads({cell: gains[cell] for cell in of_size[size]}, itemgetter(1)) for size in sizes}
    measured = MeasuredGains(gains, spreads, scale, told_runs)
    panels = {size: _panel(of_size[size], measured, rises, alone, fates, on_sources=on_sources) for size in sizes}
    return TransferMatrix(
        sources=sources,
        targets=targets,
        sizes=sizes,
        cells=tuple(cell for panel in panels.values() for cell in panel),
        overall=tuple(list_overall(pairs, sizes, measured)),
        asymmetries=tuple(asymmetry for size in sizes for asymmetry in list_asymmetries(pairs, size, measured)),
        source_differences=tuple(_compare_helpers(panels, measured)),
        runs=count_runs(results, metric),
        shared=_is_source_shared(runs),
    )


def _panel(
    cells: Sequence[tuple[str, str, int]],
    measured: MeasuredGains,
    rises: Gains,
    alone: Mapping[str, TargetAlone],
    fates: Mapping[Cell, Tally],
    *,
    on_sources: ToldRuns[Cell],
) -> list[TransferCell]:
    """Compute the cells of one size, which are judged together."""
    gains, spreads, scale, told_runs = measured
    here, falls = {cell: gains[cell] for cell in cells}, {cell: rises.get(cell, {}) for cell in cells}
    family = judge_family(
        here, lambda cell: spreads[cell[2]][cell[1]], scale, lambda cell: told_runs.compare(cell, (None, *cell[1:]))
    )
    lost = pool_family(falls, itemgetter(0), scale, lambda cell: on_sources.compare((*cell[:2], 0), cell))
    pooled = family.estimates
    return [
        TransferCell(
            *cell,
            gain=pooled.get(cell),
            forgetting=lost.estimates.get(cell),
            source_verdict=judge_loss(lost.estimates.get(cell), lost.p.get(cell)),
            source_after_holm=cell in lost.clear,
            verdict=judge_gain(
                pooled.get(cell), family.p.get(cell), few=told_runs.share_too_few((None, *cell[1:]), cell)
            ),
            after_holm=cell in family.clear,
            relative=alone[cell[1]].share(pooled.get(cell)),
            multiplier=alone[cell[1]].worth(pooled.get(cell), cell[2]),
            runs=fates.get(cell, Tally()),
            told=told_runs.counts.get(cell),
        )
        for cell in cells
    ]


def _compare_helpers(
    panels: Mapping[int, Sequence[TransferCell]], measured: MeasuredGains
) -> Iterable[SourceDifference]:
    for size, panel in panels.items():
        yield from list_source_differences(_rank_helpers(panel), size, measured)


def _rank_helpers(panel: Sequence[TransferCell]) -> dict[str, list[str]]:
    """List by target the sources that clearly help it, the best first, where there are two or more."""
    ranked = sorted(panel, key=lambda cell: cell.gain.mean if cell.gain else 0.0, reverse=True)
    helpers: dict[str, list[str]] = {}
    for cell in ranked:
        if cell.after_holm and cell.verdict == "helps":
            helpers.setdefault(cell.target, []).append(cell.source)
    return {target: sources for target, sources in helpers.items() if len(sources) > 1}


def _is_source_shared(runs: Mapping[Cell, Sequence[RunResult]]) -> bool:
    """Whether each source is measured alone once, while targets are trained from it with several seeds."""
    alone = [len(rows) for (source, _, size), rows in runs.items() if source is not None and size == 0]
    after = [len(rows) for (source, _, size), rows in runs.items() if source is not None and size]
    return bool(alone) and max(alone) == 1 < max(after, default=0)


def _place(run: RunResult) -> Cell:
    source, target, size = (run.cell.get(axis) for axis in AXES)
    if not (source is None or isinstance(source, str)) or not isinstance(target, str) or not isinstance(size, int):
        raise DataError(
            f"a run with the condition {dict(run.cell)}: a transfer experiment's has source, target and size"
        )
    return source, target, size


def _losses(results: Sequence[RunResult], metric: str, sign: float) -> SeedValues[Cell]:
    """Read the values of a metric as losses: a metric that is better if it is higher with the opposite sign."""
    values: dict[Cell, dict[int, float]] = {}
    for run in keep_measured(results):
        value = run.metrics.get(metric, math.nan)
        if math.isfinite(value):
            values.setdefault(_place(run), {})[run.seed] = sign * value
    runs = Counter(map(_place, results))
    return SeedValues(values, {cell for cell, count in runs.items() if cell[2] == 0 and count == 1})


def _read_alone(losses: SeedValues[Cell], target: str) -> TargetAlone:
    return TargetAlone.read({cell[2]: seeds for cell, seeds in losses.values.items() if cell[:2] == (None, target)})


def _list_values(results: Sequence[RunResult], metric: str) -> list[float]:
    values = (run.metrics.get(name, math.nan) for run in results for name in (metric, f"{SOURCE}{metric}"))
    return [value for value in values if math.isfinite(value)]


def _compute_gain(losses: SeedValues[Cell], told_runs: ToldRuns[Cell], cell: Cell, other: Cell, sign: float) -> Values:
    """Subtract seed by seed; what not all items tell over the items that both tell, and nothing if they are too few."""
    if not told_runs.are_conditional(cell, other):
        return losses.subtract(cell, other)
    differences = {} if told_runs.share_too_few(cell, other) else told_runs.subtract(cell, other)
    return {seed: sign * difference for seed, difference in differences.items()}
