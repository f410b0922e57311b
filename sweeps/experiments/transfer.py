"""Transfer: does training on A help B? Gains for each pair and size, their worth in data, and what was forgotten."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sweeps.analysis.data_multiplier import Multiplier
from sweeps.analysis.item_analysis import ItemsBy
from sweeps.analysis.targets import Spec, format_multiplier, split_variants
from sweeps.analysis.transfer_gains import AXES, Overall, TransferCell, TransferMatrix, transfer_matrix
from sweeps.errors import SweepsError
from sweeps.experiments.kind import Experiment, Fact
from sweeps.figures.charts import HeatMap
from sweeps.figures.heat import Heat, Square
from sweeps.formatting import format_count, format_interval
from sweeps.planning.cells import Variant
from sweeps.planning.runs import DatasetRun, plan_sizes
from sweeps.planning.stage_builder import StageBuilder
from sweeps.records import Dataset
from sweeps.report.document import Answer, Figure, Paragraph, Part, Section, make_table
from sweeps.report.plain_values import simplify
from sweeps.report.shared_parts import count_more_pairs, warn_of_missing
from sweeps.report.table_cells import MINUS, TableCell, format_estimate, show_estimate
from sweeps.results import RunResult, group_by_cell
from sweeps.spec.model import SweepFields
from sweeps.spec.scalars import Finding, suggest
from sweeps.spec.variation_rules import list_sizes
from sweeps.stage import Json
from sweeps.stats.intervals import Estimate, is_clear

SHARED = (
    "Each source was trained once for all seeds: the intervals hold for these trained sources, not for training a "
    "source again."
)
FEW = 3  # pairs that the answer names
ALONE = "training on the target alone"
GAINS = (
    f"The number is the gain in nats per token over {ALONE}. ± is half of its 95 % interval. ▲: the source helps, ▼: "
    "it hurts, and the interval does not contain 0. *: also when all pairs of this size are judged together (Holm). "
    "The pairs of a size share one estimate of the noise, so their intervals are about equally wide."
)
WORTH = (
    "How many times its own target examples a transfer is worth: training on the target alone would need that many "
    "times as many for the same loss. In brackets, what the 95 % interval of the gain says. > and <: beyond what the "
    "sizes of the target alone can show."
)
HATCHED = "Hatched: not clear when all pairs of this size are judged together (Holm)."
BEYOND = {"": 0.0, ">": 1e-3, "<": -1e-3}  # the sign of what is more, or less, than ×1
LOST = (
    "How much training on the target raises the loss on the source's own holdout, in nats per token, ± half the width "
    "of its 95 % interval."
)
NONE = "·"
Pairs = Mapping[tuple[str, str], TableCell]


def check_pairs(sweep: SweepFields) -> Iterator[Finding]:
    """Check that sources and targets name data sets, and that they make at least one pair."""
    names = list(sweep.data)
    for key in ("sources", "targets"):
        given = getattr(sweep, key) or ()
        for index, name in enumerate(given):
            if name not in sweep.data:
                yield (key, index), f"got {name!r}; {suggest(name, names)}"
            elif name in given[:index]:
                yield (key, index), f"expected each name once, got {name!r} twice"
    sources, targets = sweep.sources or names, sweep.targets or names
    if not any(source != target for source in sources for target in targets):
        got = f"sources {', '.join(sources)} and targets {', '.join(targets)}"
        yield ("data",), f"expected a source and a target that are different data sets, got {got}"


def plan_transfer(builder: StageBuilder, variant: Variant) -> Iterator[DatasetRun]:
    """Plan targets alone, sources alone (size 0), and every pair at every size."""
    sweep, data = builder.sweep, builder.data
    for name in sweep.target_names:
        target = data.dataset(name, variant.data[name])
        yield from plan_sizes(builder, variant, {"source": None, "target": name}, target)
        for other in sweep.source_names:
            if other != name:
                source = data.dataset(other, variant.data[other])
                yield from _plan_pair(builder, variant, source, target)


def _plan_pair(builder: StageBuilder, variant: Variant, source: Dataset, target: Dataset) -> Iterator[DatasetRun]:
    """Plan a pair: a source is trained once per seed; with `share_sources: sweep` once, and so measured alone once."""
    seeds = builder.sweep.seed_values
    shared = builder.sweep.share_sources == "sweep"
    for size in (0, *builder.sweep.size_values):
        cell = {"source": source.name, "target": target.name, "size": size, **variant.cell}
        for seed in seeds[:1] if shared and not size else seeds:
            first = seeds[0] if shared else seed
            yield DatasetRun(builder, variant, cell, seed, target, size, source, first)


def list_values(sweep: SweepFields) -> Mapping[str, Any]:
    """List what the cells hold besides what is varied."""
    return {"source": (None, *sweep.source_names), "target": sweep.target_names, "size": list_sizes(sweep)}


def count_axes(sweep: SweepFields) -> Mapping[str, int]:
    """Count the pairs, and the targets alone."""
    pairs = sum(source != target for source in sweep.source_names for target in sweep.target_names)
    return {"pairs and targets": pairs + len(sweep.target_names)}


def list_defaults(sweep: SweepFields) -> list[tuple[str, Json]]:
    """List what follows from the rest of the file where it is left out."""
    taken: dict[str, Json] = {}
    if sweep.sources is None:
        taken["sources"] = list(sweep.source_names)
    if sweep.targets is None:
        taken["targets"] = list(sweep.target_names)
    if sweep.source_size is None and "source_size" not in sweep.vary:
        taken["source_size"] = "all there is"
    return list(taken.items())


def list_matrices(_spec: Spec, rows: Sequence[RunResult], _items: ItemsBy) -> list[Fact]:
    """List the matrix of each variant."""
    return [
        {"variant": dict(on), **simplify(transfer_matrix(group))} for on, group in group_by_cell(rows, without=AXES)
    ]


def answer_transfer(spec: Spec, rows: Sequence[RunResult], items: ItemsBy) -> Answer:
    """Say which source helps which target, with a matrix for each variant and size."""
    del spec, items
    sentences, sections = list[str](), list[Section]()
    for place, (variant, group) in enumerate(split_variants(rows, AXES)):
        where = f" ({variant})" if variant else ""
        try:
            matrix = transfer_matrix(group)
        except SweepsError as error:
            sentences.append(f"No matrix{where}: {error}.")
            continue
        sentences += [summarise_size(matrix, size, where) for size in sorted(matrix.sizes, reverse=True) if size]
        sections.append(Section(f"Who helps whom?{where}", tuple(_show_matrix(f"transfer-{place}", matrix))))
    return Answer(tuple(sentences), tuple(sections))


def summarise_size(matrix: TransferMatrix, size: int, where: str) -> str:
    """Say in one sentence what is clear at one size."""
    cells = [cell for cell in matrix.cells if cell.size == size]
    clear = sorted((cell for cell in cells if cell.after_holm and cell.gain), key=_measure_strength, reverse=True)
    missing = sum(cell.gain is None for cell in cells)
    lacking = f"; without a result: {missing} of {len(cells)} pairs" if missing else ""
    known = [cell.gain for cell in cells if cell.gain]
    if not known:
        return f"With {size:,} target examples{where} no pair has a result."
    if all(gain.half_width is None for gain in known):
        return f"With {size:,} target examples{where} each pair has one seed, so no difference can be judged{lacking}."
    if not clear:
        return f"With {size:,} target examples{where} no source clearly helps or hurts{lacking}."
    named = ", ".join(
        f"{cell.source} → {cell.target} {cell.verdict} ({format_estimate(cell.gain, 3, signed=True)})"
        for cell in clear[:FEW]
        if cell.gain
    )
    more = count_more_pairs([cell.verdict for cell in clear[FEW:]])
    others = len(cells) - len(clear) - missing
    rest = f"; not clear: {others} of {format_count(len(cells), 'pair')}" if others else ""
    return f"With {size:,} target examples{where}: {named}{more}{rest}{lacking} (nats per token, 95 % intervals)."


def _measure_strength(cell: TransferCell) -> float:
    return abs(cell.gain.mean) if cell.gain else 0.0


def _show_matrix(name: str, matrix: TransferMatrix) -> list[Part]:
    """Show the gains at every size, what they are worth, the pairs over all sizes, and what was forgotten."""
    parts: list[Part] = [*warn_of_missing(matrix.runs), *([Paragraph(SHARED, warning=True)] if matrix.shared else [])]
    several = len(matrix.sizes) - (0 in matrix.sizes) > 1  # one size alone bounds every multiple by ×1
    for size in sorted(matrix.sizes, reverse=True):
        parts.append(_draw_gains(name, matrix, size))
        if size and several:
            parts.append(_draw_worth(name, matrix, size))
    parts += _show_all_sizes(matrix)
    lost = [size for size in matrix.sizes if any(cell.forgetting for cell in _list_cells(matrix, size))]
    return parts + [_draw_forgetting(name, matrix, size, folded=size != max(lost)) for size in lost]


def _list_cells(matrix: TransferMatrix, size: int) -> list[TransferCell]:
    return [cell for cell in matrix.cells if cell.size == size]


def _draw_gains(name: str, matrix: TransferMatrix, size: int) -> Figure:
    title = f"{size:,} target examples" if size else "No target examples: the source alone, against the untrained model"
    squares = {(cell.source, cell.target): _draw_gain(cell) for cell in _list_cells(matrix, size)}
    texts = {(cell.source, cell.target): _show_gain(cell) for cell in _list_cells(matrix, size)}
    note = GAINS if size else GAINS.replace(ALONE, "the untrained model")
    return _draw_map(_lay_out(f"{name}-gain-{size}", title, matrix, squares), texts, HATCHED, note)


def _show_gain(cell: TransferCell | Overall) -> TableCell:
    mark = {"helps": " ▲", "hurts": " ▼"}.get(cell.verdict, "")
    return show_estimate(cell.gain, 3, signed=True, missing="missing", mark=f"{mark}{'*' if cell.after_holm else ''}")


def _draw_gain(cell: TransferCell) -> Square:
    pair = f"{cell.source} → {cell.target}"
    if cell.gain is None:
        return Square(None, "missing", told=f"{pair}: a run is missing")
    sign = {"helps": "▲", "hurts": "▼"}.get(cell.verdict, "") if cell.after_holm else ""
    return _draw_square(cell.gain, pair, sign, clear=cell.after_holm)


def _draw_worth(name: str, matrix: TransferMatrix, size: int) -> Figure:
    title = f"What it is worth, at {size:,} target examples"
    cells = _list_cells(matrix, size)
    squares = {(cell.source, cell.target): _draw_multiple(cell) for cell in cells}
    texts = {(cell.source, cell.target): _show_multiple(cell.multiplier, "missing", interval=True) for cell in cells}
    words = replace(
        _lay_out(f"{name}-worth-{size}", title, matrix, squares),
        better="× above 1: worth more",
        worse="× below 1: worth less",
    )
    return _draw_map(words, texts, f"Colours by the logarithm. {HATCHED}", WORTH, folded=True)


def _draw_multiple(cell: TransferCell) -> Square:
    pair, worth = f"{cell.source} → {cell.target}", cell.multiplier
    if worth is None:
        return Square(None, "missing", told=f"{pair}: a run is missing")
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


def _draw_square(found: Estimate, pair: str, sign: str, *, clear: bool) -> Square:
    below = format_interval(found, 3, signed=True)[len(f"{found.mean:+.3f}") :].strip()
    told = f"{pair}: {format_estimate(found, 3, signed=True)}{'' if clear else ', not clear'}"
    return Square(found.mean, f"{sign}{found.mean:+.3f}".replace("-", MINUS), below, clear=clear, told=told)


def _show_all_sizes(matrix: TransferMatrix) -> list[Part]:
    """Show each pair over all sizes, and say who helps more than it is helped."""
    sizes = [size for size in matrix.sizes if size]
    if len(sizes) < 2:
        return []
    rows = [
        {
            "pair": f"{each.source} → {each.target}",
            **{f"n = {size}": _show_multiple(matrix.cell(each.source, each.target, size).multiplier) for size in sizes},
            "gain over all sizes": _show_gain(each),
        }
        for each in matrix.overall
    ]
    parts: list[Part] = [make_table(rows, caption="What a transfer is worth, as a multiple of the n target examples")]
    for each in matrix.asymmetries:
        if each.after_holm and each.size == sizes[-1]:
            ahead, behind = (each.one, each.other) if each.difference.mean > 0 else (each.other, each.one)
            gap = format_estimate(each.difference._replace(mean=abs(each.difference.mean)), 3, signed=True)
            words = (
                f"With {each.size:,} target examples {ahead} helps {behind} more than {behind} helps {ahead}: {gap}."
            )
            parts.append(Paragraph(words))
    return parts


def _draw_forgetting(name: str, matrix: TransferMatrix, size: int, *, folded: bool) -> Figure:
    lost = {(cell.source, cell.target): cell.forgetting for cell in _list_cells(matrix, size) if cell.forgetting}
    squares = {
        pair: _draw_square(each, f"{pair[0]}, after {pair[1]}", "", clear=is_clear(each)) for pair, each in lost.items()
    }
    texts = {pair: show_estimate(each, 3, signed=True) for pair, each in lost.items()}
    title = f"Forgetting, after {size:,} target examples"
    words = replace(
        _lay_out(f"{name}-forgetting-{size}", title, matrix, squares),
        better=f"{MINUS} better on the source",
        worse="+ forgotten",
        unclear="within its interval",
        good=False,
    )
    return _draw_map(words, texts, "Hatched: within its interval.", LOST, folded=folded)


def _lay_out(name: str, title: str, matrix: TransferMatrix, squares: Mapping[tuple[str, str], Square]) -> Heat:
    description = "; ".join(square.told for square in squares.values())
    return Heat(name, title, description, matrix.sources, matrix.targets, squares)


def _draw_map(words: Heat, texts: Pairs, legend: str, note: str, *, folded: bool = False) -> Figure:
    rows = [
        {words.up: source, **{f"→ {target}": texts.get((source, target), TableCell(NONE)) for target in words.columns}}
        for source in words.rows
    ]
    return Figure(HeatMap(words), make_table(rows, folded=folded), legend, note)


EXPERIMENT = Experiment(
    name="transfer",
    title="transfer",
    question="Does training on one thing help another?",
    needs=("train", "sizes"),
    takes=("train", "sizes", "sources", "targets", "source_size", "share_sources"),
    plan_runs=plan_transfer,
    answer=answer_transfer,
    facts_key="transfer",
    list_facts=list_matrices,
    list_cell_values=list_values,
    count_axes=count_axes,
    rules=((("experiment", "data", "sources", "targets"), check_pairs),),
    list_defaults=list_defaults,
)
