"""Read a file, a folder or a URL into rows: anything that fsspec opens, in many formats, packed or not."""

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from sweeps.data import text_formats
from sweeps.data.bounded_reading import ANYWHERE, PACKED, DataReach, refuse_outside, unpack_bounded
from sweeps.data.columnar import read_arrow, read_parquet
from sweeps.data.columns import ColumnReader, refuse_columns
from sweeps.data.folders import DESCRIPTIONS, find_files
from sweeps.data.offline_sources import OFFLINE
from sweeps.data.rows import Parsed, read_rows
from sweeps.data.text_formats import Found
from sweeps.errors import DataError
from sweeps.records import Format
from sweeps.spec.home_paths import expand

JSONL, TEXT = (".jsonl", ".ndjson"), (".txt", ".md")
RIGHT = (
    "JSON lines (.jsonl), .json, .csv, .tsv, .parquet, .arrow, text (.txt, .md), each also as .gz, .bz2, .xz or .zst"
)
OTHERS: Mapping[str, str] = {  # what is not read, and the command that makes something of it that is
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "save it as .csv"),
    **dict.fromkeys((".zip", ".jar"), "`unzip` it"),
    **dict.fromkeys((".tar", ".tgz"), "`tar -xf` it"),
    **dict.fromkeys((".7z", ".rar"), "unpack it"),
    ".lz4": "`lz4 -d` it",
    **dict.fromkeys((".pkl", ".pickle", ".pt", ".npy", ".npz", ".h5"), "write it as .jsonl; such a file may run code"),
    ".feather": "pandas.read_feather(…).to_parquet(…) writes one that is read",
    ".orc": "pyarrow.orc.read_table(…) and pyarrow.parquet.write_table(…) write one that is read",
    **dict.fromkeys((".db", ".sqlite", ".duckdb"), "export a table as .csv"),
    **dict.fromkeys((".pdf", ".docx", ".doc", ".html", ".epub"), "save it as text (.txt)"),
}
MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"PAR1", ".parquet"),
    (b"ARROW1", ".arrow"),
    (b"\xff\xff\xff\xff", ".arrow"),  # a stream
    (b"PK\x03\x04", ".zip"),
    (b"SQLite format 3", ".sqlite"),
    (b"%PDF", ".pdf"),
)
MARKS = (
    (BOM_UTF32_LE, "utf-32"),
    (BOM_UTF32_BE, "utf-32"),
    (BOM_UTF16_LE, "utf-16"),
    (BOM_UTF16_BE, "utf-16"),
    (BOM_UTF8, "utf-8-sig"),
)


class FileReader(NamedTuple):
    """A way to read a file: its name for people, and the function that makes rows of its content."""

    name: str
    rows: Callable[[str, str], Iterable[Found]]


TABLES: Mapping[str, Callable[[bytes, str], Iterable[Found]]] = {".parquet": read_parquet, ".arrow": read_arrow}
LINES, DOCUMENT = FileReader("JSONL", text_formats.read_json_lines), FileReader("JSON", text_formats.read_json_document)
CSV, TSV = (
    FileReader("CSV", text_formats.read_table),
    FileReader("TSV", partial(text_formats.read_table, delimiter="\t")),
)
PARAGRAPHS, SINGLE = FileReader("paragraph", text_formats.read_paragraphs), FileReader("line", text_formats.read_lines)


def read_file(
    source: str,
    form: Format | None,
    folder: Path,
    *,
    lines: bool = False,
    columns: ColumnReader | None = None,
    reach: DataReach = ANYWHERE,
) -> Parsed:
    """Read the rows of a source, by its ending or else its first bytes; with `lines` a line of text is a record.

    A path is relative to `folder`; anything with `://` goes to fsspec, if `reach` allows it.
    Raises DataError where it cannot be read, and NotInstalled.
    """
    where = redact(source)
    _refuse_others(_endings(where)[0], where)
    with _naming(source, where, folder):
        if "://" in source and reach.check:
            reach.check(source)
        elif reach.inside is not None:
            refuse_outside(folder / expand(source), reach.inside, where)
        files = find_files(source, where, folder)
    ways: list[str] = []

    def list_rows() -> Iterator[Found]:
        empty = True
        for file in files:
            with _naming(source, file.where, folder):
                content = unpack_bounded(file.fetch(reach), file.where, _endings(file.where)[1], reach.most_bytes)
            way, rows = _rows(content, file.where, form, lines=lines, columns=columns or ColumnReader())
            ways.append(way)
            for row in rows:
                empty = False
                yield row
        if empty and ways[0] in (CSV.name, TSV.name):
            raise DataError(f"{where}: expected a header with columns, and rows below it, got no rows; add them")

    parsed = read_rows(list_rows(), where, form, columns)
    return parsed._replace(notes=(_describe_file(parsed, where, ways), *parsed.notes[1:]))


def list_local_files(source: str, folder: Path) -> list[Path]:
    """List the files of this machine that a source stands for; none for a URL, or what this installation brings.

    A data set that `save_to_disk` wrote has its description among them. Raises DataError where one is missing.
    """
    if "://" in source or source.startswith(OFFLINE):
        return []
    with _naming(source, source, folder):
        files = [Path(file.path) for file in find_files(source, source, folder)]
        for file in files:
            file.stat()
    root = Path((folder / expand(source)).absolute())
    return files + [root / name for name in DESCRIPTIONS if root.is_dir() and (root / name).is_file()]


def _describe_file(parsed: Parsed, where: str, ways: Sequence[str]) -> str:
    """Describe as what the file was read: the first note."""
    files = f" in {len(ways):,} files" if len(ways) > 1 else ""
    if ways[0] in (PARAGRAPHS.name, SINGLE.name):
        between = " between blank lines" if ways[0] == PARAGRAPHS.name else ""
        return f"{where}: read as text{files}, one record for each of {len(parsed.rows):,} {ways[0]}s{between}"
    return f"{where}: {ways[0]}{files}, {parsed.notes[0].removeprefix(f'{where}: ')}"


def _rows(
    content: bytes, where: str, form: Format | None, *, lines: bool, columns: ColumnReader
) -> tuple[str, Iterable[Found]]:
    """Choose how a file is read, and read its rows."""
    kind, _ = _endings(where)
    kind = next((seen for magic, seen in MAGIC if content.startswith(magic)), kind)
    _refuse_others(kind, where)
    if kind in TABLES:
        return kind[1:].capitalize(), TABLES[kind](content, where)
    text = _decode(content, where)
    way = _way(kind, text, form, lines=lines)
    if way in (CSV, TSV):
        return way.name, text_formats.read_table(text, where, "\t" if way is TSV else None, columns)
    if way in (PARAGRAPHS, SINGLE):
        refuse_columns(columns, f"text, one record for each {way.name}")
    if way in (PARAGRAPHS, SINGLE) and form not in (None, "text"):
        raise DataError(
            f"{where}: expected a .jsonl file for format {form}, one object on each line, got {kind or 'no ending'}"
        )
    return way.name, way.rows(text, where)


def _way(kind: str, text: str, form: Format | None, *, lines: bool) -> FileReader:
    """Choose a reader by the ending; for an unknown or wrong ending, by how the text begins."""
    if kind in (".csv", ".tsv"):
        return CSV if kind == ".csv" else TSV
    if lines and kind not in (*JSONL, ".json"):
        return SINGLE
    if kind in (*JSONL, ".json") or (kind not in TEXT and text.lstrip().startswith(("[{", "[\n"))):
        return DOCUMENT if text_formats.is_document(text, named=kind == ".json") else LINES
    return LINES if form != "text" and text_formats.is_json_lines(text) else PARAGRAPHS


def _endings(where: str) -> tuple[str, str]:
    """Split off the endings for content and packing, in small letters; each is empty if the name has none."""
    suffixes = [suffix.lower() for suffix in PurePosixPath(where).suffixes]
    packing = {".zstd": ".zst", ".gzip": ".gz"}.get(suffixes[-1], suffixes[-1]) if suffixes else ""
    if packing not in PACKED:
        return (suffixes[-1] if suffixes else ""), ""
    return "".join(suffixes[:-1][-1:]), packing


def _refuse_others(kind: str, where: str) -> None:
    if kind in OTHERS:
        raise DataError(f"{where}: expected {RIGHT}, got a {kind} file: {OTHERS[kind]}")


@contextmanager
def _naming(source: str, where: str, folder: Path) -> Iterator[None]:
    """Turn errors about a file into a DataError that names it and holds no secret."""
    try:
        yield
    except DataError:
        raise
    except FileNotFoundError:
        if "://" in source or source.startswith(("/", "~")):
            raise DataError(f"{where}: no such file; check the path") from None
        rule = "relative paths start at the folder of the sweep file"
        raise DataError(f"{where}: no such file in {folder.resolve()}; {rule}") from None
    except IsADirectoryError:
        raise DataError(f"{where}: expected a file, got a folder; name one file in it, such as train.jsonl") from None
    except OSError as error:
        reason = error.strerror or redact(str(error).replace(source, where)) or type(error).__name__
        raise DataError(f"{where}: cannot read it: {reason}; check the path") from None
    except MemoryError:
        raise DataError(f"{where}: it needs more memory than this machine has; split it") from None
    except Exception as error:  # noqa: BLE001 -- each backend of fsspec has exceptions of its own
        reason = str(error).replace(source, where) or type(error).__name__
        raise DataError(f"{where}: cannot read it: {redact(reason)}") from None


def _decode(content: bytes, where: str) -> str:
    mark = next((name for begin, name in MARKS if content.startswith(begin)), "utf-8")
    if mark in ("utf-8", "utf-8-sig") and (at := content.find(b"\0")) >= 0:
        advice = f"if it is UTF-16: iconv -f UTF-16LE -t UTF-8 {where} > new"
        raise DataError(f"{where}:{_line(content, at)}: expected text, got NUL characters; {advice}")
    try:
        return content.decode(mark)
    except UnicodeDecodeError as error:
        advice = f"save it as UTF-8 (if it is Latin-1: iconv -f WINDOWS-1252 -t UTF-8 {where} > new)"
        got = f"expected {mark.upper()} text, got other bytes from byte {error.start}"
        raise DataError(f"{where}:{_line(content, error.start)}: {got}; {advice}") from None


def _line(content: bytes, at: int) -> int:
    return content.count(b"\n", 0, at) + 1


def redact(source: str) -> str:
    """Remove user, password and signed query from a path or URL, for messages."""
    return re.sub(r"(://[^?\s]*)\?\S*", r"\1", re.sub(r"(://)[^/@\s]*@", r"\1…@", source))
