"""From what a spec names to a `Dataset`: read, made distinct, split by content."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from sweeps.data.columns import ColumnReader, refuse_columns
from sweeps.data.generated import FORMATS as MADE
from sweeps.data.generated import generate_rows
from sweeps.data.groups import (
    describe_training,
    drop_shared_groups,
    hash_name,
    hold_out_groups,
    refuse_single_group,
)
from sweeps.data.leaks import describe_leaks
from sweeps.data.near_duplicates import fold_text, hash_group, list_prompts
from sweeps.data.offline_sources import OFFLINE, read_domain
from sweeps.data.rows import Parsed
from sweeps.data.source_files import read_file, redact
from sweeps.data.split import SplitRow, choose, describe_choice, list_choosable, resolve_count
from sweeps.errors import DataError, NotInstalled
from sweeps.formatting import format_count
from sweeps.records import FORMATS, Dataset, Format, Records, Row, hash_contents
from sweeps.rendering.prompts import CONTEXT, select_learnt, select_read
from sweeps.rendering.row_errors import check_chats

LINES = "lines"  # a text with one record a line

Content = Mapping[bytes, SplitRow]  # rows by what they say, in the order of the source


class DataSource(Protocol):
    """The section of a spec about one data set: a count (int), a share (float) or a file (str) is held out."""

    @property
    def source(self) -> str: ...
    @property
    def holdout(self) -> int | float | str | None: ...
    @property
    def validation(self) -> int | float | str | None: ...
    @property
    def format(self) -> str | None: ...
    @property
    def context(self) -> str | None: ...
    @property
    def columns(self) -> Mapping[str, str] | None: ...
    @property
    def group(self) -> str | None: ...
    @property
    def by(self) -> str | None: ...


@dataclass(frozen=True)
class _Source:
    form: Format
    rows: Content
    test: Content | None  # where a source brings its own split, held-out rows come from here
    notes: tuple[str, ...]
    read: int  # rows of the file, before those that repeat another were dropped


@dataclass(frozen=True)
class _Place:
    """Where a spec's paths lead, in which format their rows have to be, and what of a question is read."""

    form: Format | None
    folder: Path
    cache: Path
    context: str
    lines: bool
    columns: Mapping[str, str]
    group: str | None
    by: str | None


def load_dataset(name: str, spec: DataSource, *, folder: Path, cache: Path) -> Dataset:
    """Read a source and split it; paths are relative to `folder`, built corpora are kept in `cache`.

    The split depends on the content alone: rows that ask the same stay together, and are ranked by a hash of what
    they ask, so that neither their order nor any seed moves a row between train and holdout. Rows equal up to white
    space are one row, and a train row that also stands in holdout or validation is dropped. With `group` whole groups
    are held out instead. Raises DataError, which begins with `data.<name>: `, and NotInstalled.
    """
    try:
        lines = spec.format == LINES
        form = _format("text" if lines else spec.format)
        place = _Place(form, folder, cache, spec.context or CONTEXT, lines, spec.columns or {}, spec.group, spec.by)
        return _load(name, spec, place)
    except (DataError, NotInstalled) as error:
        raise type(error)(f"data.{name}: {error}") from None


def _load(name: str, spec: DataSource, place: _Place) -> Dataset:
    source = _read(spec.source, place)
    place = replace(place, form=source.form)
    if spec.group:
        refuse_single_group(source.rows, spec.group, redact(spec.source))
    try:
        holdout, notes = _hold_out("holdout", _or_default(spec.holdout, source), source, place, {})
        validation, more = _hold_out("validation", spec.validation, source, place, holdout)
    except DataError:
        check_chats(_records(source.form, source.rows))  # a row that cannot be read is the first thing to mend
        raise
    train = {key: kept for key, kept in source.rows.items() if key not in holdout and key not in validation}
    if spec.group:
        train = dict(drop_shared_groups(train, {**holdout, **validation}))
    account = _account(source, holdout, validation, train)
    if not train:
        raise DataError(
            f"{redact(spec.source)}: expected rows to train on, got none ({account}); hold out fewer, or add rows"
        )
    if spec.context is not None and source.form != "questions":
        raise DataError(f"context: expected questions, got {source.form} rows; leave out `context: {spec.context}`")
    parts = (("holdout", spec.holdout, holdout), ("validation", spec.validation, validation))
    known = [note for part, wanted, held in parts if held for note in _leaks(part, wanted, held, train, source)]
    made = Dataset(
        name=name,
        source=redact(spec.source),
        train=_records(source.form, train),
        holdout=_records(source.form, holdout),
        validation=None if spec.validation is None else _records(source.form, validation),
        notes=(*source.notes, *notes, *more, *([describe_training(train, spec.group)] if spec.group else []), *known),
        account=account,
    )
    return _select_context(made, place.context) if source.form == "questions" else made


def _leaks(
    part: str, wanted: int | float | str | None, held: Content, train: Content, source: _Source
) -> tuple[str, ...]:
    """Describe what stands in both parts; a source that brings its own split keeps them apart itself."""
    if source.test is not None and not isinstance(wanted, str):
        return ()
    return describe_leaks(part, [*held.values()], [*train.values()], "text" if source.form == "text" else "prompt")


def _account(source: _Source, holdout: Content, validation: Content, train: Content) -> str:
    """Say in one clause what became of the rows of the source."""
    repeated = source.read - len(source.rows)
    gone = {
        "repeat another": repeated,
        "are held out": sum(key in source.rows for key in holdout),
        "are for validation": sum(key in source.rows for key in validation),
    }
    gone["are of a group that is held out"] = len(source.rows) - len(train) - sum(gone.values()) + repeated
    losses = ", ".join(f"{count:,} {what}" for what, count in gone.items() if count)
    return f"{source.read:,} rows read{f', of which {losses}' if losses else ''}; {len(train):,} are left"


def _records(form: Format, content: Content) -> Records:
    origins = tuple(kept.origin for kept in content.values() if kept.origin is not None)
    groups = tuple(kept.labels.group for kept in content.values() if kept.labels.group is not None)
    strata = tuple(kept.labels.stratum for kept in content.values() if kept.labels.stratum is not None)
    return Records(form, tuple(kept.row for kept in content.values()), origins, groups, strata)


def _select_context(made: Dataset, context: str) -> Dataset:
    """Keep only the passages that this option reads, so that the hash of the rows depends on the option.

    Rows that differ only in passages that are not read are the same to the model: they stay on one side of a split.
    """
    validation = made.validation and _unlike(made.validation, (made.holdout,), context)
    train = _unlike(made.train, (made.holdout, validation), context)
    parts = (("validation", made.validation, validation), ("train", made.train, train))
    notes = tuple(
        f"{len(old) - len(new)} rows were dropped from {part}: with `context: {context}` they read as held-out ones"
        for part, old, new in parts
        if old and new is not None and len(new) < len(old)
    )
    for part, old, new in parts:
        if old and not new:
            raise DataError(
                f"{made.source}: {part}: with `context: {context}` every row reads the same as a held-out one"
            )
    return replace(
        made,
        train=select_learnt(train, context),
        holdout=select_read(made.holdout, context),
        validation=validation and select_read(validation, context),
        notes=(*made.notes, *notes),
        whole=made.holdout,
        context=context,
    )


def _unlike(part: Records, held: Sequence[Records | None], context: str) -> Records:
    """Drop the rows that read the same as a held-out one."""
    taken = {key for records in held if records for key in hash_contents(select_learnt(records, context).rows)}
    keys = hash_contents(select_learnt(part, context).rows)
    return part.select(place for place, key in enumerate(keys) if key not in taken)


def _format(form: str | None) -> Format | None:
    if form is not None and form not in FORMATS:
        raise DataError(f"format: expected one of {', '.join((*FORMATS, LINES))}, got {form!r}")
    return form


def _read(source: str, place: _Place) -> _Source:
    if source.startswith(OFFLINE):
        return _read_offline(source, place)
    columns = ColumnReader(place.columns, place.group, place.by)
    parsed = read_file(source, place.form, place.folder, lines=place.lines, columns=columns)
    form, rows, notes = parsed.form, parsed.rows, parsed.notes
    distinct = _drop_repeated(parsed, place.context)
    if len(distinct) < len(rows):
        notes += (
            f"{redact(source)}: {len(rows) - len(distinct)} of {len(rows)} rows repeat another row and were dropped",
        )
    return _Source(form, distinct if place.group else _check_groups(distinct), None, notes, len(rows))


def _read_offline(source: str, place: _Place) -> _Source:
    refuse_columns(ColumnReader(place.columns, place.group, place.by), source)
    name = source.removeprefix(OFFLINE)
    form = MADE.get(name, "text")
    if place.lines or place.form not in (None, form):
        raise DataError(f"{source}: expected {LINES if place.lines else place.form} rows, got {form}")
    train, test = generate_rows(name) if name in MADE else _wrap_texts(name, place.cache)
    return _Source(form, _key_rows(train), _key_rows(test), (), len(train))


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


def _or_default(holdout: int | float | str | None, source: _Source) -> int | float | str | None:
    return len(source.test) // 2 if holdout is None and source.test is not None else holdout


def _hold_out(
    part: str, wanted: int | float | str | None, source: _Source, place: _Place, taken: Content
) -> tuple[Content, tuple[str, ...]]:
    """Choose the rows of one held-out part, none of which is in `taken`, and write notes about them."""
    if wanted is None:
        return {}, ()
    if isinstance(wanted, str):
        return _from_file(part, wanted, source, place, taken)
    if place.group:
        return hold_out_groups(part, wanted, source.rows, taken, place.group)
    pool = source.rows if source.test is None else source.test
    free = list_choosable(pool, taken)
    spare = source.test is None  # where train is the pool, a part of it has to stay
    count = resolve_count(part, wanted, len(source.rows) + len(source.test or ()))
    if count > len(free) - spare or len({*free.values()}) <= spare:
        raise DataError(_too_many(part, wanted, count, max(0, len(free) - spare), source, taken=bool(taken)))
    chosen = choose(free, count, spare=spare)
    return {key: kept for key, kept in pool.items() if key in chosen}, (
        describe_choice(part, count, chosen, free, own=not spare),
    )


def _too_many(part: str, wanted: int | float, count: int, room: int, source: _Source, *, taken: bool) -> str:
    there = (
        f"{format_count(len(source.rows), 'different row')}"
        if source.test is None
        else f"{format_count(len(source.test), 'held-out row')}"
    )
    dropped = f" ({source.read:,} rows read, {source.read - len(source.rows):,} of which repeat another)"
    there += dropped if source.test is None and source.read > len(source.rows) else ""
    share = "" if count == wanted else f" ({wanted})"
    asked = f"{part}: you asked to hold out {format_count(count, 'row')}{share}, but "
    advice = f"lower `{part}` or add rows"
    if room >= count:
        return f"{asked}all {there} that are left ask the same, and one has to stay for training; {advice}"
    stays = "one row has to stay for training" if source.test is None else "the source has no more"
    others = " and other parts have rows already" if taken else ""
    return f"{asked}only {room:,} of {there} can be held out, because {stays}{others}; {advice}"


def _from_file(part: str, file: str, source: _Source, place: _Place, taken: Content) -> tuple[Content, tuple[str, ...]]:
    read = _read(file, place)
    if read.form != source.form:
        raise DataError(f"{part}: {redact(file)}: expected {source.form} rows as in training, got {read.form}")
    rows = {key: row for key, row in (read.rows if read.test is None else read.test).items() if key not in taken}
    if place.group:
        rows = dict(drop_shared_groups(rows, taken))
    if not rows:
        raise DataError(f"{part}: every row of {redact(file)} is in the holdout too; use another file")
    shared = sum(key in source.rows for key in rows)
    dropped = (f"{shared} rows were dropped from train: their content stands in {part} ({redact(file)})",)
    return rows, (*read.notes, *(dropped if shared else ()))
