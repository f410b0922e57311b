"""From what a spec names to a `Dataset`: read, made distinct, split by content."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import NamedTuple, Protocol

from sweeps.data.files import read_file, shown
from sweeps.data.made import FORMATS as MADE
from sweeps.data.made import make
from sweeps.data.offline import OFFLINE, read_domain
from sweeps.errors import DataError
from sweeps.questions import CONTEXT, learnt, read
from sweeps.records import FORMATS, Dataset, Format, Origin, Records, Row, content_keys

SALT = b"sweeps split 1:"  # part of what a split is: never to be changed


class Kept(NamedTuple):
    """A row, and where it stood if that is known."""

    row: Row
    origin: Origin | None


Content = Mapping[bytes, Kept]  # rows by what they say, in the order of the source


class DataSource(Protocol):
    """What a spec says about one data set: a count (int), a share (float) or a file (str) is held out."""

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


@dataclass(frozen=True)
class _Source:
    form: Format
    rows: Content
    test: Content | None  # where a source brings its own split, held-out rows come from here
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Place:
    """Where a spec's paths lead, and in which format their rows have to be."""

    form: Format | None
    folder: Path
    cache: Path


def load_dataset(name: str, spec: DataSource, *, folder: Path, cache: Path) -> Dataset:
    """Read a source and split it; paths are relative to `folder`, built corpora are kept in `cache`.

    The split depends on the content alone: rows are ranked by a hash of what they say, so that neither their order
    nor any seed moves a row between train and holdout. Rows equal up to white space are one row, and a train row
    that also stands in holdout or validation is dropped. Raises DataError, which begins with `data.<name>: `.
    """
    try:
        return _load(name, spec, _Place(_format(spec.format), folder, cache))
    except DataError as error:
        raise DataError(f"data.{name}: {error}") from None


def _load(name: str, spec: DataSource, place: _Place) -> Dataset:
    source = _read(spec.source, place)
    place = replace(place, form=source.form)
    holdout, notes = _held("holdout", _or_default(spec.holdout, source), source, place, {})
    validation, more = _held("validation", spec.validation, source, place, holdout)
    train = {key: kept for key, kept in source.rows.items() if key not in holdout and key not in validation}
    if not train:
        raise DataError(f"{shown(spec.source)}: no row is left to train on; hold fewer out, or bring more")
    if spec.context is not None and source.form != "questions":
        raise DataError(f"context: {spec.context} found, and the rows are {source.form}; it is said of questions alone")
    made = Dataset(
        name=name,
        source=shown(spec.source),
        train=_records(source.form, train),
        holdout=_records(source.form, holdout),
        validation=None if spec.validation is None else _records(source.form, validation),
        notes=(*source.notes, *notes, *more),
    )
    return _with_context(made, spec.context or CONTEXT) if source.form == "questions" else made


def _records(form: Format, content: Content) -> Records:
    origins = tuple(kept.origin for kept in content.values() if kept.origin is not None)
    return Records(form, tuple(kept.row for kept in content.values()), origins)


def _with_context(made: Dataset, context: str) -> Dataset:
    """What is not read is not there: so what a stage is says by itself what was read in it.

    Rows that are told apart by what is not read alone are the same to the model: those are on one side only, too.
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
            raise DataError(f"{made.source}: {part}: with `context: {context}` every row reads as one that is held out")
    return replace(
        made,
        train=learnt(train, context),
        holdout=read(made.holdout, context),
        validation=validation and read(validation, context),
        notes=(*made.notes, *notes),
        whole=made.holdout,
        context=context,
    )


def _unlike(part: Records, held: Sequence[Records | None], context: str) -> Records:
    """Without the rows that read as one that is held out."""
    taken = {key for each in held if each for key in content_keys(learnt(each, context).rows)}
    keys = content_keys(learnt(part, context).rows)
    return part.at(place for place, key in enumerate(keys) if key not in taken)


def _format(form: str | None) -> Format | None:
    if form is not None and form not in FORMATS:
        raise DataError(f"format {form!r} is not known; known: {', '.join(FORMATS)}")
    return form


def _read(source: str, place: _Place) -> _Source:
    if source.startswith(OFFLINE):
        return _read_offline(source, place)
    form, rows, notes, origins = read_file(source, place.form, place.folder)
    distinct = _distinct(rows, origins)
    if len(distinct) < len(rows):
        notes += (f"{shown(source)}: {len(rows) - len(distinct)} of {len(rows)} rows repeat another and were dropped",)
    return _Source(form, distinct, None, notes)


def _read_offline(source: str, place: _Place) -> _Source:
    name = source.removeprefix(OFFLINE)
    form = MADE.get(name, "text")
    if place.form not in (None, form):
        raise DataError(f"{source} is {form}, and {place.form} rows are wanted here")
    train, test = make(name) if name in MADE else _texts(name, place.cache)
    return _Source(form, _distinct(train), _distinct(test), ())


def _texts(name: str, cache: Path) -> tuple[tuple[Row, ...], ...]:
    return tuple(tuple({"text": record} for record in part) for part in read_domain(name, cache))


def _distinct(rows: Sequence[Row], origins: Sequence[Origin] = ()) -> Content:
    content: dict[bytes, Kept] = {}
    for key, row, origin in zip(content_keys(rows), rows, origins or repeat(None, len(rows)), strict=True):
        content.setdefault(key, Kept(row, origin))
    return content


def _or_default(holdout: int | float | str | None, source: _Source) -> int | float | str | None:
    return len(source.test) // 2 if holdout is None and source.test is not None else holdout


def _held(
    part: str, wanted: int | float | str | None, source: _Source, place: _Place, taken: Content
) -> tuple[Content, tuple[str, ...]]:
    """The rows of one held-out part, none of which is in `taken`, and notes about them."""
    if wanted is None:
        return {}, ()
    if isinstance(wanted, str):
        return _from_file(part, wanted, source, place, taken)
    pool = source.rows if source.test is None else source.test
    free = [key for key in pool if key not in taken]
    room = len(free) - (source.test is None)  # where train is the pool, a row of it has to stay
    count = _count(part, wanted, len(source.rows) + len(source.test or ()))
    if count > room:
        raise DataError(_too_many(part, wanted, count, room, source))
    chosen = set(sorted(free, key=lambda key: hashlib.sha256(SALT + key).digest())[:count])
    note = f"{part}: {count} of {len(free)} rows, chosen by what they say"
    return {key: kept for key, kept in pool.items() if key in chosen}, (note,)


def _too_many(part: str, wanted: int | float, count: int, room: int, source: _Source) -> str:
    there = f"{len(source.rows):,} different rows" if source.test is None else f"{len(source.test):,} held-out rows"
    asked = f"{wanted} asked for" if count == wanted else f"{wanted} asked for, which is {count:,}"
    return f"{part}: {asked}; {max(room, 0):,} of {there} can be held out here, so ask for fewer or bring more"


def _count(part: str, wanted: int | float, rows: int) -> int:
    if isinstance(wanted, int):
        if wanted < 1:
            raise DataError(f"{part}: {wanted}; a count of at least 1, a share between 0 and 1, or a file is wanted")
        return wanted
    if not 0 < wanted < 1:
        raise DataError(f"{part}: {wanted}; a share lies between 0 and 1, a count is an integer")
    return max(1, round(wanted * rows))


def _from_file(part: str, file: str, source: _Source, place: _Place, taken: Content) -> tuple[Content, tuple[str, ...]]:
    read = _read(file, place)
    if read.form != source.form:
        raise DataError(f"{part}: {shown(file)} holds {read.form} rows, the training rows are {source.form}")
    rows = {key: row for key, row in (read.rows if read.test is None else read.test).items() if key not in taken}
    if not rows:
        raise DataError(f"{part}: every row of {shown(file)} is in the holdout too; another file is wanted")
    shared = sum(key in source.rows for key in rows)
    dropped = (f"{shared} rows were dropped from train: their content stands in {part} ({shown(file)})",)
    return rows, (*read.notes, *(dropped if shared else ()))
