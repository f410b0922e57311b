"""Write the tables of `docs/evidence/real-curves.md` from the recorded tallies: before and after, and of new curves."""

import math
from collections.abc import Iterator
from pathlib import Path

from tests.published.curves_table import FOLDER
from tests.published.held_tally import BASELINE, EVERY_SOURCE, HeldTally, divide_widths, read_tallies

RECORD = FOLDER / "measured.csv"
PAGE = Path(__file__).parents[2] / "docs" / "evidence" / "real-curves.md"
BEGIN = "<!-- written by `python -m tests.bench.curves --record` -->"
BEGIN_UNSEEN = "<!-- of new curves, written by `python -m tests.bench.curves --record` -->"
UNSEEN_RECORD = FOLDER / "unseen_measured.csv"
END = "<!-- end of what the command writes -->"
WORDS = {"x1": "×1, seen", "left out": "inside, left out", "x2": "×2", "x4": "×4"}


def format_table(baseline: Path = BASELINE, record: Path = RECORD) -> str:
    """Format the Markdown table of what was recorded, with the baseline's shares before each arrow."""
    _, before = read_tallies(baseline)
    _, after = read_tallies(record)
    return "\n".join(_list_lines(before, after))


def _list_lines(before: dict[tuple[str, str], HeldTally], after: dict[tuple[str, str], HeldTally]) -> Iterator[str]:
    heads = (
        "source",
        "asked at",
        "questions",
        "refused",
        "interval holds",
        "band holds",
        "wrong, no warning",
        "open",
        "band",
    )
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    for key, tally in after.items():
        old = before[key]
        wider = divide_widths(tally, before)
        cells = (
            _name(tally.source),
            WORDS[tally.horizon],
            f"{tally.asked}",
            f"{old.refused:.0%} → {tally.refused:.0%}",
            f"{_share(old.held)} → {_share(tally.held)}",
            f"{_share(old.band_held)} → {_share(tally.band_held)}",
            f"{old.unwarned:.0%} → {tally.unwarned:.0%}",
            f"{old.open_share:.0%} → {tally.open_share:.0%}",
            f"±{_half(old)} → ±{_half(tally)} % (×{wider:.1f})",
        )
        yield f"| {' | '.join(cells)} |"


def format_unseen(record: Path = UNSEEN_RECORD) -> str:
    """Format the Markdown table of the curves that nothing was learned from."""
    heads = ("source", "asked at", "questions", "refused", "interval holds", "band holds", "wrong, no warning", "open")
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for tally in read_tallies(record)[1].values():
        cells = (
            _name(tally.source),
            WORDS[tally.horizon],
            f"{tally.asked}",
            f"{tally.refused:.0%}",
            _share(tally.held),
            _share(tally.band_held),
            f"{tally.unwarned:.1%}",
            f"{tally.open_share:.0%}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _name(source: str) -> str:
    return "**all**" if source == EVERY_SOURCE else f"`{source}`"


def _share(value: float) -> str:
    return f"{value:.2f}".removeprefix("0")


def _half(tally: HeldTally) -> str:
    """Half the median band, in percent of the loss."""
    return f"{100 * math.expm1(tally.band_width / 2):.1f}"


def write_page(page: Path = PAGE) -> None:
    """Replace the tables of the page."""
    text = replace_table(page.read_text(encoding="utf-8"), format_table())
    page.write_text(replace_table(text, format_unseen(), BEGIN_UNSEEN), encoding="utf-8")


def read_page(begin: str = BEGIN, page: Path = PAGE) -> str:
    """Read the table of the page that begins with a marker."""
    return page.read_text(encoding="utf-8").partition(begin)[2].partition(END)[0].strip()


def replace_table(text: str, table: str, begin: str = BEGIN) -> str:
    """Replace what stands between the markers."""
    head, _, rest = text.partition(begin)
    return f"{head}{begin}\n\n{table}\n\n{END}{rest.partition(END)[2]}"
