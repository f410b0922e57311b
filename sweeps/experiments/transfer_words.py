"""Words for the pairs of a transfer: how many help or hurt, and what one gains at each size."""

from collections import Counter
from collections.abc import Sequence

from sweeps.analysis.transfer.transfer_gains import TransferCell, TransferMatrix
from sweeps.analysis.transfer.transfer_pairs import Overall
from sweeps.formatting import format_count
from sweeps.report.table_cells import format_estimate
from sweeps.spec.size_units import SizeUnit
from sweeps.stats.intervals import turn_estimate

Pair = Overall | TransferCell


def count_verdicts(pairs: Sequence[Pair]) -> str:
    """Count what is clear when all pairs are judged together: "1 of 7 pairs helps, 3 hurt, 3 are not clear"."""
    counts: Counter[str] = Counter(pair.verdict if pair.after_holm else "unclear" for pair in pairs)
    words = [
        f"{counts[verdict]:,}{among} {singular if counts[verdict] == 1 else plural}"
        for verdict, among, singular, plural in (
            ("helps", f" of {format_count(len(pairs), 'pair')}", "helps", "help"),
            ("hurts", "", "hurts", "hurt"),
            ("unclear", "", "is not clear", "are not clear"),
        )
        if counts[verdict] or among
    ]
    return ", ".join(words)


def describe_sizes(pair: Overall, matrix: TransferMatrix, metric: str, unit: SizeUnit) -> str:
    """Say what a pair gains at each size, whose gains differ: those that are clear first."""
    cells = [matrix.cell(pair.source, pair.target, size) for size in pair.sizes]
    sides = [
        ("better", [cell for cell in cells if cell.after_holm and cell.verdict == "helps"]),
        ("worse", [cell for cell in cells if cell.after_holm and cell.verdict == "hurts"]),
    ]
    words = [f"{side} by {_list_gains(gains, unit, turn=side == 'worse')}" for side, gains in sides if gains]
    unclear = [cell for cell in cells if not cell.after_holm]
    rest = f"no clear gain {_list_unclear(unclear, unit)}" if unclear else ""
    clear_words = f"against {pair.target} alone, its {metric} is {' and '.join(words)}" if words else ""
    return f"{_say_where(cells, unit)}: {'; '.join(filter(None, (clear_words, rest)))}"


def compare_sources(matrix: TransferMatrix, where: str, unit: SizeUnit) -> list[str]:
    """Say of each target that two sources clearly help by how much the one helps more, at each size."""
    sentences = []
    differences = [gap for gap in matrix.source_differences if gap.size]
    for source, other, target in dict.fromkeys(gap[:3] for gap in differences):
        gaps = ", ".join(
            f"{format_estimate(gap.difference, 3, signed=True)} with {unit.write_of_target(gap.size)}"
            f"{'' if gap.after_holm else ' (not clear)'}"
            for gap in differences
            if gap[:3] == (source, other, target)
        )
        sentences.append(
            f"{source} and {other} both help {target}{where}. What {source} gives beyond {other}: {gaps} "
            "(95 % intervals for other seeds)."
        )
    return sentences


def _say_where(cells: Sequence[TransferCell], unit: SizeUnit) -> str:
    """Say at which sizes a pair helps or hurts: at small ones, at some, or at all."""
    clear = [cell for cell in cells if cell.after_holm]
    verdicts = {cell.verdict for cell in clear}
    if not clear:
        return "differs between the sizes, and is clear at none"
    if len(verdicts) > 1:
        return "helps at some sizes and hurts at others"
    (verdict,) = verdicts
    if len(clear) == len(cells):
        return f"{verdict}, by an amount that depends on the size"
    few = clear == cells[: len(clear)]
    return f"{verdict} {f'with few target {unit.many}' if few else 'at some sizes'}"


def _list_gains(cells: Sequence[TransferCell], unit: SizeUnit, *, turn: bool) -> str:
    gains = [(cell.size, turn_estimate(cell.gain) if turn else cell.gain) for cell in cells if cell.gain]
    return ", ".join(
        f"{format_estimate(gain, 3)} with {f'{size:,}' if place else unit.write_of_target(size)}"
        for place, (size, gain) in enumerate(gains)
    )


def _list_unclear(cells: Sequence[TransferCell], unit: SizeUnit) -> str:
    return ", ".join(
        f"with {unit.write_of_target(cell.size)} ({format_estimate(cell.gain, 3, signed=True)})"
        for cell in cells
        if cell.gain
    )
