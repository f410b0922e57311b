"""Read a source into distinct rows, keyed by what they say: a file, or what `tinker_offline` brings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sweeps.data.bounded_reading import DataReach
from sweeps.data.columns import ColumnReader, refuse_columns
from sweeps.data.generated import FORMATS as MADE
from sweeps.data.generated import generate_rows
from sweeps.data.groups import hash_name
from sweeps.data.near_duplicates import fold_text, hash_group, list_prompts
from sweeps.data.offline_sources import OFFLINE, read_domain
from sweeps.data.rows import Parsed
from sweeps.data.source_files import read_file, redact
from sweeps.data.split import SplitRow
from sweeps.errors import DataError
from sweeps.records import FORMATS, Format, Records, Row, hash_contents

LINES = "lines"  # a text with one record a line

Content = Mapping[bytes, SplitRow]  # rows by what they say, in the order of the source


@dataclass(frozen=True)
class SourceRows:
    form: Format
    rows: Content
    test: Content | None  # where a source brings its own split, held-out rows come from here
    notes: tuple[str, ...]
    read: int  # rows of the file, before those that repeat another were dropped


@dataclass(frozen=True)
class SourcePlace:
    """Where a spec's paths lead, in which format their rows have to be, and what of a question is read."""

    form: Format | None
    folder: Path
    cache: Path
    context: str
    lines: bool
    columns: Mapping[str, str | Sequence[str]]
    group: str | None
    by: str | None
    reach: DataReach


def check_format(form: str | None) -> Format | None:
    """Accept the name of a format. Raises DataError."""
    if form is not None and form not in FORMATS:
        raise DataError(f"format: expected one of {', '.join((*FORMATS, LINES))}, got {form!r}")
    return form


def read_source(source: str, place: SourcePlace) -> SourceRows:
    """Read a source whose paths and columns `place` explains. Raises DataError and NotInstalled."""
    if source.startswith(OFFLINE):
        return _read_offline(source, place)
    columns = ColumnReader(place.columns, place.group, place.by)
    parsed = read_file(source, place.form, place.folder, lines=place.lines, columns=columns, reach=place.reach)
    form, rows, notes = parsed.form, parsed.rows, parsed.notes
    distinct = _drop_repeated(parsed, place.context)
    if len(distinct) < len(rows):
        notes += (
            f"{redact(source)}: {len(rows) - len(distinct)} of {len(rows)} rows repeat another row and were dropped",
        )
    return SourceRows(form, distinct if place.group else _check_groups(distinct), None, notes, len(rows))


def _read_offline(source: str, place: SourcePlace) -> SourceRows:
    refuse_columns(ColumnReader(place.columns, place.group, place.by), source)
    name = source.removeprefix(OFFLINE)
    form = MADE.get(name, "text")
    if place.lines or place.form not in (None, form):
        raise DataError(f"{source}: expected {LINES if place.lines else place.form} rows, got {form}")
    return _read_whole(name, form, place.cache)


@lru_cache(maxsize=8)  # a process that plans many files needs the same thousands of rows for each
def _read_whole(name: str, form: Format, cache: Path) -> SourceRows:
    train, test = generate_rows(name) if name in MADE else _wrap_texts(name, cache)
    return SourceRows(form, _key_rows(train), _key_rows(test), (), len(train))


def _wrap_texts(name: str, cache: Path) -> tuple[tuple[Row, ...], ...]:
    return tuple(tuple({"text": record} for record in part) for part in read_domain(name, cache))


def _drop_repeated(parsed: Parsed, context: str) -> Content:
    """Keep each row once, with what it asks; the first one, whichever group has it."""
    content: dict[bytes, SplitRow] = {}
    asked = list_prompts(parsed.rows, parsed.form, context)
    rows = zip(hash_contents(parsed.rows), parsed.rows, parsed.origins, asked, parsed.labels, strict=True)
    for key, row, origin, text, labels in rows:
        if key not in content:
            same = fold_text(text)
            group = hash_group(same, key) if labels.group is None else hash_name(labels.group)
            content[key] = SplitRow(row, origin, text, same, group, labels)
    return content


def _key_rows(rows: Sequence[Row]) -> Content:
    """Key rows that their maker has split: each is a group of its own."""
    content: dict[bytes, SplitRow] = {}
    for key, row in zip(hash_contents(rows), rows, strict=True):
        content.setdefault(key, SplitRow(row, None, "", "", key))
    return content


def _check_groups(content: Content) -> Content:
    """Make each row its own group if all rows ask the same, because that is an instruction and not a question."""
    if len({kept.group for kept in content.values()}) > 1:
        return content
    return {key: kept._replace(group=key) for key, kept in content.items()}


def build_records(form: Format, content: Content) -> Records:
    """Build records from rows, with the place, group and stratum of each."""
    origins = tuple(kept.origin for kept in content.values() if kept.origin is not None)
    groups = tuple(kept.labels.group for kept in content.values() if kept.labels.group is not None)
    strata = tuple(kept.labels.stratum for kept in content.values() if kept.labels.stratum is not None)
    return Records(form, tuple(kept.row for kept in content.values()), origins, groups, strata)
