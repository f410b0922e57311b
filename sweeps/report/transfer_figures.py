"""Draw the matrix of a transfer: gains, what they are worth in data, and what was forgotten, by one metric."""

import math
from collections.abc import Mapping
from dataclasses import replace

from sweeps.analysis.targets import format_multiplier
from sweeps.analysis.transfer.data_multiplier import Multiplier
from sweeps.analysis.transfer.transfer_gains import TransferCell, TransferMatrix
from sweeps.analysis.transfer.transfer_pairs import Asymmetry, Overall
from sweeps.evaluation.nll import NLL
from sweeps.evaluation.registry import find_metric
from sweeps.figures.charts import HeatMap
from sweeps.figures.heat import Heat, Square
from sweeps.formatting import format_interval
from sweeps.report.document import Figure, Paragraph, Part, make_table
from sweeps.report.shared_parts import mark_told, warn_of_missing
from sweeps.report.table_cells import MINUS, TableCell, format_estimate, show_estimate
from sweeps.spec.size_units import EXAMPLES, SizeUnit
from sweeps.stats.intervals import Estimate

SHARED = (
    "Each source was trained once for all seeds: the intervals hold for these trained sources, not for training a "
    "source again."
)
ALONE = "training on the target alone"
GAINS = (
    f"The number is the gain in UNIT over {ALONE}. ± is half of its 95 % interval. ▲: the source helps, ▼: "
    "it hurts, and the interval does not contain 0. *: this is still so when all pairs of this size are judged "
    "together (Holm). "
    "The sources of one target share an estimate of its noise. The intervals hold for other seeds, on these held-out "
    "items; where all seeds agree, for other items."
)
WORTH = (
    "How many times its own target SIZES a transfer is worth: training on the target alone would need that many "
    "times as many for the same loss. In brackets, what the 95 % interval of the gain says. > and <: beyond what the "
    "sizes of the target alone can show. Not clear: the gain is not clear when all pairs of this size are judged "
    "together (Holm), or ×1 is within the brackets."
)
HATCHED = "Hatched: not clear when all pairs of this size are judged together (Holm)."
BEYOND = {"": 0.0, ">": 1e-3, "<": -1e-3}  # the sign of what is more, or less, than ×1
LOST = (
    "How much training on the target raises the loss on the source's own holdout, in UNIT, ± half the width "
    "of its 95 % interval. ▼: something was forgotten, ▲: the source itself got better, and the interval does not "
    "contain 0. *: this is still so when all pairs of this size are judged together (Holm). The targets of one source "
    "share an estimate of its noise."
)
NONE = "·"
MARKS = {"helps": "▲", "hurts": "▼", "better": "▲", "forgotten": "▼"}
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
    parts += _show_all_sizes(matrix, metric, unit)
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
    mark = f" {MARKS.get(cell.verdict, '')}".rstrip() + ("*" if cell.after_holm else "")
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
    sign = MARKS.get(cell.verdict, "") if cell.after_holm else ""
    return _draw_square(cell.gain, pair, sign, clear=cell.after_holm)


def _draw_worth(name: str, matrix: TransferMatrix, size: int, metric: str, unit: SizeUnit) -> Figure:
    title = f"What it is worth, at {unit.write_of_target(size)}"
    cells = _list_cells(matrix, size)
    squares = {(cell.source, cell.target): _draw_multiple(cell) for cell in cells}
    texts = {(cell.source, cell.target): _show_multiple(cell) for cell in cells}
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
    text, below = _write_worth(cell, worth), _write_range(worth)
    value = math.log2(worth.value) or BEYOND[worth.censored]
    return Square(value, text, below, _is_worth_clear(cell, worth), f"{pair}: {text} {below}".rstrip())


def _show_multiple(cell: TransferCell) -> TableCell:
    worth = cell.multiplier
    if worth is None:
        return TableCell(_say_why(cell) if cell.gain is None else NONE)
    text = f"{_write_worth(cell, worth)} {_write_range(worth)}".rstrip()
    return TableCell(text, worth.value if _is_worth_clear(cell, worth) else None)


def _write_worth(cell: TransferCell, worth: Multiplier) -> str:
    """Write the multiple of a gain that is clear, unless the curve that it is read off leaves it open."""
    return format_multiplier(worth) if _is_worth_clear(cell, worth) else "not clear"


def _is_worth_clear(cell: TransferCell, worth: Multiplier) -> bool:
    return cell.after_holm and not (worth.low is not None and worth.high is not None and worth.low < 1 < worth.high)


def _write_range(worth: Multiplier) -> str:
    if worth.low is None or worth.high is None:
        return ""
    return f"({worth.low:.2g}–{'∞' if math.isinf(worth.high) else f'{worth.high:.2g}'})"


def _draw_square(estimate: Estimate, pair: str, sign: str, *, clear: bool) -> Square:
    below = format_interval(estimate, 3, signed=True)[len(f"{estimate.mean:+.3f}") :].strip()
    tooltip = f"{pair}: {format_estimate(estimate, 3, signed=True)}{'' if clear else ', not clear'}"
    return Square(estimate.mean, f"{sign}{estimate.mean:+.3f}".replace("-", MINUS), below, clear=clear, told=tooltip)


def _show_all_sizes(matrix: TransferMatrix, metric: str, unit: SizeUnit) -> list[Part]:
    """Show each pair over all sizes, and say who helps more than it is helped."""
    sizes = [size for size in matrix.sizes if size]
    if len(sizes) < 2:
        return []
    rows = [
        {
            "pair": f"{gain.source} → {gain.target}",
            **{f"n = {size}": _show_multiple(matrix.cell(gain.source, gain.target, size)) for size in sizes},
        }
        for gain in matrix.overall
    ]
    means = [
        {
            "pair": f"{gain.source} → {gain.target}",
            "mean gain": _show_gain(gain),
            "differs between sizes": gain.sizes_differ,
        }
        for gain in matrix.overall
    ]
    worth = f"What a transfer is worth, as a multiple of the n target {unit.many} (95 % intervals)"
    means_of = f"The mean of the gains over all sizes, in {name_unit(metric)}, ± half of its 95 % interval"
    parts: list[Part] = [
        make_table(rows, caption=worth),
        make_table(means, caption=means_of),
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
    cells = [cell for cell in _list_cells(matrix, size) if cell.forgetting]
    squares = {(cell.source, cell.target): _draw_loss(cell) for cell in cells}
    texts = {(cell.source, cell.target): _show_loss(cell) for cell in cells}
    note = LOST.replace("UNIT", name_unit(metric))
    note = note if metric == NLL.name else note.replace("raises the loss", f"makes {metric} worse")
    title = f"Forgetting, after {unit.write_of_target(size)}"
    words = replace(
        _lay_out(f"{name}-forgetting-{size}", title, matrix, squares),
        better=f"{MINUS} better on the source",
        worse="+ forgotten",
        good=False,
    )
    return _draw_map(words, texts, HATCHED, note, folded=folded)


def _draw_loss(cell: TransferCell) -> Square:
    assert cell.forgetting, "only pairs that were measured on the source are drawn"
    sign = MARKS.get(cell.source_verdict, "") if cell.source_after_holm else ""
    return _draw_square(cell.forgetting, f"{cell.source}, after {cell.target}", sign, clear=cell.source_after_holm)


def _show_loss(cell: TransferCell) -> TableCell:
    mark = f" {MARKS.get(cell.source_verdict, '')}".rstrip() + ("*" if cell.source_after_holm else "")
    return show_estimate(cell.forgetting, 3, signed=True, mark=mark)


def _lay_out(name: str, title: str, matrix: TransferMatrix, squares: Mapping[tuple[str, str], Square]) -> Heat:
    description = "; ".join(square.told for square in squares.values())
    return Heat(name, title, description, matrix.sources, matrix.targets, squares)


def _draw_map(words: Heat, texts: Pairs, legend: str, note: str, *, folded: bool = False) -> Figure:
    rows = [
        {words.up: source, **{f"→ {target}": texts.get((source, target), TableCell(NONE)) for target in words.columns}}
        for source in words.rows
    ]
    return Figure(HeatMap(words), make_table(rows, folded=folded), legend, note)
