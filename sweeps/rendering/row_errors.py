"""Name the row of a data file in its errors, and read chats before they are split."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from sweeps.errors import DataError
from sweeps.records import Records
from sweeps.rendering.chats import read_chat

LONGEST = 72  # characters of a row that an error quotes


@contextmanager
def name_row_in_errors(records: Records, index: int) -> Iterator[None]:
    """Put the place of a row before a DataError of the block, and the beginning of the row behind it."""
    try:
        yield
    except DataError as error:
        row = json.dumps(records.rows[index], ensure_ascii=False)
        quoted = row if len(row) <= LONGEST else f"{row[:LONGEST]}…"
        raise DataError(f"{records.place(index)}: {error} (the row: {quoted})") from None


def check_chats(records: Records) -> None:
    """Raise DataError for the first chat that no renderer can read; rows of other formats are not looked at."""
    for index, row in enumerate(records.rows if records.format == "chat" else ()):
        with name_row_in_errors(records, index):
            read_chat(row)
