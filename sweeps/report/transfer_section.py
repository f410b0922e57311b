"""Does A help B: a heat-map for each size, and what it cost the source."""

import math
from collections.abc import Sequence
from dataclasses import replace

from sweeps.analysis.data_multiplier import Multiplier
from sweeps.analysis.targets import MINUS, Spec, format_estimate, format_multiplier, split_variants
from sweeps.analysis.transfer import AXES, TransferCell, TransferMatrix, transfer_matrix
from sweeps.errors import SweepsError
from sweeps.figures.heat import Heat, Square, draw_heat
from sweeps.formatting import format_count, format_interval
from sweeps.report.comparison_section import lacking
from sweeps.report.document import Conclusion, Figure, Paragraph, Part, Section, Table, both, table
from sweeps.results import RunResult
from sweeps.stats.intervals import Estimate, is_clear

SHARED = "Each source was trained once for all seeds: intervals are of these trained sources, not of training on them."
FEW = 3  # pairs that are named in the answer
ALONE = "training on the target alone"
NOTE = (
    f"Gain in nats per token over {ALONE}, ± half of its 95 % interval. Hatched: not clear when "
    "all pairs of the panel are judged together (Holm)."
)
WORTH = (
    "How many times its target examples a transfer is worth: the target alone would need so many times as many for the "
    "same loss. In brackets what the gain's 95 % interval says. > and <: more, or less, than the sizes of the target "
    "alone can show. Colours by the logarithm; hatched as in the map of gains."
)
BEYOND = {"": 0.0, ">": 1e-3, "<": -1e-3}  # the sign of what is more, or less, than ×1
LOST = "Rise of the source's own loss by training on the target, ± half of its 95 % interval. Hatched: within it."


def transfer(spec: Spec, rows: Sequence[RunResult]) -> Conclusion:
    """A matrix for each variant."""
    del spec
    sentences, sections = list[str](), list[Section]()
    for place, (variant, group) in enumerate(split_variants(rows, AXES)):
        where = f" ({variant})" if variant else ""
        try:
            matrix = transfer_matrix(group)
        except SweepsError as error:
            sentences.append(f"No matrix{where}: {error}.")
            continue
        sentences += [said(matrix, size, where) for size in sorted(matrix.sizes, reverse=True) if size]
        sections.append(Section(f"Who helps whom?{where}", tuple(_parts(f"transfer-{place}", matrix))))
    return Conclusion(tuple(sentences), tuple(sections))


def said(matrix: TransferMatrix, size: int, where: str) -> str:
    """What is clear at one size, in a sentence."""
    cells = [cell for cell in matrix.cells if cell.size == size]
    found = sorted((cell for cell in cells if cell.after_holm and cell.gain), key=_strength, reverse=True)
    missing = sum(cell.gain is None for cell in cells)
    lacking = f"; without a result: {missing} of {len(cells)} pairs" if missing else ""
    known = [cell.gain for cell in cells if cell.gain]
    if not known:
        return f"With {size:,} target examples{where} no pair has a result."
    if all(gain.half_width is None for gain in known):
        return (
            f"With {size:,} target examples{where} there is one seed for each pair, which tells nothing apart{lacking}."
        )
    if not found:
        return f"With {size:,} target examples{where} no source clearly helps or hurts{lacking}."
    told = ", ".join(
        f"{c.source} → {c.target} {c.verdict} ({format_estimate(c.gain, 3, signed=True)})"
        for c in found[:FEW]
        if c.gain
    )
    more = f", and {format_count(len(found) - FEW, 'more clear pair')}" if len(found) > FEW else ""
    others = len(cells) - len(found) - missing
    rest = f"; not clear: {others} of {len(cells)} pairs" if others else ""
    return f"With {size:,} target examples{where}: {told}{more}{rest}{lacking} (nats per token, 95 % intervals)."


def _strength(cell: TransferCell) -> float:
    return abs(cell.gain.mean) if cell.gain else 0.0


def _parts(name: str, matrix: TransferMatrix) -> list[Part]:
    panels: list[Part] = [*lacking(matrix.runs), *([Paragraph(SHARED, warning=True)] if matrix.shared else [])]
    for size in sorted(matrix.sizes, reverse=True):
        panels.append(_gains(name, matrix, size))
        if size and len(matrix.sizes) - (0 in matrix.sizes) > 1:  # one size alone bounds everything by ×1
            panels.append(_worth(name, matrix, size))
    forgotten = [_forgetting(name, matrix, size) for size in matrix.sizes if _any_forgetting(matrix, size)]
    return panels + forgotten


def _gains(name: str, matrix: TransferMatrix, size: int) -> Figure:
    title = f"{size:,} target examples" if size else "No target examples: the source alone, against the base"
    cells = [cell for cell in matrix.cells if cell.size == size]
    squares = {(cell.source, cell.target): _gain(cell) for cell in cells}
    note = NOTE if size else NOTE.replace(ALONE, "the untrained model")
    return _figure(Heat(f"{name}-gain-{size}", title, _told(squares), matrix.sources, matrix.targets, squares), note)


def _gain(cell: TransferCell) -> Square:
    pair = f"{cell.source} → {cell.target}"
    if cell.gain is None:
        return Square(None, "missing", told=f"{pair}: a run is missing")
    sign = {"helps": "▲", "hurts": "▼"}.get(cell.verdict, "") if cell.after_holm else ""
    return _square(cell.gain, pair, sign, clear=cell.after_holm)


def _worth(name: str, matrix: TransferMatrix, size: int) -> Figure:
    title = f"What it is worth, at {size:,} target examples"
    cells = [cell for cell in matrix.cells if cell.size == size]
    squares = {(cell.source, cell.target): _times(cell) for cell in cells}
    map_ = Heat(f"{name}-worth-{size}", title, _told(squares), matrix.sources, matrix.targets, squares)
    return _figure(replace(map_, better="× above 1: worth more", worse="× below 1: worth less"), WORTH)


def _times(cell: TransferCell) -> Square:
    pair, worth = f"{cell.source} → {cell.target}", cell.multiplier
    if worth is None:
        return Square(None, "missing", told=f"{pair}: a run is missing")
    said, below = format_multiplier(worth), _range(worth)
    unclear = "" if cell.after_holm else ", not clear"
    value = math.log2(worth.value) or BEYOND[worth.censored]
    return Square(value, said, below, cell.after_holm, f"{pair}: {said} {below}".rstrip() + unclear)


def _range(worth: Multiplier) -> str:
    if worth.low is None or worth.high is None:
        return ""
    return f"({worth.low:.2g}–{'∞' if math.isinf(worth.high) else f'{worth.high:.2g}'})"


def _square(found: Estimate, pair: str, sign: str, *, clear: bool) -> Square:
    below = format_interval(found, 3, signed=True)[len(f"{found.mean:+.3f}") :].strip()
    told = f"{pair}: {format_estimate(found, 3, signed=True)}{'' if clear else ', not clear'}"
    return Square(found.mean, f"{sign}{found.mean:+.3f}".replace("-", MINUS), below, clear=clear, told=told)


def _any_forgetting(matrix: TransferMatrix, size: int) -> bool:
    return any(cell.forgetting for cell in matrix.cells if cell.size == size)


def _forgetting(name: str, matrix: TransferMatrix, size: int) -> Figure:
    title = f"Forgetting, after {size:,} target examples"
    squares = {}
    for cell in matrix.cells:
        if cell.size == size and cell.forgetting:
            lost = cell.forgetting
            squares[cell.source, cell.target] = _square(
                lost, f"{cell.source}, after {cell.target}", "", clear=is_clear(lost)
            )
    words = {"better": "− better on the source", "worse": "+ forgotten", "unclear": "within its interval"}
    return _figure(
        Heat(
            f"{name}-forgetting-{size}",
            title,
            _told(squares),
            matrix.sources,
            matrix.targets,
            squares,
            good=False,
            **words,
        ),
        LOST,
    )


def _figure(map_: Heat, note: str) -> Figure:
    drawn = both(lambda width, suffix: draw_heat(map_, width, suffix))
    return Figure(map_.name, map_.title, **drawn, table=_table(map_), note=note)


def _table(map_: Heat) -> Table:
    rows = []
    for source in map_.rows:
        row = {map_.up: source}
        for target in map_.columns:
            square = map_.squares.get((source, target))
            row[f"→ {target}"] = (
                "·"
                if square is None
                else " ".join([square.said, square.below, "" if square.clear else "(unclear)"]).strip()
            )
        rows.append(row)
    return table(rows)


def _told(squares: dict[tuple[str, str], Square]) -> str:
    return "; ".join(square.told for square in squares.values())
