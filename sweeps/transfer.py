"""Does training on A help B: gains and forgetting for every pair and size, with intervals.

The gain is L(base → target) - L(base → source → target) in nats per token, so that a positive one helps; it is paired
by seed, because both sides share the seed's subset. At size 0 it is the untrained base against the source alone.
Forgetting is the loss on the source after training on the target minus before; a positive one is a loss of skill.

Few seeds say little about their own spread, so the variance is pooled over the cells of one size (a panel), as in the
t half-width t(.975, df)·s/√k with df the sum of (k - 1) over the panel. Holm's step-down over the panel says which
gains stand up to having looked at all of them.
"""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sweeps.errors import DataError
from sweeps.intervals import Estimate, critical, holm, p_value
from sweeps.results import RunResult, by_cell, measured

AXES = ("source", "target", "size")

Verdict = Literal["helps", "hurts", "unclear", "missing"]
Cell = tuple[str | None, str, int]  # source, target, size
Losses = Mapping[Cell, Mapping[int, float]]  # by seed


@dataclass(frozen=True)
class TransferCell:
    """One pair at one size; `gain` is None where a run of it is missing, then the verdict is "missing"."""

    source: str
    target: str
    size: int
    gain: Estimate | None
    forgetting: Estimate | None
    verdict: Verdict
    after_holm: bool  # still clear when all pairs of the panel are considered together


@dataclass(frozen=True)
class TransferMatrix:
    """Every source with every other target at every size, in the order in which the results name the targets."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    sizes: tuple[int, ...]
    cells: tuple[TransferCell, ...]

    def cell(self, source: str, target: str, size: int) -> TransferCell:
        """Raises KeyError for a pair that is not in the matrix, such as a source on itself."""
        for cell in self.cells:
            if (cell.source, cell.target, cell.size) == (source, target, size):
                return cell
        raise KeyError((source, target, size))


def transfer_matrix(results: Sequence[RunResult], *, metric: str = "nll") -> TransferMatrix:
    """The matrix of a transfer experiment's runs, whose cells have a source (None: target only), target and size.

    `metric` is a loss: smaller is better. Runs that failed or are not there leave a "missing" cell. Raises DataError
    for runs of several variants; group them first, with `by_cell(results, without=AXES)`.
    """
    variants = [variant for variant, _ in by_cell(results, without=AXES)]
    if len(variants) > 1:
        raise DataError(f"runs of {len(variants)} variants, such as {variants[0]} and {variants[1]}: one is wanted")
    after, on_source = _losses(results, metric), _losses(results, f"source.{metric}")
    cells = [_place(run) for run in results]
    targets = tuple(dict.fromkeys(target for _, target, _ in cells))
    named = [source for source, _, _ in cells if source is not None]
    order = dict.fromkeys([*targets, *named])  # one for rows and columns, so that the diagonal is one
    sources = tuple(name for name in order if name in named)
    sizes = tuple(sorted({size for _, _, size in cells}))
    panels = (_panel(sources, targets, size, after, on_source) for size in sizes)
    return TransferMatrix(sources, targets, sizes, tuple(cell for panel in panels for cell in panel))


def _panel(
    sources: Sequence[str], targets: Sequence[str], size: int, after: Losses, on_source: Losses
) -> list[TransferCell]:
    """The cells of one size, which share a variance and a family of claims."""
    cells: list[Cell] = [(source, target, size) for source in sources for target in targets if source != target]
    gains, freedom = _estimates([_differences(after, (None, *cell[1:]), cell) for cell in cells])
    lost, _ = _estimates([_differences(on_source, cell, (*cell[:2], 0)) if size else [] for cell in cells])
    clear = holm({cell: p_value(gain, freedom) for cell, gain in zip(cells, gains, strict=True) if gain})
    return [
        TransferCell(str(cell[0]), *cell[1:], gain, forgetting, _verdict(gain), cell in clear)
        for cell, gain, forgetting in zip(cells, gains, lost, strict=True)
    ]


def _place(run: RunResult) -> Cell:
    source, target, size = (run.cell.get(axis) for axis in AXES)
    if not (source is None or isinstance(source, str)) or not isinstance(target, str) or not isinstance(size, int):
        raise DataError(f"a run with cell {dict(run.cell)}: a transfer experiment's has source, target and size")
    return source, target, size


def _losses(results: Iterable[RunResult], metric: str) -> Losses:
    losses: dict[Cell, dict[int, float]] = {}
    for run in measured(results):
        value = run.metrics.get(metric, math.nan)
        if math.isfinite(value):
            losses.setdefault(_place(run), {})[run.seed] = value
    return losses


def _differences(losses: Losses, one: Cell, other: Cell) -> list[float]:
    """one - other for every seed that both have."""
    seeds = sorted({*losses.get(one, ()), *losses.get(other, ())})
    pairs = ((_loss(losses, one, seed), _loss(losses, other, seed)) for seed in seeds)
    return [left - right for left, right in pairs if left is not None and right is not None]


def _loss(losses: Losses, cell: Cell, seed: int) -> float | None:
    """Before any training on the target one measurement stands for all seeds, where only one was made."""
    found = losses.get(cell, {})
    if cell[2] == 0 and len(found) == 1:
        return next(iter(found.values()))
    return found.get(seed)


def _estimates(groups: Sequence[Sequence[float]]) -> tuple[list[Estimate | None], int]:
    """A mean for each filled group with the half-width that all groups give together, and its degrees of freedom."""
    freedom = sum(len(group) - 1 for group in groups if group)
    squares = sum((len(group) - 1) * statistics.variance(group) for group in groups if len(group) > 1)
    reach = critical(freedom) * math.sqrt(squares / freedom) if freedom else None
    return [_estimate(group, reach) if group else None for group in groups], freedom


def _estimate(group: Sequence[float], reach: float | None) -> Estimate:
    half_width = None if reach is None else reach / math.sqrt(len(group))
    return Estimate(statistics.fmean(group), half_width, len(group))


def _verdict(gain: Estimate | None) -> Verdict:
    if gain is None:
        return "missing"
    if gain.half_width is None or abs(gain.mean) <= gain.half_width:
        return "unclear"
    return "helps" if gain.mean > 0 else "hurts"
