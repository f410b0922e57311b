"""Text to raw rows, each with its place: JSON lines, a JSON document, a table with a header, paragraphs, lines."""

import csv
import io
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NoReturn

from sweeps.data.columns import ColumnReader
from sweeps.data.foreign_formats import SHAPES, BadRow
from sweeps.errors import DataError
from sweeps.records import Origin, load_json

Found = tuple[Origin, object]  # a row, or the BadRow that says why it is none
DELIMITERS = ",;\t|"
NEWLINE = re.compile(r"\r\n|\n|\r")
KNOWN = {key for shape in SHAPES for key in shape.keys}


def read_json_lines(text: str, where: str) -> Iterator[Found]:
    """Read one JSON object a line, except blank lines."""
    lines = enumerate(text.split("\n"), start=1)  # splitlines would cut inside strings, at U+2028 and the like
    for number, line in lines:
        if line.strip():
            yield Origin(f"{where}:", number), _object(line)


def read_json_document(text: str, where: str) -> Iterator[Found]:
    """Read a list of objects, an object that holds one, or an object of named objects. Raises DataError."""
    try:
        document = load_json(text)
    except UnicodeEncodeError:
        raise DataError(f"{where}: expected valid Unicode, got half of a surrogate pair in a string") from None
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{where}: expected a list of objects, got text that is not JSON ({error}){_advice(text, error)}"
        ) from None
    rows = document if isinstance(document, list) else _rows_within(document, where)
    yield from ((Origin(f"{where}: row ", number), row) for number, row in enumerate(rows, start=1))


def _rows_within(document: object, where: str) -> list[Any]:
    if not isinstance(document, dict):
        raise DataError(f"{where}: expected a list of objects, got a JSON {type(document).__name__}")
    if document.keys() & KNOWN and not any(_are_objects(document.get(key)) for key in ("data", "rows", "examples")):
        lists = [key for key, value in document.items() if isinstance(value, list | dict) and key in KNOWN]
        is_row = not lists or lists in (["messages"], ["conversations"], ["conversation"])
        return [document] if is_row else _refuse_columns(document, where)
    lists = [key for key, value in document.items() if _are_objects(value)]
    if len(lists) == 1:
        return list(document[lists[0]])
    if lists:
        names, longest = ", ".join(lists), max(lists, key=lambda key: len(document[key]))
        raise DataError(
            f"{where}: expected one list, got several ({names}); write a file for each: jq .{longest} {where}"
        )
    if document and all(isinstance(value, dict) for value in document.values()):
        return list(document.values())
    return _refuse_columns(document, where)


def _are_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(entry, dict) for entry in value)


def _refuse_columns(document: Mapping[str, Any], where: str) -> NoReturn:
    keys = ", ".join(list(document)[:5])
    raise DataError(
        f"{where}: expected a list of objects, one for each row, got an object with {keys or 'nothing'} "
        '(pandas: to_json(…, orient="records", lines=True) into a .jsonl)'
    )


def _object(line: str) -> object:
    try:
        return load_json(line)
    except UnicodeEncodeError:
        return BadRow("expected valid Unicode, got half of a surrogate pair in a string")
    except (ValueError, RecursionError) as error:
        return BadRow(f"expected one object on each line, got text that is not JSON ({error}){_advice(line, error)}")


def _advice(text: str, error: Exception) -> str:
    """Name a command that writes it with one object a line."""
    if text.rstrip().endswith(","):
        return "; a line does not end in a comma: sed 's/,$//' FILE > new"
    if text.strip() in ("{", "[") or "Extra data" in str(error):
        return "; objects that run over several lines, or stand side by side, go on one line each by `jq -c . FILE`"
    return ""


def is_document(text: str, *, named: bool) -> bool:
    """Say whether JSON is one document and not an object a line; `named` if its name says so."""
    if text.lstrip().startswith("["):
        return True
    if not named:
        return False
    begun = (line for line in NEWLINE.split(text) if line.strip())
    first, second = next(begun, ""), next(begun, "")
    return not (second and isinstance(_object(first), dict))


def is_json_lines(text: str) -> bool:
    """Say whether the first line that is not blank is a whole JSON object."""
    first = next((line for line in NEWLINE.split(text[:100_000]) if line.strip()), "")
    return first.lstrip().startswith("{") and isinstance(_object(first), dict)


def read_table(
    text: str, where: str, delimiter: str | None = None, columns: ColumnReader | None = None
) -> Iterator[Found]:
    """Read the rows below a header, every cell as text; an empty cell is absent. Raises DataError.

    Without a `delimiter` it is the one of `,;⇥|` that finds a known column in the header, else the most columns.
    """
    csv.field_size_limit(sys.maxsize)
    used, renamed = (columns.used, bool(columns.names)) if columns else ((), False)
    lines = io.StringIO(text, newline="")
    given = re.match(r"sep=(.)\r?\n", text)  # as Excel writes it
    if given:
        lines.readline()
    reader = csv.reader(lines, delimiter=delimiter or (given[1] if given else _delimiter(text, used)), strict=True)
    skipped, header = int(bool(given)), None
    while True:
        number = reader.line_num + 1 + skipped
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield Origin(f"{where}:", number), BadRow(f"expected CSV, got {error}; quote cells that contain quotes")
            return
        if cells is None:
            return
        if header is None and any(cells):
            header = _header(cells, f"{where}:{number}", renamed=renamed)
        elif header and any(cells):
            yield Origin(f"{where}:", number), _cells(header, cells)


def _delimiter(text: str, used: Collection[str]) -> str:
    first = next((line for line in NEWLINE.split(text) if line.strip()), "")

    def fits(delimiter: str) -> tuple[int, int]:
        names = {name.strip().strip('"') for name in first.split(delimiter)}
        return len(names & {*KNOWN, *used}), len(names)

    return max(DELIMITERS, key=fits)


def _header(cells: list[str], where: str, *, renamed: bool) -> list[str]:
    names = [cell.strip() for cell in cells]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise DataError(f"{where}: expected different names of columns, got {', '.join(twice)} twice")
    if not renamed and not any({*shape.keys} <= {*names} for shape in SHAPES):
        known = "; ".join(dict.fromkeys(", ".join(shape.keys) for shape in SHAPES))
        shown = ", ".join(name[:24] for name in names[:8])
        raise DataError(f"{where}: expected a header with the names of columns ({known}), got {shown}")
    return names


def _cells(header: list[str], cells: list[str]) -> object:
    if len(cells) != len(header):
        return BadRow(
            f"expected {len(header)} cells, one for each column, got {len(cells)}; quote cells with the delimiter"
        )
    return {name or "(unnamed)": cell for name, cell in zip(header, cells, strict=True) if cell}


def read_paragraphs(text: str, where: str) -> list[Found]:
    """Read one text for each paragraph, between blank lines. Raises DataError if there is only one."""
    paragraphs = list(_paragraphs(text))
    if not paragraphs:
        raise DataError(f"{where}: expected paragraphs with blank lines between them, got no text")
    if len(paragraphs) == 1 and (lines := paragraphs[0][1].count("\n") + 1) > 1:
        raise DataError(
            f"{where}: {lines:,} lines and no blank line between them, which is one paragraph and so one record; "
            "`format: lines` reads one record a line, and blank lines part paragraphs"
        )
    return [(Origin(f"{where}:", number), {"text": paragraph}) for number, paragraph in paragraphs]


def read_lines(text: str, where: str) -> list[Found]:
    """Read one text for each line that is not blank. Raises DataError."""
    numbered = enumerate(NEWLINE.split(text), start=1)
    records: list[Found] = [(Origin(f"{where}:", number), {"text": line}) for number, line in numbered if line.strip()]
    if not records:
        raise DataError(f"{where}: expected a record on each line, got no text")
    return records


def _paragraphs(text: str) -> Iterator[tuple[int, str]]:
    """Yield each paragraph with the line on which it begins."""
    lines: list[str] = []
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        if line.strip():
            lines.append(line.rstrip())
        elif lines:
            yield number - len(lines), "\n".join(lines)
            lines = []
