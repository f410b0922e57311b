"""Format an attempt's progress: a line for Flower and status, a short curve to watch, and the full curve for a file."""

import time
from collections.abc import Mapping, Sequence

from sweeps.formatting import name_loss
from sweeps.stage import Json

Row = dict[str, Json]
PACE = 1.0  # seconds between two reports of one attempt


class Curve:
    """The metrics of every step, and a selection of them."""

    def __init__(self, rows: Sequence[Row] = ()) -> None:
        self.rows = list(rows)

    def add(self, row: Row) -> None:
        self.rows.append(row)

    def thin(self, most: int) -> list[Row]:
        """Return every k-th row, for the smallest k that gives at most `most`, and always the last."""
        every = -(-len(self.rows) // (most - 1)) or 1
        chosen = self.rows[::every]
        return chosen if not self.rows or chosen[-1] is self.rows[-1] else [*chosen, self.rows[-1]]


class ReportTimer:
    """Says when the next report is due."""

    def __init__(self, seconds: float = PACE) -> None:
        self._seconds = seconds
        self._next = time.monotonic() + seconds

    def is_due(self) -> bool:
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True


def format_line(progress: Mapping[str, Json]) -> str:
    """Return one line for Flower's row: "step 130/4000 nll 1.980"."""
    return f"step {progress['step']}/{progress['steps']} {name_loss(progress)}".rstrip()
