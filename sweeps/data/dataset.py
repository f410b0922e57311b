"""From what a spec names to a `Dataset`: read, made distinct, split by content."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from sweeps.data.bounded_reading import ANYWHERE, DataReach
from sweeps.data.further_tests import ReadTest, TestSource, build_tests, describe_tests, drop_tested, read_further_tests
from sweeps.data.groups import (
    describe_training,
    drop_shared_groups,
    hold_out_groups,
    refuse_single_group,
)
from sweeps.data.leaks import describe_leaks
from sweeps.data.source_files import redact
from sweeps.data.source_rows import LINES, Content, SourcePlace, SourceRows, build_records, check_format, read_source
from sweeps.data.split import choose, describe_choice, list_choosable, resolve_count
from sweeps.errors import DataError, NotInstalled
from sweeps.formatting import format_count
from sweeps.records import Dataset, Format, Records, hash_contents
from sweeps.rendering.prompts import CONTEXT, list_passages, select_learnt, select_read
from sweeps.rendering.row_errors import check_chats


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
    def columns(self) -> Mapping[str, str | Sequence[str]] | None: ...
    @property
    def group(self) -> str | None: ...
    @property
    def sizes_in(self) -> str | None: ...
    @property
    def by(self) -> str | None: ...
    @property
    def tests(self) -> Mapping[str, TestSource] | None: ...


def load_dataset(name: str, spec: DataSource, *, folder: Path, cache: Path, reach: DataReach = ANYWHERE) -> Dataset:
    """Read a source and split it; paths are relative to `folder`, built corpora are kept in `cache`.

    The split depends on the content alone: rows that ask the same stay together, and are ranked by a hash of what
    they ask, so that neither their order nor any seed moves a row between train and holdout. Rows equal up to white
    space are one row, and a train row that also stands in holdout or validation is dropped. With `group` whole groups
    are held out instead. Raises DataError, which begins with `data.<name>: `, and NotInstalled.
    """
    try:
        lines = spec.format == LINES
        form = check_format("text" if lines else spec.format)
        place = SourcePlace(
            form, folder, cache, spec.context or CONTEXT, lines, spec.columns or {}, spec.group, spec.by, reach
        )
        return _load(name, spec, place)
    except (DataError, NotInstalled) as error:
        raise type(error)(f"data.{name}: {error}") from None


def _load(name: str, spec: DataSource, place: SourcePlace) -> Dataset:
    source = read_source(spec.source, place)
    place = replace(place, form=source.form)
    if spec.group:
        refuse_single_group(source.rows, spec.group, redact(spec.source))
    try:
        holdout, notes = _hold_out("holdout", _or_default(spec.holdout, source), source, place, {})
        validation, more = _hold_out("validation", spec.validation, source, place, holdout)
    except DataError:
        check_chats(build_records(source.form, source.rows))  # a row that cannot be read is the first thing to mend
        raise
    tests = read_further_tests(spec.tests, place)
    validation = _keep_untested(validation, tests, spec.group)
    train = {key: kept for key, kept in source.rows.items() if key not in holdout and key not in validation}
    if spec.group:
        train = dict(drop_shared_groups(train, {**holdout, **validation}))
    before = len(train)
    train = dict(drop_tested(train, tests, spec.group))
    account = _account(source, holdout, validation, train, _count_tested(tests, before - len(train)))
    if not train:
        raise DataError(
            f"{redact(spec.source)}: expected rows to train on, got none ({account}); hold out fewer, or add rows"
        )
    if spec.context is not None and "questions" not in (source.form, *(test.form for test in tests)):
        raise DataError(f"context: expected questions, got {source.form} rows; leave out `context: {spec.context}`")
    made = Dataset(
        name=name,
        source=redact(spec.source),
        train=_build_train(source.form, train, spec),
        holdout=build_records(source.form, holdout),
        validation=None if spec.validation is None else build_records(source.form, validation),
        notes=(
            *(*source.notes, *notes, *more),
            *_describe_split(spec, source, holdout=holdout, validation=validation, train=train),
            *describe_tests(tests, train, source.rows),
        ),
        account=account,
        tests=build_tests(tests, place.context),
    )
    return _select_context(made, place.context) if source.form == "questions" else made


def _build_train(form: Format, train: Content, spec: DataSource) -> Records:
    """Build what is trained on; without its groups, sizes count rows."""
    records = build_records(form, train)
    return replace(records, groups=()) if spec.sizes_in == "rows" else records


def _describe_split(
    spec: DataSource, source: SourceRows, *, holdout: Content, validation: Content, train: Content
) -> Iterator[str]:
    """Say what is trained on where there are groups, and what stands in two parts."""
    if spec.group:
        yield describe_training(train, spec.group, in_rows=spec.sizes_in == "rows")
    for part, wanted, held in (("holdout", spec.holdout, holdout), ("validation", spec.validation, validation)):
        if held:
            yield from _leaks(part, wanted, held, train, source)


def _keep_untested(validation: Content, tests: Sequence[ReadTest], group: str | None) -> Content:
    """Keep what may choose the best: nothing that stands in a test set. Raises DataError if nothing is left."""
    kept = drop_tested(validation, tests, group)
    if validation and not kept:
        names = ", ".join(test.where for test in tests)
        raise DataError(f"validation: every row of it stands in {names}; use another file, or hold out more")
    return kept


def _leaks(
    part: str, wanted: int | float | str | None, held: Content, train: Content, source: SourceRows
) -> tuple[str, ...]:
    """Describe what stands in both parts; a source that brings its own split keeps them apart itself."""
    if source.test is not None and not isinstance(wanted, str):
        return ()
    return describe_leaks(part, [*held.values()], [*train.values()], "text" if source.form == "text" else "prompt")


def _count_tested(tests: Sequence[ReadTest], count: int) -> Mapping[str, int]:
    return {f"stand in {' or '.join(test.where for test in tests)}": count}


def _account(
    source: SourceRows, holdout: Content, validation: Content, train: Content, tested: Mapping[str, int]
) -> str:
    """Say in one clause what became of the rows of the source."""
    repeated = source.read - len(source.rows)
    gone = {
        "repeat another": repeated,
        "are held out": sum(key in source.rows for key in holdout),
        "are for validation": sum(key in source.rows for key in validation),
        **tested,
    }
    gone["are of a group that is held out"] = len(source.rows) - len(train) - sum(gone.values()) + repeated
    losses = ", ".join(f"{count:,} {what}" for what, count in gone.items() if count)
    return f"{source.read:,} rows read{f', of which {losses}' if losses else ''}"


def _select_context(made: Dataset, context: str) -> Dataset:
    """Keep only the passages that this option reads, so that the hash of the rows depends on the option.

    Rows that differ only in passages that are not read are the same to the model: they stay on one side of a split.
    """
    tests = [test.whole for test in made.tests]
    validation = made.validation and _unlike(made.validation, (made.holdout, *tests), context)
    train = _unlike(made.train, (made.holdout, validation, *tests), context)
    parts = (("validation", made.validation, validation), ("train", made.train, train))
    notes = tuple(
        f"{len(old) - len(new)} more rows were dropped from {part}: all that the model reads of them stands in a "
        f"held-out row{_name_context(old, context)}"
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


def _name_context(part: Records, context: str) -> str:
    """Name the option where it chooses what is read."""
    return f", with `context: {context}`" if any(list_passages(row) for row in part.rows) else ""


def _unlike(part: Records, held: Sequence[Records | None], context: str) -> Records:
    """Drop the rows that read the same as a held-out one."""
    taken = {key for records in held if records for key in hash_contents(select_learnt(records, context).rows)}
    keys = hash_contents(select_learnt(part, context).rows)
    return part.select(place for place, key in enumerate(keys) if key not in taken)


def _or_default(holdout: int | float | str | None, source: SourceRows) -> int | float | str | None:
    return len(source.test) // 2 if holdout is None and source.test is not None else holdout


def _hold_out(
    part: str, wanted: int | float | str | None, source: SourceRows, place: SourcePlace, taken: Content
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
        describe_choice(part, count, chosen, free, own=not spare, later=bool(taken)),
    )


def _too_many(part: str, wanted: int | float, count: int, room: int, source: SourceRows, *, taken: bool) -> str:
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


def _from_file(
    part: str, file: str, source: SourceRows, place: SourcePlace, taken: Content
) -> tuple[Content, tuple[str, ...]]:
    read = read_source(file, place)
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
