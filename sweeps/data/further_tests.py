"""Read the further test sets of a data set, and drop from training what stands in one of them.

A test set is read with the columns of its data set, and in its format if it has it, or else in its own: questions may
test what was trained on text.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from sweeps.data.groups import drop_shared_groups
from sweeps.data.leaks import describe_leaks
from sweeps.data.source_files import redact
from sweeps.data.source_rows import Content, SourcePlace, SourceRows, build_records, read_source
from sweeps.errors import DataError
from sweeps.formatting import format_count
from sweeps.records import Format, FurtherTest
from sweeps.rendering.prompts import select_read


class ReadTest(NamedTuple):
    """One test set as its file has it."""

    name: str
    form: Format
    rows: Content
    notes: tuple[str, ...]
    evaluate: tuple[str, ...] | None = None  # the evaluations that are made on it, by name; None: all that suit it

    @property
    def where(self) -> str:
        return f"tests.{self.name}"


class TestSource(Protocol):
    """A further test set of a spec: its file, and the evaluations that are made on it; None: all that suit it."""

    @property
    def source(self) -> str: ...
    @property
    def evaluate(self) -> Sequence[str] | None: ...


def read_further_tests(tests: Mapping[str, TestSource] | None, place: SourcePlace) -> tuple[ReadTest, ...]:
    """Read every test set. Raises DataError that begins with the key of the test set."""
    read = ((_read_test(name, test.source, place), test.evaluate) for name, test in (tests or {}).items())
    return tuple(test._replace(evaluate=None if asked is None else tuple(asked)) for test, asked in read)


def _read_test(name: str, file: str, place: SourcePlace) -> ReadTest:
    try:
        read = _read_in_any_format(file, place)
    except DataError as error:
        raise DataError(f"tests.{name}: {error}") from None
    rows = read.rows if read.test is None else read.test
    if not rows:
        raise DataError(f"tests.{name}: expected rows in {redact(file)}, got none; use another file")
    return ReadTest(name, read.form, rows, tuple(f"tests.{name}: {note}" for note in read.notes))


def _read_in_any_format(file: str, place: SourcePlace) -> SourceRows:
    """Read a file in the format of training if it has it, or else in its own. Raises DataError."""
    try:
        return read_source(file, place)
    except DataError as error:
        try:
            read = read_source(file, replace(place, form=None, lines=False))
        except DataError:
            raise error from None
        if read.form == place.form:
            raise
        return read


def drop_tested(rows: Content, tests: Sequence[ReadTest], group: str | None) -> Content:
    """Drop the rows that stand in a test set too, and those whose group does."""
    for test in tests:
        rows = {key: row for key, row in rows.items() if key not in test.rows}
        rows = drop_shared_groups(rows, test.rows) if group else rows
    return rows


def describe_tests(tests: Sequence[ReadTest], train: Content, known: Content) -> Iterator[str]:
    """Say how many rows each test set has, what it took from training, and what of it training has nearly.

    `known` are all rows that might have been trained on.
    """
    for test in tests:
        yield from test.notes
        groups = {row.labels.group for row in test.rows.values()} - {None}
        yield f"{test.where}: {format_count(len(test.rows), 'row')}{f' of {len(groups):,} groups' if groups else ''}"
        if shared := sum(key in known for key in test.rows):
            yield f"{test.where}: {format_count(shared, 'row')} stood in the source too and were dropped from train"
        what = "text" if test.form == "text" else "prompt"
        yield from describe_leaks(test.where, [*test.rows.values()], [*train.values()], what)


def build_tests(tests: Sequence[ReadTest], context: str) -> tuple[FurtherTest, ...]:
    """Build the records of each test set; of questions with what is read with them."""
    built = []
    for test in tests:
        records = build_records(test.form, test.rows)
        read, whole = (select_read(records, context), records) if test.form == "questions" else (records, None)
        built.append(FurtherTest(test.name, read, whole, test.evaluate))
    return tuple(built)
