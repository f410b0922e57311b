"""Keep what was measured (`results.json`) and write it as a table (`RESULTS.md`)."""

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.row import Row

HERE = Path(__file__).parent
JSON, TABLE = HERE / "results.json", HERE / "RESULTS.md"
WORDS = {True: "yes", False: "**no**", None: "–"}
HEAD = """# Results

Written by `make bench`; [README](README.md) says how it measures. A ratio is the median of pairs that were measured
one after the other; in brackets the lowest and the highest. Compare ratios: seconds are of the machine named below
each table.
"""


def keep(name: str, machine: Mapping[str, object], rows: Sequence[Row]) -> None:
    """Replace what is kept of this benchmark, and write the table again."""
    document = read_results()
    document[name] = {**machine, "rows": [row.model_dump(exclude_defaults=True) for row in rows]}
    JSON.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    TABLE.write_text(render(document), encoding="utf-8")


def read_results() -> dict[str, Any]:
    """All that is kept, by benchmark."""
    return dict(json.loads(JSON.read_text(encoding="utf-8"))) if JSON.exists() else {}


def render(document: Mapping[str, Any]) -> str:
    """The table of every benchmark, in the order of the catalogue."""
    from benchmarks.catalogue import BENCHMARKS

    parts = [HEAD]
    for name, about in BENCHMARKS.items():
        if name in document:
            parts.append(_render_benchmark(name, about, document[name]))
    return "\n".join(parts)


def _render_benchmark(name: str, about: str, kept: Mapping[str, Any]) -> str:
    rows = [Row.model_validate(row) for row in kept["rows"]]
    lines = [f"## {name}", "", about, "", "| what | ours | against | theirs | ratio | bar | met |"]
    lines += ["| --- | --- | --- | --- | --- | --- | --- |", *map(_render_row, rows), ""]
    lines += [f"- {row.what}: {row.note}" for row in rows if row.note]
    versions = ", ".join(f"{library} {number}" for library, number in kept["versions"].items())
    place = (
        f"{kept['date']}, commit {kept['commit']}, {kept['cores']} cores ({kept['processor']}), {kept['system']}, "
        f"Python {kept['python']}, {versions}; load {kept['load']} before; 20 million additions take "
        f"{kept['yardstick']} s."
    )
    return "\n".join([*lines, "", place, ""]).replace("\n\n\n", "\n\n")


def _render_row(row: Row) -> str:
    ours, theirs = _median(row.ours, row.unit), _median(row.theirs, row.unit) if row.theirs else ""
    ratio = f"×{row.figure:.2f} ({min(row.ratios):.2f} to {max(row.ratios):.2f})" if row.ratios else ""
    return f"| {row.what} | {ours} | {row.against} | {theirs} | {ratio} | {_bar(row)} | {WORDS[row.met]} |"


def _bar(row: Row) -> str:
    sign, bar = ("≤", row.most) if row.most is not None else ("≥", row.least)
    if bar is None:
        return ""
    return f"{sign} ×{bar:g}" if row.theirs else f"{sign} {bar:g} {row.unit}"


def _median(values: Sequence[float], unit: str) -> str:
    return f"{statistics.median(values):,.4g} {unit}"
