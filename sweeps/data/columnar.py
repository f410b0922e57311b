"""Read Parquet and Arrow files to raw rows, with pyarrow if it is installed."""

import io
from collections.abc import Iterator
from typing import Any

from sweeps.data.foreign_formats import BadRow
from sweeps.data.text_formats import Found
from sweeps.errors import DataError, NotInstalled
from sweeps.records import Origin, canonicalize_row

INSTALL = ".venv/bin/python -m pip install pyarrow (the extra `export`)"


def read_parquet(content: bytes, where: str) -> Iterator[Found]:
    """Read a Parquet file. Raises NotInstalled; DataError if it is not whole."""
    try:
        import pyarrow.parquet as pq
    except ImportError:
        raise NotInstalled(f"{where}: Parquet needs pyarrow, which is not installed: {INSTALL}") from None
    try:
        table = pq.read_table(io.BytesIO(content))
    except Exception as error:  # noqa: BLE001 -- pyarrow has exceptions of its own for each way of being broken
        raise DataError(f"{where}: expected a whole Parquet file, got {error}; fetch it again") from None
    return _rows(table, where)


def read_arrow(content: bytes, where: str) -> Iterator[Found]:
    """Read an Arrow file, or a stream as `save_to_disk` of Hugging Face's `datasets` writes it."""
    try:
        import pyarrow as pa
    except ImportError:
        raise NotInstalled(f"{where}: Arrow needs pyarrow, which is not installed: {INSTALL}") from None
    opened = pa.ipc.open_file if content.startswith(b"ARROW1") else pa.ipc.open_stream
    try:
        table = opened(pa.BufferReader(content)).read_all()
    except Exception as error:  # noqa: BLE001 -- the same
        raise DataError(f"{where}: expected a whole Arrow file, got {error}; fetch it again") from None
    return _rows(table, where)


def _rows(table: Any, where: str) -> Iterator[Found]:
    number = 0
    for batch in table.to_batches(max_chunksize=1024):
        for row in batch.to_pylist():
            number += 1
            yield Origin(f"{where}: row ", number), _plain(row)


def _plain(row: dict[str, Any]) -> object:
    """Remove nulls; refuse values that cannot be JSON (bytes, dates) in the keys that a format reads."""
    kept = {key: value for key, value in row.items() if value is not None}
    for key in ("messages", "conversations", "conversation", "prompt", "chosen", "rejected", "tools", "parts"):
        if key not in kept or isinstance(kept[key], str):
            continue
        try:
            canonicalize_row(kept[key])
        except (TypeError, ValueError):
            return BadRow(f"{key}: expected text, got a value that is not JSON, such as bytes or a date")
        if _has_columns_for_all(kept[key]):
            return BadRow(
                f"{key}: expected calls and tools as JSON text, got columns, where each one has the keys of all"
            )
    return kept


def _has_columns_for_all(value: object, *, inside: bool = False) -> bool:
    """Say whether arguments or schemas have nulls, which may be null or only the key of another call."""
    if isinstance(value, list):
        return any(_has_columns_for_all(inner, inside=inside) for inner in value)
    if not isinstance(value, dict):
        return inside and value is None
    return any(
        _has_columns_for_all(inner, inside=inside or key in ("arguments", "parameters")) for key, inner in value.items()
    )
