"""Draw the matrix of a transfer: gains, what they are worth in data, and what was forgotten, by one metric."""

import math
from collections.abc import Mapping
from dataclasses import replace

from sweeps.analysis.data_multiplier import Multiplier
from sweeps.analysis.targets import format_multiplier
from sweeps.analysis.transfer_gains import Asymmetry, Overall, TransferCell, TransferMatrix
from sweeps.evaluation.nll import NLL
from sweeps.evaluation.registry import find_metric
from sweeps.figures.charts import HeatMap
from sweeps.figures.heat import Heat, Square
from sweeps.formatting import format_interval
from sweeps.report.document import Figure, Paragraph, Part, make_table
from sweeps.report.shared_parts import mark_told, warn_of_missing
from sweeps.report.table_cells import MINUS, TableCell, format_estimate, show_estimate
from sweeps.spec.size_units import EXAMPLES, SizeUnit
from sweeps.stats.intervals import Estimate, is_clear

SHARED = (
    "Each source was trained once for all seeds: the intervals hold for these trained sources, not for training a "
    "source again."
)
ALONE = "training on the target alone"
GAINS = (
    f"The number is the gain in UNIT over {ALONE}. ± is half of its 95 % interval. ▲: the source helps, ▼: "
    "it hurts, and the interval does not contain 0. *: this is still so when all pairs of this size are judged "
    "together (Holm). "
    "The pairs of a size share one estimate of the noise, so their intervals are about equally wide."
)
WORTH = (
    "How many times its own target SIZES a transfer is worth: training on the target alone would need that many "
    "times as many for the same loss. In brackets, what the 95 % interval of the gain says. > and <: beyond what the "
    "sizes of the target alone can show."
)
HATCHED = "Hatched: not clear when all pairs of this size are judged together (Holm)."
BEYOND = {"": 0.0, ">": 1e-3, "<": -1e-3}  # the sign of what is more, or less, than ×1
LOST = (
    "How much training on the target raises the loss on the source's own holdout, in UNIT, ± half the width "
    "of its 95 % interval. Above 0: something was forgotten."
)
NONE = "·"
Pairs = Mapping[tuple[str, str], TableCell]


def name_unit(metric: str) -> str:
    """Name what gains are in: the unit of a metric, or else the metric."""
    known = find_metric(metric)
    return known.unit if known and known.unit else metric


def show_matrix(name: str, matrix: TransferMatrix, metric: str = NLL.name, unit: SizeUnit = EXAMPLES) -> list[Part]:
    """Show the gains at every size, what they are worth, the pairs over all sizes, and what was forgotten."""
    parts: list[Part] = [*warn_of_missing(matrix.runs), *([Paragraph(SHARED, warning=True)] if matrix.shared else [])]
    several = len(matrix.sizes) - (0 in matrix.sizes) > 1  # one size alone bounds every multiple by ×1
    for size in sorted(matrix.sizes, reverse=True):
        parts.append(_draw_gains(name, matrix, size, metric, unit))
        if size and several:
            parts.append(_draw_worth(name, matrix, size, metric, unit))
    parts += _show_all_sizes(matrix, unit)
    lost = [size for size in matrix.sizes if any(cell.forgetting for cell in _list_cells(matrix, size))]
    return parts + [_draw_forgetting(name, matrix, size, metric, unit, folded=size != max(lost)) for size in lost]


def _list_cells(matrix: TransferMatrix, size: int) -> list[TransferCell]:
    return [cell for cell in matrix.cells if cell.size == size]


def _draw_gains(name: str, matrix: TransferMatrix, size: int, metric: str, unit: SizeUnit) -> Figure:
    untrained = f"No target {unit.many}: the source alone, against the untrained model"
    title = unit.write_of_target(size) if size else untrained
    squares = {(cell.source, cell.target): _draw_gain(cell) for cell in _list_cells(matrix, size)}
    texts = {(cell.source, cell.target): _show_gain(cell) for cell in _list_cells(matrix, size)}
    note = GAINS.replace("UNIT", name_unit(metric))
    note = note if size else note.replace(ALONE, "the untrained model")
    return _draw_map(_lay_out(f"{name}-gain-{size}", title, matrix, squares), texts, HATCHED, note)


def _show_gain(cell: TransferCell | Overall) -> TableCell:
    mark = {"helps": " ▲", "hurts": " ▼"}.get(cell.verdict, "") + ("*" if cell.after_holm else "")
    count = mark_told(cell.told) if isinstance(cell, TransferCell) else ""
    return show_estimate(cell.gain, 3, signed=True, missing=f"{_say_why(cell)}{count}", mark=f"{mark}{count}")


def _say_why(cell: TransferCell | Overall) -> str:
    """Say why there is no gain."""
    return "too few items" if cell.verdict == "too_few_items" else "missing"


def _draw_gain(cell: TransferCell) -> Square:
    pair = f"{cell.source} → {cell.target}"
    if cell.gain is None:
        few = f"too few items tell the metric{mark_told(cell.told)}"
        why = few if cell.verdict == "too_few_items" else "a run is missing"
        return Square(None, _say_why(cell), told=f"{pair}: {why}")
    sign = {"helps": "▲", "hurts": "▼"}.get(cell.verdict, "") if cell.after_holm else ""
    return _draw_square(cell.gain, pair, sign, clear=cell.after_holm)


def _draw_worth(name: str, matrix: TransferMatrix, size: int, metric: str, unit: SizeUnit) -> Figure:
    title = f"What it is worth, at {unit.write_of_target(size)}"
    cells = _list_cells(matrix, size)
    squares = {(cell.source, cell.target): _draw_multiple(cell) for cell in cells}
    texts = {
        (cell.source, cell.target): _show_multiple(cell.multiplier, _say_why(cell), interval=True) for cell in cells
    }
    words = replace(
        _lay_out(f"{name}-worth-{size}", title, matrix, squares),
        better="× above 1: worth more",
        worse="× below 1: worth less",
    )
    note = WORTH.replace("SIZES", unit.many)
    note = note if metric == NLL.name else note.replace("loss", metric)
    return _draw_map(words, texts, f"Colours by the logarithm. {HATCHED}", note, folded=True)


def _draw_multiple(cell: TransferCell) -> Square:
    pair, worth = f"{cell.source} → {cell.target}", cell.multiplier
    if worth is None:
        return Square(None, _say_why(cell), told=f"{pair}: there is no gain")
    text, below = format_multiplier(worth), _write_range(worth)
    unclear = "" if cell.after_holm else ", not clear"
    value = math.log2(worth.value) or BEYOND[worth.censored]
    return Square(value, text, below, cell.after_holm, f"{pair}: {text} {below}".rstrip() + unclear)


def _show_multiple(worth: Multiplier | None, missing: str = NONE, *, interval: bool = False) -> TableCell:
    if worth is None:
        return TableCell(missing)
    text = f"{format_multiplier(worth)} {_write_range(worth) if interval else ''}".rstrip()
    return TableCell(text, worth.value)


def _write_range(worth: Multiplier) -> str:
    if worth.low is None or worth.high is None:
        return ""
    return f"({worth.low:.2g}–{'∞' if math.isinf(worth.high) else f'{worth.high:.2g}'})"


def _draw_square(estimate: Estimate, pair: str, sign: str, *, clear: bool) -> Square:
    below = format_interval(estimate, 3, signed=True)[len(f"{estimate.mean:+.3f}") :].strip()
    tooltip = f"{pair}: {format_estimate(estimate, 3, signed=True)}{'' if clear else ', not clear'}"
    return Square(estimate.mean, f"{sign}{estimate.mean:+.3f}".replace("-", MINUS), below, clear=clear, told=tooltip)


def _show_all_sizes(matrix: TransferMatrix, unit: SizeUnit) -> list[Part]:
    """Show each pair over all sizes, and say who helps more than it is helped."""
    sizes = [size for size in matrix.sizes if size]
    if len(sizes) < 2:
        return []
    rows = [
        {
            "pair": f"{gain.source} → {gain.target}",
            **{f"n = {size}": _show_multiple(matrix.cell(gain.source, gain.target, size).multiplier) for size in sizes},
            "gain over all sizes": _show_gain(gain),
        }
        for gain in matrix.overall
    ]
    parts: list[Part] = [
        make_table(rows, caption=f"What a transfer is worth, as a multiple of the n target {unit.many}")
    ]
    parts += [
        Paragraph(_describe_asymmetry(matrix, asymmetry, unit))
        for asymmetry in matrix.asymmetries
        if asymmetry.after_holm and asymmetry.size == sizes[-1]
    ]
    return parts


def _describe_asymmetry(matrix: TransferMatrix, asymmetry: Asymmetry, unit: SizeUnit) -> str:
    """Say which of two domains helps the other more, or hurts it less."""
    ahead, behind = asymmetry.one, asymmetry.other
    if asymmetry.difference.mean < 0:
        ahead, behind = behind, ahead
    gains = (matrix.cell(*pair, asymmetry.size).gain for pair in ((ahead, behind), (behind, ahead)))
    better, worse = (gain.mean if gain else 0.0 for gain in gains)
    words = f"{ahead} helps {behind} more than {behind} helps {ahead}"
    if better <= 0:
        words = f"{behind} hurts {ahead} more than {ahead} hurts {behind}"
    elif worse < 0:
        words = f"{ahead} helps {behind}, while {behind} hurts {ahead}"
    gap = format_estimate(asymmetry.difference._replace(mean=abs(asymmetry.difference.mean)), 3)
    return f"With {unit.write_of_target(asymmetry.size)} {words}: the gains differ by {gap}."


def _draw_forgetting(
    name: str, matrix: TransferMatrix, size: int, metric: str, unit: SizeUnit, *, folded: bool
) -> Figure:
    lost = {(cell.source, cell.target): cell.forgetting for cell in _list_cells(matrix, size) if cell.forgetting}
    squares = {
        pair: _draw_square(estimate, f"{pair[0]}, after {pair[1]}", "", clear=is_clear(estimate))
        for pair, estimate in lost.items()
    }
    texts = {pair: show_estimate(estimate, 3, signed=True) for pair, estimate in lost.items()}
    note = LOST.replace("UNIT", name_unit(metric))
    note = note if metric == NLL.name else note.replace("raises the loss", f"makes {metric} worse")
    title = f"Forgetting, after {unit.write_of_target(size)}"
    words = replace(
        _lay_out(f"{name}-forgetting-{size}", title, matrix, squares),
        better=f"{MINUS} better on the source",
        worse="+ forgotten",
        unclear="within its interval",
        good=False,
    )
    return _draw_map(words, texts, "Hatched: within its interval.", note, folded=folded)


def _lay_out(name: str, title: str, matrix: TransferMatrix, squares: Mapping[tuple[str, str], Square]) -> Heat:
    description = "; ".join(square.told for square in squares.values())
    return Heat(name, title, description, matrix.sources, matrix.targets, squares)


def _draw_map(words: Heat, texts: Pairs, legend: str, note: str, *, folded: bool = False) -> Figure:
    rows = [
        {words.up: source, **{f"→ {target}": texts.get((source, target), TableCell(NONE)) for target in words.columns}}
        for source in words.rows
    ]
    return Figure(HeatMap(words), make_table(rows, folded=folded), legend, note)
